"""The contact sheet: one picture with every image that was found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photographs import crop, jpeg
from pocketvision.data import sheet
from pocketvision.data.check import Checked
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.findings import Finding
from pocketvision.data.looks import look_at
from pocketvision.data.sheet import GAP, LINE_HEIGHT, MOST, SIDE, check_sheet_path, write_sheet
from pocketvision.errors import BadOption
from refusals import refused

BOX = (200, 200, 200)


def checked(tmp_path: Path, *findings: Finding) -> Checked:
    paths = tuple(tmp_path / name for name in ("0.jpg", "1.jpg", "broken.jpg"))
    for number, path in enumerate(paths):
        path.write_bytes(b"" if "broken" in path.name else jpeg(crop("cat", number))[1])
    dataset = Dataset("cats", ("x", "y"), tuple(Sample(path.name, n % 2) for n, path in enumerate(paths)), paths)
    work = look_at(dataset)
    try:
        while True:
            next(work)
    except StopIteration as stop:
        readable, facts, _ = stop.value
    return Checked(dataset, tuple(readable), facts, findings, None)


def test_thumbnails_words_and_boxes(tmp_path: Path) -> None:
    found = checked(
        tmp_path,
        Finding("unreadable image", "broken.jpg", "is empty (0 bytes)."),
        Finding("empty class", "z", "about no image"),
        Finding("duplicate", "0.jpg", "has the same bytes as 1.jpg.", ("1.jpg",)),
    )
    path = tmp_path / "sheet.png"
    assert write_sheet(found, path) == 3
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    top = 2 * GAP + LINE_HEIGHT
    squares = [pixels[top : top + SIDE, left : left + SIDE] for left in (GAP + n * (SIDE + GAP) for n in range(3))]
    grey = [(square == BOX).all(2).mean() for square in squares]
    assert 0.9 < grey[0] < 1  # a box with a few letters
    assert grey[1] < 0.4 and grey[2] < 0.4
    words = pixels[top + SIDE : top + SIDE + 2 * LINE_HEIGHT, GAP : GAP + SIDE]
    assert (words < 100).any()


def test_the_words_of_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(sheet, "_write", lambda draw, place, text, colour: written.append(text))
    found = checked(tmp_path, Finding("unreadable image", "broken.jpg", "is not an image of a known format at all."))
    write_sheet(found, tmp_path / "sheet.png")
    assert written == [
        "cats: images with findings, at most 32 of a kind",
        "is not an image of a",
        "known format at all.",
        "unreadable image",
        "broken.jpg",
    ]


def test_any_name_can_be_drawn() -> None:
    assert sheet._shortened("\N{CAT FACE}.jpg") == r"\U0001f431.jpg"
    assert len(sheet._shortened("x" * 250)) == 28


def test_no_kind_fills_the_sheet(tmp_path: Path) -> None:
    many = [Finding("wrong extension", "0.jpg", "x")] * 50 + [Finding("turned by EXIF", "1.jpg", "x")] * 3
    assert write_sheet(checked(tmp_path, *many), tmp_path / "sheet.png") == MOST + 3


def test_nothing_to_draw_nothing_written(tmp_path: Path) -> None:
    assert write_sheet(checked(tmp_path, Finding("empty class", "z", "x")), tmp_path / "sheet.png") == 0
    assert not (tmp_path / "sheet.png").exists()


def test_an_image_above_the_usual_limit_is_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(tmp_path, Finding("wrong extension", "broken.jpg", "x"))
    write_sheet(found, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.convert("RGB").getpixel((GAP + SIDE - 1, 2 * GAP + LINE_HEIGHT + SIDE - 1)) == BOX


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet", "folder.png"])
def test_only_a_png_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    path = tmp_path / name
    with refused(BadOption, path, attempt="--sheet findings.png"):
        check_sheet_path(path)


def test_only_into_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "sheet.png"
    with refused(BadOption, path, attempt="--sheet"):
        check_sheet_path(path)
    check_sheet_path(tmp_path / "sheet.PNG")
