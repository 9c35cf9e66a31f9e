"""pocketvision data check: what it prints, its JSON, its exit codes."""

import json
from pathlib import Path

import pytest
from PIL import Image

from commandline import pocketvision
from photographs import crop, jpeg
from pocketvision.errors import BadOption, UsageError
from refusals import complained


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("cat", "coffee"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / "photos" / name / f"{number}.jpg").write_bytes(jpeg(crop(name, number))[1])
    return tmp_path / "photos"


def test_clean(photos: Path) -> None:
    outcome = pocketvision("data", "check", photos)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines() == [
        "class   images",
        "cat         10",
        "coffee      10",
        "",
        "photos: 20 images of 2 classes; 0 left out, 0 warnings, 0 notes",
    ]


def test_findings(photos: Path) -> None:
    for number in range(7):
        (photos / "cat" / f"bad{number}.jpg").write_bytes(b"")
    (photos / "cat" / f"{'y' * 230}.jpg").write_bytes(jpeg(crop("cat", 20))[1])
    (photos / "dog ").mkdir()
    outcome = pocketvision("data", "check", photos)
    assert (outcome.code, outcome.err) == (1, "")
    assert outcome.out.splitlines() == [
        "class   images",
        "cat         11",
        "coffee      10",
        "",
        "left out: unreadable image (7)",
        *(f"  cat/bad{number}.jpg: is empty (0 bytes)." for number in range(5)),
        "  and 2 more; --json has all",
        "",
        "left out: empty class (1)",
        "  'dog ': its folder holds no image that is read.",
        "",
        "note: very long name (1)",
        f"  cat/{'y' * 46}...{'y' * 46}.jpg: 234 bytes; up to 200 work everywhere.",
        "",
        "photos: 21 images of 2 classes; 8 left out, 0 warnings, 1 note",
    ]


def test_json(photos: Path) -> None:
    outcome = pocketvision("data", "check", photos, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out) == {
        "name": "photos",
        "images": 20,
        "classes": {"cat": {"all": 10}, "coffee": {"all": 10}},
        "severities": {"left out": 0, "warning": 0, "note": 0},
        "findings": [],
    }
    (photos / "cat/x.png").write_bytes(b"words, no pixels")
    outcome = pocketvision("data", "check", photos, "--json")
    assert outcome.code == 1
    assert [finding["key"] for finding in json.loads(outcome.out)["findings"]] == ["cat/x.png"]


def test_the_limit(photos: Path) -> None:
    Image.open(photos / "cat/0.jpg").resize((300, 200)).rotate(180).save(photos / "cat/x.png")
    assert pocketvision("data", "check", photos).code == 0
    outcome = pocketvision("data", "check", photos, "--max-pixels", 59_999)
    assert outcome.code == 1
    assert all(value in outcome.out for value in ("cat/x.png", "300 x 200", "60,000", "59,999"))
    assert pocketvision("data", "check", photos, "--max-pixels", 0).code == 2


def test_the_sheet(photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    outcome = pocketvision("data", "check", photos, "--sheet", path)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, f"no finding is about an image; {path} not written")
    (photos / "cat/x.png").write_bytes(b"words, no pixels")
    outcome = pocketvision("data", "check", photos, "--sheet", path)
    assert (outcome.code, outcome.out.splitlines()[-1]) == (1, f"{path}: 1 thumbnail")
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_a_sheet_that_cannot_be(photos: Path) -> None:
    complained(pocketvision("data", "check", photos, "--sheet", "sheet.gif"), BadOption, "'sheet.gif'", attempt=".png")


def test_nothing_usable_still_lists_what_is_wrong(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.jpg").write_bytes(b"")
    outcome = pocketvision("data", "check", tmp_path / "photos")
    assert outcome.code == 3
    assert "left out: unreadable image (2)" in outcome.out
    assert outcome.err.startswith("BadData: photos: 0 of 2 ") and "cat/1.jpg" in outcome.err


def test_names_that_are_no_text(photos: Path) -> None:
    (photos / "cat" / "caf\udce9.jpg").write_bytes(jpeg(crop("cat", 20))[1])
    for options in ((), ("--json",)):
        outcome = pocketvision("data", "check", photos, *options)
        assert outcome.code == 1
        outcome.out.encode()


@pytest.mark.parametrize(
    ("words", "named", "attempt"),
    [
        ("data", "command", "pocketvision data --help"),
        ("data check", "'path'", "pocketvision data check --help"),
        ("data check a --shet b", "--shet", "--sheet, or pocketvision data check --help"),
    ],
)
def test_usage(words: str, named: str, attempt: str) -> None:
    complained(pocketvision(*words.split()), UsageError, named, attempt=attempt)
