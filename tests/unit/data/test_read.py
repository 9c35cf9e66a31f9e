"""One argument, whatever it is."""

from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.read import read_dataset
from pocketvision.errors import BadData, UnknownData
from refusals import refused


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cat/1.png", "dog/1.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        Image.new("L", (4, 3)).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_a_folder_of_classes(photos: Path) -> None:
    assert read_dataset(str(photos)).classes == ("cat", "dog")


@pytest.mark.parametrize(("name", "separator"), [("x.csv", ","), ("x.TSV", "\t")])
def test_a_table(photos: Path, name: str, separator: str) -> None:
    rows = (("path", "label"), ("cat/1.png", "tabby"), ("dog/1.png", "poodle"))
    (photos / name).write_text("\n".join(map(separator.join, rows)))
    assert read_dataset(photos / name).classes == ("poodle", "tabby")


def test_a_folder_of_idx_files(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"junk")
    with refused(BadData, tmp_path / "train-images-idx3-ubyte", b"junk".hex(" ")):
        read_dataset(tmp_path)


def test_a_path_wins_over_a_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.rename(photos.with_name("fashion-mnist"))
    monkeypatch.chdir(photos.parent)
    assert read_dataset("fashion-mnist").classes == ("cat", "dog")


def test_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pocketvision.data.read.read_named", lambda name: f"read {name}")
    assert read_dataset("fashion-mnist") == "read fashion-mnist"  # type: ignore[comparison-overlap]


def test_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(UnknownData, "'fashion_mnist'", attempt="fashion-mnist"):
        read_dataset("fashion_mnist")


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    path.touch()
    with refused(BadData, path, attempt="unpack"):
        read_dataset(path)
