"""The images of a part of a data set, prepared for a network: decoded once if they fit into memory or on the disk."""

from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.pixel_cache import PixelFile
from pocketvision.events import Event, Note, Progress
from pocketvision.run.ahead import ahead
from pocketvision.run.device import count_cores, free_memory_bytes
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import Preprocessing

CACHE_SHARE = 0.4  # of the free memory that decoded images may take
CHUNK = 256  # images between two progress events


class Pixels:
    """The prepared images of one part: decoded once if they fit into memory or on the disk, otherwise at each access.

    Args:
        dataset: where the images come from.
        indices: which of its images.
        resolution, channels, preprocessing: see `pocketvision.run.images`.
    """

    def __init__(
        self, dataset: Dataset, indices: NDArray[np.int64], resolution: int, channels: int, preprocessing: Preprocessing
    ) -> None:
        self.dataset = dataset
        self.indices = indices
        self.shape = (resolution, resolution, channels)
        self.labels = dataset.labels[indices]
        self._preprocessing = preprocessing
        self._cache: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        """Return images (N, R, R, C) uint8."""
        return self._decode(rows) if self._cache is None else self._cache[rows]

    def _decode(self, rows: NDArray[np.int64] | slice) -> NDArray[np.uint8]:
        sources = [self.dataset.image(int(i)) for i in self.indices[rows]]
        resolution, _, channels = self.shape
        return load_images(sources, resolution, channels, self._preprocessing)

    def decode(self, work: str, cache_bytes: int = 0) -> Generator[Event]:
        """Decode all images in threads, if they fit into memory or the cache folder; yield the progress.

        `cache_bytes` limits the size of the cache folder.
        """
        if len(self) * int(np.prod(self.shape)) <= CACHE_SHARE * free_memory_bytes():
            cache, start = np.empty((len(self), *self.shape), np.uint8), 0
            for part in self._decode_all():
                cache[start : start + len(part)] = part
                start += len(part)
                yield Progress(work, start, len(self))
            self._cache = cache
        elif cache_bytes > 0:
            yield from self._decode_to_disk(work, cache_bytes)

    def _decode_to_disk(self, work: str, cache_bytes: int) -> Generator[Event]:
        """Decode all images into a file of the cache folder, unless it is there already."""
        file = PixelFile(self.dataset, self.indices, self.shape, self._preprocessing)
        self._cache = file.read()
        if self._cache is not None:
            return
        size, where = f"{file.size_bytes / 1e9:.1f} GB", str(file.path.parent)
        try:
            if not file.make_room(cache_bytes):
                yield Note(f"Decoded, the images take {size}, which neither memory nor {where} has room for: "
                           "each epoch decodes them anew. --cache-gb sets how much the folder may hold.")  # fmt: skip
                return
            yield Note(f"Decoded, the images take {size}, more than memory has room for: they are kept in {where}.")
            for written in file.write(self._decode_all()):
                yield Progress(work, written, len(self))
        except OSError as error:
            yield Note(f"{where} refuses ({error.strerror}): each epoch decodes the images anew.")
        self._cache = file.read()

    def _decode_all(self) -> Iterator[NDArray[np.uint8]]:
        """Yield all images in order, up to 256 at a time."""
        chunks = [slice(start, start + CHUNK) for start in range(0, len(self), CHUNK)]
        cores = count_cores()
        return ahead(self._decode, chunks, cores, 2 * cores)


class Together:
    """The images of two parts as one; nothing is copied.

    Args:
        first, second: prepared in the same way.
    """

    def __init__(self, first: "Images", second: Pixels) -> None:
        self.first, self.second, self.shape = first, second, second.shape
        self.labels: NDArray[np.int64] = np.concatenate([first.labels, second.labels])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return images (N, R, R, C) uint8."""
        found = np.empty((len(rows), *self.shape), np.uint8)
        is_first = rows < len(self.first)
        for part, own, before in ((self.first, is_first, 0), (self.second, ~is_first, len(self.first))):
            if own.any():
                found[own] = part[rows[own] - before]
        return found


Images = Pixels | Together


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Return how many full batches `count` images give, at least one.

    >>> steps_per_epoch(1000, 128), steps_per_epoch(5, 128)
    (7, 1)
    """
    return max(1, count // batch_size)
