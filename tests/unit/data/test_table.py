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
        ("path,label\na.png,x\nb.png", ("row 3", "1 fields", "2 columns"), "quotes"),
        ("path,label\na.png,x\n\nb.png, ", ("row 4", "empty label"), "row"),
        ("path,label\n,x", ("row 2", "empty path"), "row"),
        ("path,label\na.png,x\nnone.png,y", ("row 3", "'none.png'"), "path"),
        ("path,label\na.png,x\nb.png,y\na.png,y", ("row 4", "'a.png'", "row 2"), "remove"),
        ("path,label,split\na.png,x,train\nb.png,y,Tset", ("row 3", "'Tset'"), "test"),
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
    with refused(BadData, "labels.csv", "0xf6", "offset 18", attempt="iconv -f cp1252 -t utf-8 labels.csv"):
        read_table(table(folder, "path,label\na.png,dög\nb.png,y", "latin1"))


ROWS = (("path", "label"), ("a.png", "x"), ("b.png", "y"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("\r\n".join("\t".join(row) for row in ROWS), "utf-16"),
        ("\r\n".join(";".join(row) for row in ROWS), "utf-16-le"),
        ("sep=;\r\n" + "\r\n".join(";".join(row) for row in ROWS), "utf-8"),
        ('"sep=|"\n' + "\n".join("|".join(row) for row in ROWS), "utf-8"),
        ("\n".join(";".join((*row, "", "")) for row in ROWS) + "\n;;;\n", "utf-8"),
        ("filename,class\na.png,x\nb.png,y", "utf-8"),
        ("image_path,Category,label_id\n./a.png,x,0\nsub/../b.png,y,1", "utf-8"),
        ("filename, x, y\na.png,1,0\nb.png,0,1", "utf-8"),
        ("filename;split;x;y\na.png;train;True;False\nb.png;train;False;True", "utf-8"),
    ],
)
def test_exporters(folder: Path, text: str, encoding: str) -> None:
    found = read_table(table(folder, text, encoding))
    assert [(sample.key, found.classes[sample.label]) for sample in found.samples] == [("a.png", "x"), ("b.png", "y")]


def test_windows_paths(folder: Path) -> None:
    found = read_table(table(folder, 'path,label\n"sub\\c, d.png",x\n.\\b.png,y'))
    assert [sample.key for sample in found.samples] == ["sub/c, d.png", "b.png"]


def test_labels_keep_their_case_and_commas(folder: Path) -> None:
    assert read_table(table(folder, 'path,label\na.png,"Cat, black "\nb.png,"say ""hi"""')).classes == (
        "Cat, black",
        'say "hi"',
    )
    assert read_table(table(folder, "path,Cat,dOg\na.png,0,1\nb.png,1,0")).classes == ("Cat", "dOg")


@pytest.mark.parametrize(
    ("text", "named", "attempt"),
    [
        ("filename,x,y\na.png,1,1\nb.png,0,1", ("row 2", "'x', 'y'"), "one class"),
        ("filename,x,y\na.png,1,0\nb.png,0,0", ("row 3", "none"), "one class"),
        ("filename,x,y\na.png,1,0\nb.png,0,maybe", ("'label'", "filename, x, y"), "holds the class to 'label'"),
        ("a.png,x\nb.png,y", ("'path'", "a.png, x"), "path,label"),
        ("path,class,category\na.png,x,y", ("'class' and 'category'",), "'label'"),
        ("path,label\na.png,x\nsub\\none.png,y", ("row 3", "With / for"), "correct"),
        ("path,label\na.png,x\nB.PNG,y", ("row 3", "'B.PNG'"), "'b.png'"),
        ("path,label\na.png,x\nb,y", ("row 3", "'b'"), "'b.png'"),
        ("path,label\na.png,x\n\nnone.png,y", ("row 4",), "correct"),
    ],
)
def test_the_true_reason(folder: Path, text: str, named: tuple[str, ...], attempt: str) -> None:
    with refused(BadData, "labels.csv", *named, attempt=attempt):
        read_table(table(folder, text))


def test_a_table_one_folder_too_deep(folder: Path) -> None:
    path = folder / "sub" / "labels.csv"
    path.write_text("path,label\na.png,x\nb.png,y")
    with refused(BadData, "row 2", attempt="one folder up"):
        read_table(path)
