"""Dataset: one face for files and arrays."""

from pathlib import Path

import numpy as np
import pytest

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.errors import BadData
from refusals import refused

PIXELS = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3)


def dataset(samples: list[Sample], classes: tuple[str, ...] = ("cat", "dog")) -> Dataset:
    return Dataset("pets", classes, tuple(samples), PIXELS[: len(samples)])


def test_labels_counts_and_repr() -> None:
    pets = dataset([Sample("a", 1, "train"), Sample("b", 0, "train"), Sample("c", 1, "test")], ("cat", "dog", "eel"))
    assert pets.labels.dtype == np.int64
    assert pets.labels.tolist() == [1, 0, 1]
    assert not pets.labels.flags.writeable
    assert pets.counts() == {"cat": 1, "dog": 2, "eel": 0}
    assert pets.counts("test") == {"cat": 0, "dog": 1, "eel": 0}
    assert len(pets) == 3
    assert repr(pets) == "Dataset('pets': 3 images, 3 classes)"


def test_content_of_files_and_arrays(tmp_path: Path) -> None:
    for name, content in (("a.jpg", b"one"), ("b.jpg", b"one"), ("c.jpg", b"two")):
        (tmp_path / name).write_bytes(content)
    names = ("a.jpg", "b.jpg", "c.jpg")
    files = Dataset("files", ("x", "y"), tuple(Sample(name, 0) for name in names), tuple(tmp_path / n for n in names))
    assert files.image(2) == tmp_path / "c.jpg"
    # printf one | sha256sum
    assert files.content_hash(0) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert files.content_hash(0) == files.content_hash(1) != files.content_hash(2)

    (tmp_path / "a.jpg").unlink()
    assert files.content_hash(0) == files.content_hash(1), "read once, then remembered"


def test_the_shape_of_an_array_counts() -> None:
    flat = Dataset("flat", ("x", "y"), (Sample("a", 0),), np.zeros((1, 2, 6), np.uint8))
    tall = Dataset("tall", ("x", "y"), (Sample("a", 0),), np.zeros((1, 6, 2), np.uint8))
    assert flat.content_hash(0) != tall.content_hash(0)


def test_fingerprint_knows_content_class_name_and_part_only() -> None:
    first = dataset([Sample("a", 0, "train"), Sample("b", 1, "test")])
    backwards = Dataset("zoo", ("dog", "cat"), (Sample("y", 0, "test"), Sample("x", 1, "train")), PIXELS[1::-1])
    assert first.fingerprint() == backwards.fingerprint()
    others = [
        dataset([Sample("a", 1, "train"), Sample("b", 1, "test")]),
        dataset([Sample("a", 0, "test"), Sample("b", 1, "train")]),
        dataset([Sample("a", 0), Sample("b", 1)]),
        dataset([Sample("a", 0, "train"), Sample("b", 1, "test")], ("cat", "Dog")),
    ]
    assert len({first.fingerprint(), *(other.fingerprint() for other in others)}) == 5


@pytest.mark.parametrize(
    ("samples", "classes", "named"),
    [
        ([], ("cat", "dog"), ("no image",)),
        ([Sample("a", 0)], ("cat", "dog", "cat"), ("'cat'",)),
        ([Sample("a", 0), Sample("b", 2)], ("cat", "dog"), ("b:", "label 2", "0 to 1")),
        ([Sample("a", 0, "train"), Sample("b", 1)], ("cat", "dog"), ("1 of 2", "instance b")),
    ],
)
def test_what_contradicts_itself_is_refused(
    samples: list[Sample], classes: tuple[str, ...], named: tuple[str, ...]
) -> None:
    with refused(BadData, "pets", *named, attempt=""):
        dataset(samples, classes)


def test_samples_without_images_are_refused() -> None:
    with refused(BadData, "1 samples", "4 images", attempt=""):
        Dataset("pets", ("cat", "dog"), (Sample("a", 0),), PIXELS)


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    gone = Dataset("gone", ("x", "y"), (Sample("a.jpg", 0),), (tmp_path / "a.jpg",))
    with refused(BadData, tmp_path / "a.jpg", "No such file or directory"):
        gone.content_hash(0)
