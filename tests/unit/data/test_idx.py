"""IDX files, written here by hand from their description."""

import gzip
import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketvision.data.idx import FILES, _read_file, is_idx_folder, read_idx_folder
from pocketvision.errors import BadData, UnknownData
from refusals import refused

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx(array: NDArray[Any]) -> bytes:
    kind = array.dtype.str[1:]
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(f">{kind}").tobytes()


def arrays() -> dict[str, NDArray[Any]]:
    pixels = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    labels = np.array([2, 0, 1, 2, 1], np.uint8)
    return dict(zip(FILES, (pixels[:3], labels[:3], pixels[3:], labels[3:]), strict=True))


def write(folder: Path, files: dict[str, NDArray[Any]], form: str = "{}") -> Path:
    for name, array in files.items():
        spelt = form.format(name.replace("-idx", ".idx") if form.startswith(".") else name).lstrip(".")
        (folder / spelt).write_bytes(gzip.compress(idx(array)) if spelt.endswith(".gz") else idx(array))
    return folder


@pytest.mark.parametrize("kind", CODES)
def test_every_dtype(tmp_path: Path, kind: str) -> None:
    array = np.array([[0, 1, 100], [7, 8, 9]]).astype(kind)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(array)))
    for name in ("plain", "packed"):
        found = _read_file(tmp_path / name)
        assert found.dtype == array.dtype
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", ("nothing",)),
        (b"\x89PNG123", ("89 50 4e 47",)),
        (b"\0\0\x07\x01", ("00 00 07 01", "08, 09, 0b, 0c, 0d, 0e")),
        (b"\0\0\x08\x03\0\0\0\1", ("8 bytes", "16")),
        (idx(np.zeros((2, 3), np.int16))[:-1], ("23 bytes", "24", "int16 of (2, 3)")),
        (idx(np.zeros((2, 3), np.uint8)) + b"\0", ("too long", "19 bytes", "18", "uint8 of (2, 3)")),
        (gzip.compress(idx(np.zeros((20, 30), np.uint8)), mtime=0)[:-9], ("damaged", "end-of-stream")),
        (b"\0\0\x08\x02" + b"\xff" * 8, ("12 bytes", "18446744065119617037")),
    ],
)
def test_damage(tmp_path: Path, content: bytes, named: tuple[str, ...]) -> None:
    (tmp_path / "file").write_bytes(content)
    with refused(BadData, tmp_path / "file", *named):
        _read_file(tmp_path / "file")


def test_a_missing_file(tmp_path: Path) -> None:
    with refused(BadData, tmp_path / "x", "No such file or directory"):
        _read_file(tmp_path / "x")


@pytest.mark.parametrize("form", ["{}", "{}.gz", ".{}", ".{}.gz"])
def test_folder(tmp_path: Path, form: str) -> None:
    assert not is_idx_folder(tmp_path)
    digits = read_idx_folder(write(tmp_path, arrays(), form))
    assert is_idx_folder(tmp_path)
    assert (digits.name, digits.classes) == (tmp_path.name, ("0", "1", "2"))
    assert [sample.key for sample in digits.samples] == [f"train/{i:05}" for i in range(3)] + [
        "test/00000",
        "test/00001",
    ]
    assert [sample.part for sample in digits.samples] == ["train"] * 3 + ["test"] * 2
    assert digits.labels.tolist() == [2, 0, 1, 2, 1]
    np.testing.assert_array_equal(digits.image(3), arrays()["t10k-images-idx3-ubyte"][0])


def test_names_may_be_given(tmp_path: Path) -> None:
    digits = read_idx_folder(write(tmp_path, arrays()), name="three", classes=("a", "b", "c"))
    assert (digits.name, digits.classes) == ("three", ("a", "b", "c"))
    with refused(BadData, "train/00000", "label 2", "0 to 1", attempt=""):
        read_idx_folder(tmp_path, classes=("a", "b"))


def test_digests_are_of_the_uncompressed_content(tmp_path: Path) -> None:
    write(tmp_path, arrays(), "{}.gz")
    right = {name: hashlib.sha256(idx(array)).hexdigest() for name, array in arrays().items()}
    assert len(read_idx_folder(tmp_path, sha256=right)) == 5
    wrong = right | {FILES[1]: "0" * 64}
    with refused(BadData, f"{tmp_path}/{FILES[1]}.gz", right[FILES[1]], "0" * 64, attempt=str(tmp_path)):
        read_idx_folder(tmp_path, sha256=wrong)


def test_a_missing_member(tmp_path: Path) -> None:
    files = arrays()
    del files["t10k-labels-idx1-ubyte"]
    with refused(UnknownData, tmp_path, *FILES):
        read_idx_folder(write(tmp_path, files))


@pytest.mark.parametrize(
    ("name", "array", "named"),
    [
        ("train-images-idx3-ubyte", np.zeros((3, 4, 3), np.float32), "train images are float32 of (3, 4, 3)"),
        ("t10k-images-idx3-ubyte", np.zeros((2, 12), np.uint8), "t10k images are uint8 of (2, 12)"),
        ("train-labels-idx1-ubyte", np.zeros(3, np.float64), "train labels are float64 of (3,)"),
        ("train-labels-idx1-ubyte", np.zeros(4, np.int32), "3 train images but 4 labels"),
        ("train-labels-idx1-ubyte", np.array([0, -1, 1], np.int32), "train label is -1"),
        ("t10k-images-idx3-ubyte", np.zeros((2, 3, 4), np.uint8), "train images are (4, 3), t10k images (3, 4)"),
    ],
)
def test_members_that_do_not_fit(tmp_path: Path, name: str, array: NDArray[Any], named: str) -> None:
    with refused(BadData, tmp_path, named, attempt=""):
        read_idx_folder(write(tmp_path, arrays() | {name: array}))


def test_labels_of_other_dtypes(tmp_path: Path) -> None:
    files = arrays()
    for name in FILES[1::2]:
        files[name] = files[name].astype(np.int32)
    assert read_idx_folder(write(tmp_path, files)).labels.tolist() == [2, 0, 1, 2, 1]
