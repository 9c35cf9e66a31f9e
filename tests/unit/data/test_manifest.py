"""The manifest: frozen, read again, and compared in words."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photographs import crop, jpeg
from pocketvision.data import looks
from pocketvision.data.check import check
from pocketvision.data.looks import Look
from pocketvision.data.manifest import NAME, Manifest, Row, differences, make_manifest, read_manifest
from pocketvision.data.split import split
from pocketvision.errors import BadData
from pocketvision.run.examine import examine_image

SMALL = b64encode(bytes(288)).decode()


def row(number: int, key: str = "") -> Row:
    sha256, size_bytes = f"{number:064}", 100 + number
    look = Look(
        sha256, size_bytes, 17**15 + number, 40, 30, False, bytes(288), "JPEG", False, "", flat=False, highest=0
    )
    return Row(key or f"cat/{number}.jpg", sha256, size_bytes, "cat", None, "train", look)


ROWS = tuple(map(row, range(4)))
OLD = Manifest("photos", ROWS)


def finished(work):
    try:
        while True:
            next(work)
    except StopIteration as stop:
        return stop.value


def with_row(number: int, **changes) -> Manifest:
    rows = list(ROWS)
    rows[number] = replace(rows[number], **changes)
    return Manifest("photos", tuple(rows))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve photographs, two of them the same, and one that is broken."""
    root = tmp_path / "photos"
    for name in ("cat", "coffee"):
        (root / name).mkdir(parents=True)
        for number in range(6):
            (root / name / f"{number}.jpg").write_bytes(jpeg(crop(name, number % 5))[1])
    (root / "cat/bad.jpg").write_bytes(b"")
    return root


def test_made_from_a_checked_folder(photos: Path) -> None:
    checked = finished(check(photos))
    parts = split(checked.dataset)
    manifest = make_manifest(checked, parts)
    assert [row.key for row in manifest.rows] == [f"{name}/{n}.jpg" for name in ("cat", "coffee") for n in range(6)]
    for index, row in enumerate(manifest.rows):
        assert row.sha256 == checked.dataset.content_hash(index)
        assert row.size_bytes == (photos / row.key).stat().st_size
        assert row.label == row.key.partition("/")[0]
        assert index in getattr(parts, row.part)
        assert row.look == checked.facts.looks[index]
    assert list(manifest.looks()) == [row.key for row in manifest.rows]
    assert str(photos) not in json.dumps(manifest.to_json())


