"""What every reader returns: labelled images, named, counted and fingerprinted, wherever they are kept."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.parts import Part
from pocketvision.errors import BadData


class Images(Protocol):
    """Where the images are: a tuple of paths, or one array (N, H, W) or (N, H, W, 3) uint8."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int, /) -> Path | NDArray[np.uint8]:
        """Return one image as `pocketvision.run.images` reads it: a path or an array."""


@dataclass(frozen=True)
class Sample:
    """One labelled image, without its pixels.

    Args:
        key: names the image inside its data set: the path relative to the root, or "train/00012" in an array.
        label: index into `Dataset.classes`.
        part: the part that the data set itself assigns; None where it leaves that to `split`.
        group: images of one group (one person, one scene, one day) are never parted by `split`.
    """

    key: str
    label: int
    part: Part | None = None
    group: str | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images, in the order in which they were read.

    Args:
        name: what to call it in reports; the folder's, file's or set's own name.
        classes: class names; `Sample.label` is an index into them.
        samples: one for each image.
        images: the images themselves, in the order of `samples`.

    Raises:
        BadData: there is nothing in it, samples and images differ in number, a class name occurs twice, a label has
            no class, or some samples have a part and others none.

    >>> pixels = np.zeros((2, 28, 28), np.uint8)
    >>> digits = Dataset("digits", ("0", "1"), (Sample("train/00000", 0), Sample("train/00001", 1)), pixels)
    >>> digits
    Dataset('digits': 2 images, 2 classes)
    >>> digits.image(0).shape
    (28, 28)
    """

    name: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    images: Images
    _hashes: dict[int, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.samples:
            raise BadData(f"{self.name} holds no image; a data set needs some of at least two classes.")
        if len(self.samples) != len(self.images):
            raise BadData(
                f"{self.name} has {len(self.samples)} samples but {len(self.images)} images; one each is right."
            )
        if twice := [name for name, count in Counter(self.classes).items() if count > 1]:
            raise BadData(f"{self.name} names the class '{twice[0]}' more than once; each class needs its own name.")
        for sample in self.samples:
            if not 0 <= sample.label < len(self.classes):
                raise BadData(
                    f"{self.name}, {sample.key}: label {sample.label} has no class; "
                    f"{len(self.classes)} classes take labels 0 to {len(self.classes) - 1}."
                )
        without = [sample.key for sample in self.samples if sample.part is None]
        if without and len(without) != len(self):
            raise BadData(
                f"{self.name}: {len(without)} of {len(self)} images have no part, for instance {without[0]}; "
                "either all have one (train, validation, test) or none.",
                "give the rest a part, or remove all parts and let pocketvision split",
            )

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {len(self)} images, {len(self.classes)} classes)"

    def image(self, index: int) -> Path | NDArray[np.uint8]:
        """Return what `pocketvision.run.images` reads: a path, or an array (H, W) or (H, W, 3) uint8."""
        return self.images[index]

    def content_hash(self, index: int) -> str:
        """Return the SHA-256 of an image's content, in hex; read once, then remembered.

        A file counts by its bytes, an array by its shape and bytes. Equal hashes are exact duplicates.

        Raises:
            BadData: the file cannot be read.
        """
        if index not in self._hashes:
            self._hashes[index] = _sha256(self.images[index])
        return self._hashes[index]

    def know_hashes(self, hashes: Mapping[int, str]) -> None:
        """Store content hashes that are known already, {index: SHA-256 in hex}, so that these images are not read for them."""
        self._hashes.update(hashes)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The label of each image: (N,) int64, read-only."""
        labels = np.array([sample.label for sample in self.samples], np.int64)
        labels.flags.writeable = False
        return labels

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The key of each image as it may be written down: never an absolute path.

        Absolute ones (a table may hold them) are without the folder that all of these lie in.

        >>> samples = (Sample("a/1.jpg", 0), Sample("/home/ann/b/1.jpg", 0), Sample("/home/ann/b/c/2.jpg", 1))
        >>> Dataset("pets", ("cat", "dog"), samples, np.zeros((3, 8, 8), np.uint8)).keys
        ('a/1.jpg', '1.jpg', 'c/2.jpg')
        """
        keys = tuple(sample.key for sample in self.samples)
        folders = [str(PurePath(key).parent) for key in keys if PurePath(key).is_absolute()]
        if not folders:
            return keys
        home = os.path.commonpath(folders)
        return tuple(PurePath(key).relative_to(home).as_posix() if PurePath(key).is_absolute() else key for key in keys)

    def counts(self, part: Part | None = None) -> dict[str, int]:
        """Count the images of each class, in the order of `classes`.

        Args:
            part: count only the images that the data set itself assigns to this part; None counts all.
        """
        counted = Counter(sample.label for sample in self.samples if part in (None, sample.part))
        return {name: counted[label] for label, name in enumerate(self.classes)}

    def fingerprint(self) -> str:
        """Return one SHA-256, in hex, for the images with their class names and parts.

        It does not change with file names, the reading order or the order of the classes.
        """
        rows = sorted(
            (self.content_hash(index), self.classes[sample.label], sample.part or "")
            for index, sample in enumerate(self.samples)
        )
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _sha256(image: Path | NDArray[np.uint8]) -> str:
    """Return the SHA-256 of a file's bytes, or of an array's shape and bytes."""
    if isinstance(image, np.ndarray):
        return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
    try:
        with image.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadData(
            f"{image} cannot be read: {error.strerror}; every image of a data set must be a readable file.",
            "restore the file, or read the data set again without it",
        ) from error
