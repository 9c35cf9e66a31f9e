"""From a data set's images to the batches that a network is trained on."""

import os
import re
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketvision.data.augment import Augmentation, augment, draws, order
from pocketvision.data.dataset import Dataset
from pocketvision.events import Progress
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import Preprocessing

CACHE_SHARE = 0.4  # of the free memory that decoded images may take
READ_AHEAD = 3  # batches
CHUNK = 256  # images between two progress events


class Pixels:
    """The prepared images of one part: decoded once where memory allows it, else each time they are asked for.

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

    def decode(self, work: str) -> Generator[Progress]:
        """Decode all images now, in threads, if they fit into memory; yield how far it got."""
        if len(self) * int(np.prod(self.shape)) > CACHE_SHARE * free_memory_bytes():
            return
        cache = np.empty((len(self), *self.shape), np.uint8)
        starts = range(0, len(self), CHUNK)
        threads = ThreadPoolExecutor(os.cpu_count())
        try:
            parts = threads.map(self._decode, (slice(start, start + CHUNK) for start in starts))
            for start, part in zip(starts, parts, strict=True):
                cache[start : start + len(part)] = part
                yield Progress(work, start + len(part), len(self))
        finally:
            threads.shutdown(cancel_futures=True)  # who stops early waits only for what has begun
        self._cache = cache


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


def free_memory_bytes() -> int:
    """Return the memory that programs can have now, in bytes: what files fill, such as the images just read, counts too."""
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(found[1]) * 1024 if found else os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def training_batches(
    pixels: Images, batch_size: int, augmentation: Augmentation, seed: int, epoch: int, first: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch: (images (N, C, R, R) uint8 channels last, labels (N,) int64), the incomplete last batch left out.

    `first` is the step to begin with, for an epoch that was begun before. Order and augmentation depend on (seed, epoch,
    index) alone. Batches are made ready ahead, in threads.
    """
    sequence, draw = order(seed, epoch, len(pixels)), draws(seed, epoch, len(pixels))

    def batch(start: int) -> tuple[Tensor, Tensor]:
        rows = sequence[start : start + batch_size]
        images = augment(pixels[rows], draw[rows], augmentation)
        return to_tensor(images), torch.from_numpy(pixels.labels[rows])

    starts = iter(range(first * batch_size, steps_per_epoch(len(pixels), batch_size) * batch_size, batch_size))
    with ThreadPoolExecutor(READ_AHEAD) as threads:
        waiting = [threads.submit(batch, start) for start in islice(starts, READ_AHEAD)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [threads.submit(batch, start) for start in islice(starts, 1)]


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Return how many full batches `count` images give, at least one.

    >>> steps_per_epoch(1000, 128), steps_per_epoch(5, 128)
    (7, 1)
    """
    return max(1, count // batch_size)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Return images (N, R, R, C) as a tensor (N, C, R, R) over the same memory: channels last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)