def test_a_table_of_absolute_paths_leaves_no_trace_of_them(tmp_path: Path) -> None:
    lines = ["path,label,group"]
    for number in range(8):
        file = tmp_path / "some" / "where" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(crop("cat", number))[1])
        lines.append(f"{file},{'ab'[number % 2]},{number // 2}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    checked = finished(check(tmp_path / "table.csv"))
    manifest = make_manifest(checked, split(checked.dataset))
    assert [row.key for row in manifest.rows] == [f"{number}.jpg" for number in range(8)]
    assert [row.group for row in manifest.rows] == [str(number // 2) for number in range(8)]
    assert str(tmp_path) not in json.dumps(manifest.to_json())


def test_round_trip(tmp_path: Path) -> None:
    manifest = with_row(2, key="cat/\N{CAT FACE}.jpg", group="monday", part="test")
    assert manifest.write(tmp_path) == tmp_path / NAME
    assert read_manifest(tmp_path) == manifest
    assert json.loads((tmp_path / NAME).read_text()) == manifest.to_json()
    assert len((tmp_path / NAME).read_text().splitlines()) == len(ROWS) + 7  # one image a line
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded."""
    names: list[str] = []
    monkeypatch.setattr(looks, "examine_image", lambda path, most: names.append(path.name) or examine_image(path, most))
    return names


def test_the_second_check_decodes_nothing_and_finds_the_same(photos: Path, tmp_path: Path, decoded) -> None:
    first = finished(check(photos))
    make_manifest(first, split(first.dataset)).write(tmp_path)
    decoded.clear()
    again = finished(check(photos, known=read_manifest(tmp_path).looks()))
    assert decoded == ["bad.jpg"]  # what failed is looked at each time: it may be readable by now
    assert again.findings == first.findings and len(first.findings) > 2
    assert make_manifest(again, split(again.dataset)) == make_manifest(first, split(first.dataset))


@pytest.mark.slow
def test_five_thousand_images_are_decoded_once(tmp_path: Path, decoded) -> None:
    for number in range(5000):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(number).integers(0, 256, (3, 3, 3), np.uint8)
        path.write_bytes(jpeg(Image.fromarray(cells).resize((24, 24)))[1])
    first = finished(check(tmp_path / "photos"))
    make_manifest(first, split(first.dataset)).write(tmp_path)
    assert len(decoded) == 5000
    again = finished(check(tmp_path / "photos", known=read_manifest(tmp_path).looks()))
    assert len(decoded) == 5000 and again.facts.looks == first.facts.looks


def test_a_changed_image_is_noticed(photos: Path) -> None:
    first = finished(check(photos))
    before = make_manifest(first, split(first.dataset))
    (photos / "cat/3.jpg").write_bytes(jpeg(crop("cat", 33))[1])
    again = finished(check(photos, known=before.looks()))
    after = make_manifest(again, split(again.dataset))
    assert differences(before, after)[0] == "1 image changed in content: 'cat/3.jpg'"


def test_a_manifest_without_images(tmp_path: Path) -> None:
    Manifest("none", ()).write(tmp_path)
    assert read_manifest(tmp_path) == Manifest("none", ())


def test_the_fingerprint_is_of_what_is_learnt() -> None:
    assert re.fullmatch("[0-9a-f]{64}", OLD.fingerprint())
    for same in (with_row(0, key="other.jpg"), Manifest("other", ROWS[::-1]), with_row(0, size_bytes=9)):
        assert same.fingerprint() == OLD.fingerprint()
    for field in ("sha256", "label", "group", "part"):
        assert with_row(0, **{field: "other"}).fingerprint() != OLD.fingerprint()


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (OLD, []),
        (Manifest("photos", ROWS[:2]), ["2 images removed, the first 'cat/2.jpg'"]),
        (Manifest("photos", (*ROWS, replace(ROWS[0], key="x.jpg", sha256="x"))), ["1 image added: 'x.jpg'"]),
        (with_row(1, key="y.jpg"), ["1 image renamed: 'y.jpg'"]),
        (
            with_row(1, key="y.jpg", label="dog"),
            ["1 image added: 'y.jpg'", "1 image removed: 'cat/1.jpg'"],
        ),
        (with_row(1, sha256="x"), ["1 image changed in content: 'cat/1.jpg'"]),
        (with_row(1, label="dog"), ["1 image relabelled: 'cat/1.jpg'"]),
        (with_row(1, group="monday"), ["1 image in another group: 'cat/1.jpg'"]),
        (with_row(1, part="test"), ["1 image in another part: 'cat/1.jpg'"]),
        (Manifest("photos", ROWS[::-1]), ["the images come in another order"]),
    ],
)
def test_differences(new: Manifest, said: list[str]) -> None:
    assert differences(OLD, new) == said


class Counted(str):
    """A text that counts how often it is looked up."""

    lookups = 0

    def __hash__(self) -> int:
        Counted.lookups += 1
        return super().__hash__()

    __eq__ = str.__eq__


@pytest.mark.parametrize("count", [100, 1000])
def test_the_work_for_renamed_images_grows_as_their_number(count: int) -> None:
    old, new = (Manifest("photos", tuple(row(n, Counted(f"{where}/{n}")) for n in range(count))) for where in "ab")
    Counted.lookups = 0
    assert differences(old, new) == [f"{count:,} images renamed, the first 'b/0'"]
    assert Counted.lookups <= 20 * count


def test_copies_are_renamed_one_by_one() -> None:
    old = Manifest("photos", (row(1, "a"), row(1, "b"), row(1, "c"), row(2)))
    new = Manifest("photos", (row(1, "d"), row(1, "e"), row(2)))
    assert differences(old, new) == ["1 image removed: 'c'", "2 images renamed, the first 'd'"]


def test_no_manifest(tmp_path: Path) -> None:
    refused(tmp_path, f"{tmp_path / NAME} cannot be read: No such file or directory; a run folder has one.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-40], "is damaged: JSONDecodeError: "),
        (lambda text: text.replace('"size_bytes"', '"size"'), "is damaged: KeyError: 'size_bytes'."),
        (
            lambda text: text.replace(SMALL, SMALL[4:]),
            "is damaged: ValueError: the small picture of cat/0.jpg has 285 ",
        ),
        (lambda text: text.replace(SMALL, "?"), "is damaged: Error: "),
        (lambda text: text.replace('"form"', '"from"'), "is damaged: KeyError: 'form'."),
        (lambda text: text.replace('"images"', '"pictures"'), "is damaged: KeyError: 'images'."),
        (lambda text: "[]", "is damaged: TypeError: "),
        (lambda text: text.replace('"version": 2', '"version": 1'), "has version 1; this program reads 2."),
        (lambda text: text.replace('"cat"', '"dog"'), "was changed: its images do not give its fingerprint."),
        (lambda text: b"\xff\xfe", "is damaged: UnicodeDecodeError: "),
    ],
)
def test_a_damaged_manifest(change, message: str, tmp_path: Path) -> None:
    path = OLD.write(tmp_path)
    changed = change(path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    refused(tmp_path, f"{path} {message}")


def refused(folder: Path, message: str) -> None:
    with pytest.raises(BadData, match=f"^{re.escape(message)}") as caught:
        read_manifest(folder)
    assert caught.value.attempt == "the same command with --restart, to start over"


def test_arrays_have_sizes_too() -> None:
    from pocketvision.data.check import Checked
    from pocketvision.data.dataset import Dataset, Sample
    from pocketvision.data.looks import look_at

    images = np.random.default_rng(0).integers(0, 256, (8, 4, 5), dtype=np.uint8)
    dataset = Dataset("noise", ("a", "b"), tuple(Sample(f"train/{n}", n % 2) for n in range(8)), images)
    readable, facts, _ = finished(look_at(dataset))
    manifest = make_manifest(Checked(dataset, tuple(readable), facts, (), dataset), split(dataset))
    assert {row.size_bytes for row in manifest.rows} == {20} and manifest.looks() == {}
