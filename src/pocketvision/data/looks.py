"""One look at each image of a data set: one decode says whether it can be read, its size, its colours and its likeness."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from pocketvision.data.dataset import Dataset
from pocketvision.errors import BadData, BadImage
from pocketvision.events import Progress, Work
from pocketvision.run.ahead import ahead
from pocketvision.run.device import count_cores
from pocketvision.run.examine import Examined, examine_image
from pocketvision.run.images import MAX_PIXELS

WORK = "checking images"
SMALL_SHAPE = (16, 18)  # rows and columns of the small pictures: twice those of the difference hash
CHUNK = 16  # files for one task of a thread
ARRAY_CHUNK = 4096  # images of an array between two progress events, where they are small
ARRAY_VALUES = 2**22  # of an array, converted to float32 at once
FLAT = (
    2  # levels of 256; tiles that differ by no more, and pixels that spread no more, show nothing that an eye could see
)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's "L"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one image file: a few figures and a small picture; the decoded image is not kept.

    Args:
        sha256: of the file, as `Dataset.content_hash` gives it.
        size_bytes: of the file.
        mtime_ns: when it was last modified, in nanoseconds since 1970; as long as size and time stay, it is not looked at again.
        width: of the upright image, in pixels.
        height: of the upright image, in pixels.
        grey: it shows no colour.
        small: 16 x 18 bytes, row by row: the upright image in grey, each value the mean of a tile.
        form: format by content, such as "JPEG".
        turned: its EXIF says that it is not stored upright.
        conversion: what was made of the stored pixels, in words; mostly empty.
        flat: it shows nothing: all pixels have nearly the same colour.
        highest: of its values, where they are 16-bit grey; 0 for other depths.
    """

    sha256: str
    size_bytes: int
    mtime_ns: int
    width: int
    height: int
    grey: bool
    small: bytes
    form: str
    turned: bool
    conversion: str
    flat: bool
    highest: int


@dataclass(frozen=True, eq=False)
class Facts:
    """What was seen, one entry for each readable image of a data set, in its order.

    Args:
        hashes: SHA-256 of the content, as `Dataset.content_hash` gives it.
        size_bytes: (N,) int64, of the file or array.
        widths: (N,) int64, of the upright image, in pixels.
        heights: (N,) int64, of the upright image, in pixels.
        grey: (N,) bool, the image shows no colour.
        small: (N, 16, 18) uint8, the upright image in grey, each value the mean of a tile: what likeness is judged by.
        looks: for files, what these columns were made of; empty for arrays.
    """

    hashes: tuple[str, ...]
    size_bytes: NDArray[np.int64]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    grey: NDArray[np.bool_]
    small: NDArray[np.uint8]
    looks: tuple[Look, ...]

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True)
class Failure:
    """An image that cannot be used.

    Args:
        index: of the image in its data set.
        reason: why, without its name.
        is_too_large: it has more pixels than allowed; else it is broken, or of another format.
    """

    index: int
    reason: str
    is_too_large: bool = False


def look_at(
    dataset: Dataset, max_pixels: int = MAX_PIXELS, known: Mapping[str, Look] | None = None
) -> Work[tuple[list[int], Facts, list[Failure]]]:
    """Look at all images, files in threads: each core holds one decoded image at a time, and drops it after the look.

    Args:
        dataset: the images.
        max_pixels: larger images are failures.
        known: what was seen before, by the names in `Dataset.keys`. A file of the same size and modification time is not read
            again.

    Yields:
        How far it got.

    Returns:
        The indices of the images that can be read, their facts in the same order, and the others with the reason.
    """
    if isinstance(dataset.images, np.ndarray):
        facts = yield from _look_at_arrays(dataset, dataset.images)
        return list(range(len(dataset))), facts, []
    before, keys = known or {}, dataset.keys

    def look_at_some(start: int) -> list[Look | Failure]:
        indices = range(start, min(start + CHUNK, len(dataset)))
        return [_look(dataset, index, max_pixels, before.get(keys[index])) for index in indices]

    found: list[Look | Failure] = []
    cores = count_cores()
    for some in ahead(look_at_some, range(0, len(dataset), CHUNK), cores, 2 * cores):
        found += some
        yield Progress(WORK, len(found), len(dataset))
    readable = [index for index, look in enumerate(found) if isinstance(look, Look)]
    facts = _collect(tuple(look for look in found if isinstance(look, Look)))
    return readable, facts, [look for look in found if isinstance(look, Failure)]


