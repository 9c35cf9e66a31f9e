"""The manifest: frozen, read again, and compared in words."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photographs import crop, jpeg
from pocketvision.data.check import check
from pocketvision.data.manifest import NAME, Manifest, Row, differences, make_manifest, read_manifest
from pocketvision.data.split import split
from pocketvision.errors import BadData

ROWS = tuple(Row(f"cat/{number}.jpg", f"{number:064}", 100 + number, "cat", None, "train") for number in range(4))
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


def test_made_from_a_checked_folder(tmp_path: Path) -> None:
    for name in ("cat", "coffee"):
        (tmp_path / name).mkdir()
        for number in range(6):
            (tmp_path / name / f"{number}.jpg").write_bytes(jpeg(crop(name, number))[1])
    (tmp_path / "cat/bad.jpg").write_bytes(b"")
    checked = finished(check(tmp_path))
    parts = split(checked.dataset)
    manifest = make_manifest(checked, parts)
    assert [row.key for row in manifest.rows] == [f"{name}/{n}.jpg" for name in ("cat", "coffee") for n in range(6)]
    for index, row in enumerate(manifest.rows):
        assert row.sha256 == checked.dataset.content_hash(index)
        assert row.size_bytes == (tmp_path / row.key).stat().st_size
        assert row.label == row.key.partition("/")[0]
        assert index in getattr(parts, row.part)
    assert str(tmp_path) not in json.dumps(manifest.to_json())


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


def test_no_manifest(tmp_path: Path) -> None:
    refused(tmp_path, f"{tmp_path / NAME} cannot be read: No such file or directory; a run folder has one.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-40], "is damaged: JSONDecodeError: "),
        (lambda text: text.replace('"size_bytes"', '"size"'), "is damaged: TypeError: "),
        (lambda text: text.replace('"images"', '"pictures"'), "is damaged: KeyError: 'images'."),
        (lambda text: "[]", "is damaged: TypeError: "),
        (lambda text: text.replace('"version": 1', '"version": 2'), "has version 2; this program reads 1."),
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
    assert {row.size_bytes for row in manifest.rows} == {20}
