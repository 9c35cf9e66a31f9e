"""One argument, whatever it is."""

import re
from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.read import read_dataset
from pocketvision.errors import BadData, UnknownData


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
    with pytest.raises(BadData, match="train-images-idx3-ubyte is not an IDX file"):
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
    message = (
        "no file or folder 'fashion_mnist', and no data set of that name. Known: fashion-mnist. Try: fashion-mnist"
    )
    with pytest.raises(UnknownData, match=f"^{re.escape(message)}$"):
        read_dataset("fashion_mnist")


def test_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    path.touch()
    message = (
        f"'{path}' is neither a folder nor a table; a folder of class folders, a folder of IDX files, or a .csv with the "
        "columns path and label is right. Try: unpack it where it is an archive, and give the folder"
    )
    with pytest.raises(BadData, match=f"^{re.escape(message)}$"):
        read_dataset(path)
