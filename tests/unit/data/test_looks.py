"""One look at each image: the figures, from files and arrays alike."""

import os
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photographs import crop
from pocketvision.data import looks
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.looks import Facts, Failure, look_at
from pocketvision.events import Progress
from pocketvision.run.examine import examine_image


def seen(dataset: Dataset) -> tuple[list[int], Facts, list[Failure], list[Progress]]:
    events: list[Progress] = []
    return (*finished(look_at(dataset), events), events)


def finished(work, events=None) -> tuple[list[int], Facts, list[Failure]]:
    try:
        while True:
            event = next(work)
            if events is not None:
                events.append(event)
    except StopIteration as stop:
        return stop.value


def dataset_of(images) -> Dataset:
    samples = tuple(Sample(str(number), number % 2) for number in range(len(images)))
    return Dataset("some", ("a", "b"), samples, images)


def test_files(tmp_path: Path) -> None:
    paths = tuple(tmp_path / name for name in ("a.png", "b.jpg", "c.png", "d.png"))
    Image.new("RGB", (30, 20), "red").save(paths[0])
    crop("cat", 0).convert("L").save(paths[1])
    paths[2].write_bytes(b"")
    Image.new("RGBA", (5, 6)).save(paths[3])
    readable, facts, failures, events = seen(dataset_of(paths))
    assert readable == [0, 1, 3]
    assert failures == [Failure(2, "is empty (0 bytes).")]
    assert facts.widths.tolist()[::2] == [30, 5]
    assert facts.heights.tolist()[::2] == [20, 6]
    assert facts.grey.tolist() == [False, True, True]
    assert [look.form for look in facts.looks] == ["PNG", "JPEG", "PNG"]
    assert [look.conversion for look in facts.looks] == ["", "", "transparency is laid on white"]
    assert [look.mtime_ns for look in facts.looks] == [paths[index].stat().st_mtime_ns for index in readable]
    assert facts.size_bytes.tolist() == [paths[index].stat().st_size for index in readable]
    assert (facts.small[0] == 76).all()  # 0.299 x 255
    assert events == [Progress("checking images", 4, 4)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded."""
    names: list[str] = []
    monkeypatch.setattr(looks, "examine_image", lambda path, most: names.append(path.name) or examine_image(path, most))
    return names


def written(folder: Path, count: int) -> tuple[Path, ...]:
    """Write so many different pictures."""
    paths = tuple(folder / f"{number:02}.png" for number in range(count))
    for number, path in enumerate(paths):
        Image.new("RGB", (20, 30), (number, 0, 0)).save(path)
    return paths


def test_every_file_is_decoded_once(tmp_path: Path, decoded) -> None:
    paths = written(tmp_path, 40)
    *_, events = seen(dataset_of(paths))
    assert sorted(decoded) == [path.name for path in paths]
    assert [event.done for event in events] == [16, 32, 40]


@pytest.mark.parametrize("cores", [1, 3])
def test_each_core_holds_one_decoded_image(cores: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(looks, "count_cores", lambda: cores)
    monkeypatch.setattr(looks, "CHUNK", 4)
    made: list[weakref.ref[Image.Image]] = []
    alive: list[int] = []

    def examine(path: Path, max_pixels: int):
        found = examine_image(path, max_pixels)
        made.append(weakref.ref(found.image))
        alive.append(sum(image() is not None for image in made))
        return found

    monkeypatch.setattr(looks, "examine_image", examine)
    readable, *_ = seen(dataset_of(written(tmp_path, 60)))
    assert len(readable) == 60 and max(alive) <= cores
    assert all(image() is None for image in made)


def test_a_slow_reader_of_the_events_is_not_far_behind(tmp_path: Path, monkeypatch, decoded) -> None:
    monkeypatch.setattr(looks, "count_cores", lambda: 2)
    work = look_at(dataset_of(written(tmp_path, 16 * 12)))
    next(work)
    time.sleep(0.3)  # while the threads could do all
    work.close()
    assert len(decoded) <= 16 * 5  # two that wait for each of two threads, and the one that was yielded


def test_a_known_file_is_neither_read_nor_decoded(tmp_path: Path, monkeypatch, decoded) -> None:
    paths = written(tmp_path, 20)
    (tmp_path / "07.png").write_bytes(b"")
    readable, facts, *_ = seen(dataset_of(paths))
    known = {str(index): look for index, look in zip(readable, facts.looks, strict=True)}
    decoded.clear()
    dataset = dataset_of(paths)
    monkeypatch.setattr("pocketvision.data.dataset._sha256", lambda image: pytest.fail(f"{image} is read"))
    (tmp_path / "07.png").unlink()  # one that failed is looked at again
    again = finished(look_at(dataset, known=known))
    assert decoded == []
    assert again[0] == readable and again[1].looks == facts.looks and [each.index for each in again[2]] == [7]
    assert [dataset.content_hash(index) for index in readable] == list(facts.hashes)
    for name in ("size_bytes", "widths", "heights", "grey", "small"):
        assert np.array_equal(getattr(again[1], name), getattr(facts, name))


def test_only_changed_and_new_files_are_looked_at_again(tmp_path: Path, decoded) -> None:
    paths = written(tmp_path, 8)
    _, facts, *_ = seen(dataset_of(paths[:6]))
    known = {str(index): look for index, look in enumerate(facts.looks)}
    decoded.clear()
    os.utime(paths[1], ns=(0, facts.looks[1].mtime_ns + 1))  # the same bytes, written anew
    Image.new("RGB", (30, 20)).save(paths[2])
    paths[3].write_bytes(paths[3].read_bytes() + b"more")  # another size, at the old time
    os.utime(paths[3], ns=(0, facts.looks[3].mtime_ns))
    _, again, failures = finished(look_at(dataset_of(paths), known=known))
    assert sorted(decoded) == ["01.png", "02.png", "03.png", "06.png", "07.png"] and failures == []
    assert [a == b for a, b in zip(again.looks, facts.looks, strict=False)] == [True, False, False, False, True, True]
    assert again.hashes[1] == facts.hashes[1]
    assert again.widths.tolist() == [20, 20, 30, 20, 20, 20, 20, 20]


def test_a_known_file_may_be_too_large_this_time(tmp_path: Path) -> None:
    paths = written(tmp_path, 2)
    _, facts, *_ = seen(dataset_of(paths))
    known = {str(index): look for index, look in enumerate(facts.looks)}
    readable, _, failures = finished(look_at(dataset_of(paths), 599, known))
    assert readable == [] and [failure.is_too_large for failure in failures] == [True, True]


def test_arrays_and_files_agree(tmp_path: Path) -> None:
    images = np.stack([np.asarray(crop("cat", number).resize((54, 48))) for number in range(8)])
    paths = tuple(tmp_path / f"{number}.png" for number in range(8))
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    _, of_files, _, _ = seen(dataset_of(paths))
    readable, of_arrays, failures, events = seen(dataset_of(images))
    assert (readable, failures, events) == (list(range(8)), [], [Progress("checking images", 8, 8)])
    assert np.abs(of_files.small.astype(int) - of_arrays.small).max() <= 1
    for name in ("widths", "heights", "grey"):
        assert getattr(of_files, name).tolist() == getattr(of_arrays, name).tolist()
    assert of_arrays.size_bytes.tolist() == [54 * 48 * 3] * 8
    assert of_arrays.looks == () and len(of_files.looks) == 8


def test_arrays_of_any_size() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 7, 5), dtype=np.uint8)
    _, facts, _, _ = seen(dataset_of(grey))
    assert facts.small.shape == (3, 16, 18)
    assert np.allclose(facts.small.mean((1, 2)), grey.mean((1, 2)), atol=1)
    assert facts.grey.all()
    _, facts, _, _ = seen(dataset_of(np.repeat(grey[..., None], 3, axis=3)))
    assert facts.grey.all()


def test_arrays_of_large_images_are_converted_a_few_at_a_time(monkeypatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 40, 50, 3), dtype=np.uint8)
    _, whole, _, _ = seen(dataset_of(images))
    monkeypatch.setattr(looks, "ARRAY_VALUES", 2 * images[0].size)
    _, parts, _, events = seen(dataset_of(images))
    assert [event.done for event in events] == [2, 4, 6, 8, 9]
    assert np.array_equal(parts.small, whole.small) and parts.hashes == whole.hashes
