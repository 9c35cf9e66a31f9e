"""The IDX files in which MNIST and its successors come: a small header, then one array.

Two zero bytes, one byte for the dtype, one for the number of dimensions, the dimensions as big-endian 32-bit integers,
then the values, big-endian too.

Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", section "The IDX file format".
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.parts import Part
from pocketvision.errors import BadData, UnknownData

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
PREFIXES: dict[str, Part] = {"train": "train", "t10k": "test"}
KINDS = ("images-idx3-ubyte", "labels-idx1-ubyte")
FILES = tuple(f"{prefix}-{kind}" for prefix in PREFIXES for kind in KINDS)
"""The four files of a set, in MNIST's own spelling, not compressed."""


def is_idx_folder(path: Path) -> bool:
    """Tell whether a folder holds any of the four IDX files of a set."""
    return any(file.is_file() for name in FILES for file in _spellings(path, name))


def read_idx_folder(
    path: str | Path, *, name: str = "", classes: Sequence[str] = (), sha256: Mapping[str, str] | None = None
) -> Dataset:
    """Read a folder with the four files of MNIST: train and t10k, images and labels.

    Args:
        path: the folder; files are named like train-images-idx3-ubyte or train-images.idx3-ubyte, with or without .gz.
        name: the data set's name; the folder's where empty.
        classes: names of the classes; "0", "1" ... up to the largest label where empty.
        sha256: for each name in `FILES`, the SHA-256 that its content must have when not compressed.

    Returns:
        Dataset of the parts train and test, its images one array (N, H, W) or (N, H, W, 3) uint8.

    Raises:
        UnknownData: a file is missing.
        BadData: a file is damaged, has another SHA-256, another dtype or shape, or images and labels differ in number.
    """
    root = Path(path)
    arrays = {file: _read_member(root, file, (sha256 or {}).get(file)) for file in FILES}
    pixels, labels = [], []
    for prefix in PREFIXES:
        images, classes_of = (arrays[f"{prefix}-{kind}"] for kind in KINDS)
        _check_pair(root, prefix, images, classes_of)
        pixels.append(images)
        labels.append(classes_of)
    if pixels[0].shape[1:] != pixels[1].shape[1:]:
        raise BadData(
            f"{root}: train images are {pixels[0].shape[1:]}, t10k images {pixels[1].shape[1:]}; one shape is right."
        )
    names = tuple(classes) or tuple(str(number) for number in range(int(max(map(np.max, labels))) + 1))
    samples = tuple(
        Sample(f"{part}/{number:05}", int(label), part)
        for part, numbers in zip(PREFIXES.values(), labels, strict=True)
        for number, label in enumerate(numbers)
    )
    return Dataset(name or root.resolve().name, names, samples, np.concatenate(pixels))


def _spellings(root: Path, name: str) -> Iterator[Path]:
    """Yield the paths under which one of `FILES` may be stored."""
    for stem in (name, name.replace("-idx", ".idx")):
        yield root / stem
        yield root / f"{stem}.gz"


def _read_member(root: Path, name: str, sha256: str | None) -> NDArray[Any]:
    """Read one of `FILES`, in any of its spellings."""
    path = next((path for path in _spellings(root, name) if path.is_file()), None)
    if path is None:
        raise UnknownData(
            f"no file '{name}' in {root}, compressed or not; a set has {', '.join(FILES)}.", "add the file"
        )
    return _read_file(path, sha256)


def _read_file(path: Path, sha256: str | None = None) -> NDArray[Any]:
    """Return the array of one IDX file, compressed by gzip or not; its first bytes tell, not its name.

    It has the dtype and shape that the header states, in the byte order of this machine.

    Raises:
        BadData: it cannot be read, is not an IDX file, is damaged, is shorter or longer than its header says, or has another
            SHA-256.
    """
    content = _read_bytes(path)
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise BadData(
            f"{path} has the SHA-256 {found} when not compressed; {sha256} is right.",
            f"remove {path.parent} and fetch the data set again",
        )
    return _parse(path, content)


def _read_bytes(path: Path) -> bytes:
    """Return the content of a file, decompressed where it starts like gzip."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadData(f"{path} is damaged: {error}; a whole gzip file is right.", "fetch it again") from error
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}; an IDX file is right.", "another path") from error


def _parse(path: Path, content: bytes) -> NDArray[Any]:
    """Return the array in the content of an IDX file."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise BadData(
            f"{path} is not an IDX file: it starts with {content[:4].hex(' ') or 'nothing'}; "
            f"00 00, then {', '.join(f'{code:02x}' for code in DTYPES)}, then the number of dimensions is right.",
            "another file",
        )
    dtype, dimensions = np.dtype(DTYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise BadData(f"{path} is cut short: {len(content)} bytes; its header alone needs {start}.", "fetch it again")
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    needed = start + dtype.itemsize * int(np.prod(shape, dtype=object))
    if len(content) != needed:
        wrong = "cut short" if len(content) < needed else "too long"
        raise BadData(
            f"{path} is {wrong}: {len(content)} bytes; {needed} are right by its header, {dtype.name} of {shape}.",
            "fetch it again",
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _check_pair(root: Path, prefix: str, images: NDArray[Any], labels: NDArray[Any]) -> None:
    """Raise BadData unless these are uint8 images and as many labels, none below 0."""
    if images.dtype != np.uint8 or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
        raise BadData(
            f"{root}: {prefix} images are {images.dtype} of {images.shape}; uint8 of (N, H, W) or (N, H, W, 3) is right."
        )
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise BadData(f"{root}: {prefix} labels are {labels.dtype} of {labels.shape}; whole numbers of (N,) are right.")
    if len(images) != len(labels) or not len(images):
        raise BadData(
            f"{root}: {len(images)} {prefix} images but {len(labels)} labels; one each is right, and at least one."
        )
    if labels.min() < 0:
        raise BadData(f"{root}: a {prefix} label is {labels.min()}; labels count from 0.")
