"""One look at each image of a data set: one decode says whether it can be read, its size, its colours and its likeness."""

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketvision.data.dataset import Dataset
from pocketvision.errors import BadData, BadImage
from pocketvision.events import Progress
from pocketvision.run.examine import Examined, examine_image
from pocketvision.run.images import MAX_PIXELS

WORK = "checking images"
SMALL_SHAPE = (16, 18)  # rows and columns of the small pictures: twice those of the difference hash
CHUNK = 16  # files for one task of a thread
ARRAY_CHUNK = 4096  # images of an array between two progress events
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R 601, as Pillow's "L"


@dataclass(frozen=True, eq=False)
class Facts:
    """What was seen, one entry for each readable image of a data set, in its order.

    Args:
        hashes: SHA-256 of the content, as `Dataset.content_hash` gives it.
        size_bytes: (N,) int64, of the file or array.
        widths: (N,) int64, of the upright image, in pixels.
        heights: (N,) int64.
        grey: (N,) bool, the image shows no colour.
        small: (N, 16, 18) uint8, the upright image in grey, each value the mean of a tile: what likeness is judged by.
        forms: formats by content, such as "JPEG"; empty for arrays.
        turned: (N,) bool, its EXIF says that it is not stored upright.
        conversions: what was made of the stored pixels, in words; mostly empty.
    """

    hashes: tuple[str, ...]
    size_bytes: NDArray[np.int64]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    grey: NDArray[np.bool_]
    small: NDArray[np.uint8]
    forms: tuple[str, ...]
    turned: NDArray[np.bool_]
    conversions: tuple[str, ...]

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


@dataclass(frozen=True, eq=False)
class _Look:
    """The facts of one image."""

    sha256: str
    size_bytes: int
    seen: Examined
    small: NDArray[np.uint8]


def look_at(
    dataset: Dataset, max_pixels: int = MAX_PIXELS
) -> Generator[Progress, None, tuple[list[int], Facts, list[Failure]]]:
    """Look at all images, files in threads, and keep of each only figures and a picture of 16 x 18.

    Yields:
        How far it got.

    Returns:
        The indices of the images that can be read, their facts in the same order, and the others with the reason.
    """
    if isinstance(dataset.images, np.ndarray):
        facts = yield from _look_at_arrays(dataset, dataset.images)
        return list(range(len(dataset))), facts, []
    found: list[_Look | Failure] = []
    threads = ThreadPoolExecutor(os.cpu_count())
    try:
        starts = range(0, len(dataset), CHUNK)
        for some in threads.map(lambda start: _look_at_files(dataset, start, max_pixels), starts):
            found += some
            yield Progress(WORK, len(found), len(dataset))
    finally:
        threads.shutdown(cancel_futures=True)  # who stops early waits only for what has begun
    readable = [index for index, look in enumerate(found) if isinstance(look, _Look)]
    facts = _collect([look for look in found if isinstance(look, _Look)])
    return readable, facts, [look for look in found if isinstance(look, Failure)]


def _look_at_files(dataset: Dataset, start: int, max_pixels: int) -> list[_Look | Failure]:
    """Look at the files of one chunk."""
    return [_look(dataset, index, max_pixels) for index in range(start, min(start + CHUNK, len(dataset)))]


def _look(dataset: Dataset, index: int, max_pixels: int) -> _Look | Failure:
    """Read one file for its hash, and once more, from the system's cache, to decode it."""
    path = Path(str(dataset.image(index)))
    try:
        sha256 = dataset.content_hash(index)
        size_bytes = path.stat().st_size
        seen = examine_image(path, max_pixels)
    except (BadData, BadImage, OSError) as error:
        problem = error.problem if isinstance(error, BadData | BadImage) else str(error.strerror)
        reason = problem.removeprefix(str(path)).removeprefix(":").strip()
        return Failure(index, reason, is_too_large=f"at most {max_pixels:,} are decoded" in problem)
    tiles = seen.image.resize(SMALL_SHAPE[::-1], Image.Resampling.BOX).convert("L")
    return _Look(sha256, size_bytes, seen, np.asarray(tiles))


def _collect(looks: list[_Look]) -> Facts:
    """Return the facts of many files as columns."""
    return Facts(
        hashes=tuple(look.sha256 for look in looks),
        size_bytes=np.array([look.size_bytes for look in looks], np.int64),
        widths=np.array([look.seen.width for look in looks], np.int64),
        heights=np.array([look.seen.height for look in looks], np.int64),
        grey=np.array([look.seen.grey for look in looks], np.bool_),
        small=np.array([look.small for look in looks], np.uint8).reshape(-1, *SMALL_SHAPE),
        forms=tuple(look.seen.form for look in looks),
        turned=np.array([look.seen.turned for look in looks], np.bool_),
        conversions=tuple(_conversions(look.seen) for look in looks),
    )


def _conversions(seen: Examined) -> str:
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


def _look_at_arrays(dataset: Dataset, images: NDArray[np.uint8]) -> Generator[Progress, None, Facts]:
    """Look at the images of one array (N, H, W) or (N, H, W, 3), thousands at a time."""
    count, height, width = images.shape[:3]
    small = np.empty((count, *SMALL_SHAPE), np.uint8)
    grey = np.ones(count, np.bool_)
    hashes: list[str] = []
    rows, columns = (_tile_weights(side, tiles) for side, tiles in zip((height, width), SMALL_SHAPE, strict=True))
    for start in range(0, count, ARRAY_CHUNK):
        some = images[start : start + ARRAY_CHUNK]
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
        forms=("",) * count,
        turned=np.zeros(count, np.bool_),
        conversions=("",) * count,
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