def _look(dataset: Dataset, index: int, max_pixels: int, known: Look | None) -> Look | Failure:
    """Read one file for its hash, and once more, from the system's cache, to decode it; neither where it is known."""
    path = Path(str(dataset.image(index)))
    try:
        state = path.stat()  # before it is read: a file that is written meanwhile is looked at again the next time
        if known is not None and _is_same(known, state, max_pixels):
            dataset.know_hashes({index: known.sha256})
            return known
        sha256 = dataset.content_hash(index)
        seen = examine_image(path, max_pixels)
    except (BadData, BadImage, OSError) as error:
        problem = error.problem if isinstance(error, BadData | BadImage) else str(error.strerror)
        reason = problem.removeprefix(str(path)).removeprefix(":").strip()
        return Failure(index, reason, is_too_large=f"at most {max_pixels:,} are decoded" in problem)
    small = seen.image.resize(SMALL_SHAPE[::-1], Image.Resampling.BOX).convert("L")
    return Look(
        sha256=sha256,
        size_bytes=state.st_size,
        mtime_ns=state.st_mtime_ns,
        width=seen.width,
        height=seen.height,
        grey=seen.grey,
        small=small.tobytes(),
        form=seen.form,
        turned=seen.turned,
        conversion=_conversion(seen),
        flat=_is_flat(seen.image, small),
        highest=seen.highest,
    )


def _is_flat(image: Image.Image, small: Image.Image) -> bool:
    """Tell whether an image is of one colour but for noise; its small picture spares most images the second look."""
    return int(np.ptp(np.asarray(small))) <= FLAT and max(ImageStat.Stat(image).stddev) <= FLAT


def _is_same(known: Look, state: os.stat_result, max_pixels: int) -> bool:
    """Tell whether a file is the one that was looked at before, and small enough this time, too."""
    is_unchanged = (known.size_bytes, known.mtime_ns) == (state.st_size, state.st_mtime_ns)
    return is_unchanged and known.width * known.height <= max_pixels


def _collect(looks: tuple[Look, ...]) -> Facts:
    """Return the facts of many files as columns."""
    return Facts(
        hashes=tuple(look.sha256 for look in looks),
        size_bytes=np.array([look.size_bytes for look in looks], np.int64),
        widths=np.array([look.width for look in looks], np.int64),
        heights=np.array([look.height for look in looks], np.int64),
        grey=np.array([look.grey for look in looks], np.bool_),
        small=np.frombuffer(b"".join(look.small for look in looks), np.uint8).reshape(-1, *SMALL_SHAPE),
        looks=looks,
    )


def _conversion(seen: Examined) -> str:
    """Say what was made of the stored pixels, where it is more than decoding."""
    made = []
    if seen.mode == "CMYK":
        made.append("CMYK becomes RGB, without its colour profile")
    if seen.mode.startswith("I"):
        made.append("16-bit grey becomes 8-bit")
    if seen.transparent:
        made.append("transparency is laid on white")
    if seen.animated:
        made.append("of several frames the first is read")
    return "; ".join(made)


def _look_at_arrays(dataset: Dataset, images: NDArray[np.uint8]) -> Work[Facts]:
    """Look at the images of one array (N, H, W) or (N, H, W, 3), some at a time."""
    count, height, width = images.shape[:3]
    small = np.empty((count, *SMALL_SHAPE), np.uint8)
    grey = np.ones(count, np.bool_)
    hashes: list[str] = []
    rows, columns = (_tile_weights(side, tiles) for side, tiles in zip((height, width), SMALL_SHAPE, strict=True))
    chunk = max(1, min(ARRAY_CHUNK, ARRAY_VALUES // images[0].size))
    for start in range(0, count, chunk):
        some = images[start : start + chunk]
        stop = start + len(some)
        values = some.astype(np.float32)
        if some.ndim == 4:
            grey[start:stop] = (some == some[..., :1]).all((1, 2, 3))
            values = values @ LUMA
        small[start:stop] = np.rint(rows @ values @ columns.T).clip(0, 255)
        hashes += map(dataset.content_hash, range(start, stop))
        yield Progress(WORK, stop, count)
    return Facts(
        hashes=tuple(hashes),
        size_bytes=np.full(count, images[0].nbytes, np.int64),
        widths=np.full(count, width, np.int64),
        heights=np.full(count, height, np.int64),
        grey=grey,
        small=small,
        looks=(),
    )


def _tile_weights(side: int, tiles: int) -> NDArray[np.float32]:
    """Return (tiles, side): how much each row of pixels counts in the mean of each tile.

    >>> _tile_weights(4, 2)
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]], dtype=float32)
    """
    edges = np.linspace(0, side, tiles + 1)
    pixels = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: NDArray[np.float32] = (overlap.clip(0) * (tiles / side)).astype(np.float32)
    return weights
