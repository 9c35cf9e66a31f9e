"""Tables of images, as spreadsheets write them."""

from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.table import read_table
from pocketvision.errors import BadData, UnknownData
from refusals import refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "sub/c, d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 3)).save(tmp_path / name)
    return tmp_path


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "separator", "newline"), [("utf-8", ",", "\n"), ("utf-8-sig", ";", "\r\n"), ("utf-8-sig", "\t", "\n")]
)
def test_spreadsheets(folder: Path, encoding: str, separator: str, newline: str) -> None:
    rows = [
        ("Label", "extra", " path ", "GROUP", "split"),
        ("dög", "1", "b.png", "", "train"),
        (),
        ("cat", "2", "a.png", "mona", "Valid"),
        ("cat", "3", '"sub/c, d.png"', "mona", "test"),
    ]
    found = read_table(table(folder, newline.join(separator.join(row) for row in rows), encoding))
    assert found.name == "labels"
    assert found.classes == ("cat", "dög")
    assert [(s.key, s.label, s.part, s.group) for s in found.samples] == [
        ("b.png", 1, "train", None),
        ("a.png", 0, "validation", "mona"),
        ("sub/c, d.png", 0, "test", "mona"),
    ]
    assert found.image(2) == folder / "sub/c, d.png"


def test_two_columns_are_enough(folder: Path) -> None:
    samples = read_table(table(folder, "path,label\na.png,x\nb.png,y\n")).samples
    assert [(s.label, s.part, s.group) for s in samples] == [(0, None, None), (1, None, None)]


def test_no_file(tmp_path: Path) -> None:
    with refused(UnknownData, tmp_path / "x.csv"):
        read_table(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("text", "named", "attempt"),
    [
        ("path,lable\na.png,x", ("'label'", "path, lable"), "rename 'lable' to 'label'"),
        ("label,group\nx,1", ("'path'", "label, group"), "add a column 'path'"),
        ("", ("'path'", "nothing"), "add a column 'path'"),
        ("path,label,Label\n", ("2 columns 'label'",), "rename"),
        ("path,label\na.png,x\nb.png", ("record 2", "1 fields", "2 columns"), "quotes"),
        ("path,label\na.png,x\n\nb.png, ", ("record 2", "empty label"), "record"),
        ("path,label\n,x", ("record 1", "empty path"), "record"),
        ("path,label\na.png,x\nnone.png,y", ("record 2", "'none.png'"), "path"),
        ("path,label\na.png,x\nb.png,y\na.png,y", ("record 3", "'a.png'", "record 1"), "remove"),
        ("path,label,split\na.png,x,train\nb.png,y,Tset", ("record 2", "'Tset'"), "test"),
        ("path,label\na.png,x\nb.png,x", ("'x'",), "another table"),
        ("path,label\n", ("no image",), "another table"),
        ("path,label,split\na.png,x,train\nb.png,y,", ("1 of 2", "b.png"), "part"),
        (f'path,label\na.png,"{"x" * 200_000}', ("line 2", "131072", "','"), "quote"),
    ],
)
def test_the_record_is_named(folder: Path, text: str, named: tuple[str, ...], attempt: str) -> None:
    with refused(BadData, "labels", *named, attempt=attempt):
        read_table(table(folder, text))


def test_other_encodings(folder: Path) -> None:
    with refused(BadData, "labels.csv", "0xf6", "offset 18", attempt="iconv -f latin1 -t utf-8 labels.csv"):
        read_table(table(folder, "path,label\na.png,dög\nb.png,y", "latin1"))
