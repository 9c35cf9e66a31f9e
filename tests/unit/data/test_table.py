"""Tables of images, as spreadsheets write them."""

import re
from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.table import read_table
from pocketvision.errors import BadData, UnknownData


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


def refused(path: Path, message: str) -> None:
    with pytest.raises(BadData, match=f"^{re.escape(message)}$"):
        read_table(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
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
    message = f"no file '{tmp_path}/x.csv'; a table with the columns path and label is right. Try: another path"
    with pytest.raises(UnknownData, match=f"^{re.escape(message)}$"):
        read_table(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,lable\na.png,x",
            "labels.csv has no column 'label'; its first line must name path and label, and names path, lable. "
            "Try: rename 'lable' to 'label'",
        ),
        (
            "label,group\nx,1",
            "labels.csv has no column 'path'; its first line must name path and label, and names label, group. "
            "Try: add a column 'path'",
        ),
        (
            "",
            "labels.csv has no column 'path'; its first line must name path and label, and names nothing. "
            "Try: add a column 'path'",
        ),
        ("path,label,Label\n", "labels.csv has 2 columns 'label'; one is right. Try: rename the others"),
        (
            "path,label\na.png,x\nb.png",
            "labels.csv, record 2: 1 fields, but the first line names 2 columns; a field each is right. "
            "Try: put quotes around a field that contains the separator",
        ),
        (
            "path,label\na.png,x\n\nb.png, ",
            "labels.csv, record 2: empty label; every image needs a path and a label. Try: fill it, or remove the record",
        ),
        (
            "path,label\n,x",
            "labels.csv, record 1: empty path; every image needs a path and a label. Try: fill it, or remove the record",
        ),
        (
            "path,label\na.png,x\nnone.png,y",
            "labels.csv, record 2: no file 'none.png' in FOLDER; paths are relative to the table's own folder. "
            "Try: correct the path, or remove the record",
        ),
        (
            "path,label\na.png,x\nb.png,y\na.png,y",
            "labels.csv, record 3: 'a.png' was listed before, in record 1; each image has one record. "
            "Try: remove one of the two",
        ),
        (
            "path,label,split\na.png,x,train\nb.png,y,Tset",
            "labels.csv, record 2: unknown split 'Tset'; train, val or test is right. Try: test",
        ),
        (
            "path,label\na.png,x\nb.png,x",
            "labels.csv names only one class, 'x'; telling classes apart needs images of two. Try: another table",
        ),
        (
            "path,label\n",
            "labels.csv names no image; telling classes apart needs images of two. Try: another table",
        ),
        (
            "path,label,split\na.png,x,train\nb.png,y,",
            "labels: 1 of 2 images have no part, for instance b.png; either all have one (train, validation, test) or "
            "none. Try: give the rest a part, or remove all parts and let pocketvision split",
        ),
        (
            f'path,label\na.png,"{"x" * 200_000}',
            "labels.csv, line 2: field larger than field limit (131072); fields separated by ',' are right. "
            "Try: look for a quote that is not closed",
        ),
    ],
)
def test_the_record_is_named(folder: Path, text: str, message: str) -> None:
    refused(table(folder, text), message.replace("FOLDER", str(folder)))


def test_other_encodings(folder: Path) -> None:
    refused(
        table(folder, "path,label\na.png,dög\nb.png,y", "latin1"),
        "labels.csv is not UTF-8: byte 0xf6 at offset 18. Try: iconv -f latin1 -t utf-8 labels.csv > utf8.csv",
    )
