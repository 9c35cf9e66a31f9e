"""One look at each image: the figures, from files and arrays alike."""

from pathlib import Path

import numpy as np
from PIL import Image

from photographs import crop
from pocketvision.data import looks
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.looks import Facts, Failure, look_at
from pocketvision.events import Progress
from pocketvision.run.examine import examine_image


def seen(dataset: Dataset) -> tuple[list[int], Facts, list[Failure], list[Progress]]:
    work, events = look_at(dataset), []
    try:
        while True:
            events.append(next(work))
    except StopIteration as stop:
        return (*stop.value, events)


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
    assert facts.forms == ("PNG", "JPEG", "PNG")
    assert facts.conversions == ("", "", "transparency is laid on white")
    assert facts.size_bytes.tolist() == [paths[index].stat().st_size for index in readable]
    assert (facts.small[0] == 76).all()  # 0.299 x 255
    assert events == [Progress("checking images", 4, 4)]


def test_every_file_is_decoded_once(tmp_path: Path, monkeypatch) -> None:
    paths = tuple(tmp_path / f"{number}.png" for number in range(40))
    for path in paths:
        crop("cat", 0).save(path)
    decoded = []
    monkeypatch.setattr(looks, "examine_image", lambda path, limit: decoded.append(path) or examine_image(path, limit))
    *_, events = seen(dataset_of(paths))
    assert sorted(decoded) == sorted(paths)
    assert [event.done for event in events] == [16, 32, 40]


def test_who_stops_early_waits_only_for_what_has_begun(tmp_path: Path, monkeypatch) -> None:
    paths = tuple(tmp_path / f"{number}.png" for number in range(600))
    for path in paths:
        path.write_bytes(b"")
    decoded = []
    monkeypatch.setattr(looks, "examine_image", lambda path, limit: decoded.append(path) or examine_image(path, limit))
    work = look_at(dataset_of(paths))
    next(work)
    work.close()
    assert len(decoded) <= 600


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
    assert of_arrays.forms == of_arrays.conversions == ("",) * 8


def test_arrays_of_any_size() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 7, 5), dtype=np.uint8)
    _, facts, _, _ = seen(dataset_of(grey))
    assert facts.small.shape == (3, 16, 18)
    assert np.allclose(facts.small.mean((1, 2)), grey.mean((1, 2)), atol=1)
    assert facts.grey.all()
    _, facts, _, _ = seen(dataset_of(np.repeat(grey[..., None], 3, axis=3)))
    assert facts.grey.all()
