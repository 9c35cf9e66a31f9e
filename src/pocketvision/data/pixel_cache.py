"""Prepared images on disk, for when they do not fit into memory; found again by a digest of what they were made from.

A file is named by the digest of its images' contents, their size and their preprocessing, so that it serves every run on the same
images and no other. The least recently used are deleted where room is needed.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.files import cache_folder
from pocketvision.run.preprocessing import Preprocessing

VERSION = 1
SUFFIX = ".pixels"
LEFT_FREE = 10**9  # bytes of the disk that are not filled
STALE_SECONDS = 3600  # since the last byte of a half-written file, after which nobody is writing it any more


class PixelFile:
    """A file of prepared images.

    Args:
        dataset: where the images come from.
        indices: which of its images.
        shape: (R, R, C) of one.
        preprocessing: how they are made.
    """

    def __init__(
        self,
        dataset: Dataset,
        indices: NDArray[np.int64],
        shape: tuple[int, int, int],
        preprocessing: Preprocessing,
    ) -> None:
        self.shape = (len(indices), *shape)
        made_from = [VERSION, shape, preprocessing.to_json(), [dataset.content_hash(int(i)) for i in indices]]
        name = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
        self.path = cache_folder() / "pixels" / f"{name}{SUFFIX}"

    @property
    def size_bytes(self) -> int:
        """Size of the complete file, in bytes."""
        return int(np.prod(self.shape))

    def read(self) -> NDArray[np.uint8] | None:
        """Return the images (N, R, R, C) uint8, mapped from the disk; None if the file is missing or incomplete."""
        try:
            if self.path.stat().st_size != self.size_bytes:
                return None
            images = np.memmap(self.path, np.uint8, "r", shape=self.shape)
        except OSError:
            return None
        with suppress(OSError):  # on a read-only disk nothing is deleted for its age, either
            os.utime(self.path)
        return images

    def make_room(self, limit_bytes: int) -> bool:
        """Delete the least recently used files until this one fits; return whether the limit and the disk have room for it."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if self.size_bytes > limit_bytes:
            return False
        _delete_leftovers(folder)
        others = sorted(taken for path in folder.glob(f"*{SUFFIX}") if (taken := _used(path)) is not None)
        taken_bytes = sum(size for _, size, _ in others)
        if self.size_bytes + LEFT_FREE > _free(folder) + taken_bytes:
            return False  # not even where all others are deleted
        while others and (taken_bytes + self.size_bytes > limit_bytes or _free(folder) < self.size_bytes + LEFT_FREE):
            _, size, oldest = others.pop(0)
            taken_bytes -= size
            oldest.unlink(missing_ok=True)
        return _free(folder) >= self.size_bytes + LEFT_FREE

    def write(self, parts: Iterable[NDArray[np.uint8]]) -> Iterator[int]:
        """Write the images part by part and yield how many are written. An incomplete file never has the final name.

        Raises:
            OSError: the disk is full, or refuses.
        """
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}-{id(self)}.part")
        try:
            with part.open("wb") as file:
                written = 0
                for images in parts:
                    file.write(images.tobytes())
                    written += len(images)
                    yield written
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        finally:
            part.unlink(missing_ok=True)


def _used(path: Path) -> tuple[float, int, Path] | None:
    """Return the time of a file's last use, its size in bytes and its path; None if another run has just deleted it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime, found.st_size, path


def _delete_leftovers(folder: Path) -> None:
    """Delete incomplete files of killed runs: those that nobody has written to for an hour."""
    for part in folder.glob(f".*{SUFFIX}.*.part"):
        found = _used(part)
        if found is not None and time.time() - found[0] > STALE_SECONDS:
            part.unlink(missing_ok=True)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
