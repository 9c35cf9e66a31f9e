import os
import shutil

import numpy as np
import pytest

from pocketvision.data import pixel_cache
from pocketvision.data import pixels as module
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.geometry import Augmentation
from pocketvision.data.pixels import Pixels
from pocketvision.events import Note, Progress
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from pocketvision.train.batches import training_batches

GB = 10**9


def dataset(seed=0, n=300):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 8, 8, 3), np.uint8)
    return Dataset("made up", ("a", "b"), tuple(Sample(f"{i}", i % 2) for i in range(n)), pixels)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """No memory for images; a cache folder of the test's own."""
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "free_memory_bytes", lambda: 0)
    return tmp_path / "cache" / "pixels"


@pytest.fixture
def decoded(monkeypatch):
    """How many images were decoded, call by call."""
    counts = []
    real = module.load_images

    def load(sources, *arguments):
        counts.append(len(sources))
        return real(sources, *arguments)

    monkeypatch.setattr(module, "load_images", load)
    return counts


def made(data, cache_bytes=GB, indices=None, resolution=16, preprocessing=FROM_SCRATCH):
    """Pixels, decoded; and what was said."""
    pixels = Pixels(data, np.arange(len(data)) if indices is None else indices, resolution, 3, preprocessing)
    return pixels, list(pixels.decode("decoding", cache_bytes))


def test_from_the_second_epoch_on_nothing_is_decoded(folder, decoded):
    data = dataset()
    pixels, events = made(data)
    assert [event for event in events if isinstance(event, Progress)] == [
        Progress("decoding", 256, 300),
        Progress("decoding", 300, 300),
    ]
    note = next(event for event in events if isinstance(event, Note)).text
    assert "0.0 GB" in note and str(folder) in note
    assert sum(decoded) == 300
    decoded.clear()
    for epoch in range(3):
        for images, _ in training_batches(pixels, 50, Augmentation(), 0, epoch):
            assert images.shape == (50, 3, 16, 16)
    assert sum(decoded) == 0
    assert isinstance(pixels._cache, np.memmap)
    np.testing.assert_array_equal(pixels[np.array([7, 299])], pixels._decode(np.array([7, 299])))


def test_another_run_finds_them(decoded):
    first, _ = made(dataset())
    decoded.clear()
    again, events = made(dataset())
    assert events == [] and sum(decoded) == 0
    np.testing.assert_array_equal(again[:], first[:])


@pytest.mark.parametrize(
    "other",
    [
        {"data": dataset(seed=1)},
        {"indices": np.arange(299, -1, -1)},
        {"resolution": 12},
        {"preprocessing": Preprocessing()},
    ],
)
def test_other_images_are_never_taken_for_these(folder, decoded, other):
    made(dataset())
    decoded.clear()
    made(**{"data": dataset(), **other})
    assert sum(decoded) == 300 and len(list(folder.iterdir())) == 2


def test_a_changed_file_is_another_image(folder, tmp_path, decoded):
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    for colour in ("red", "blue"):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "a.png")
        data = Dataset("files", ("a",), (Sample("a.png", 0),), [tmp_path / "a.png"])
        pixels, _ = made(data)
        assert pixels[0:1][0, 0, 0].tolist() == {"red": [255, 0, 0], "blue": [0, 0, 255]}[colour]


def test_a_file_that_was_cut_short_is_written_again(folder, decoded):
    made(dataset())
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    decoded.clear()
    made(dataset())
    assert sum(decoded) == 300 and file.stat().st_size == 300 * 16 * 16 * 3


def test_the_least_recently_used_makes_room(folder):
    size = 300 * 16 * 16 * 3
    first, second, third = dataset(1), dataset(2), dataset(3)
    for age, data in ((300, first), (200, second)):
        before = set(folder.iterdir()) if folder.exists() else set()
        made(data, 2 * size)
        (file,) = set(folder.iterdir()) - before
        os.utime(file, (file.stat().st_mtime - age,) * 2)
    made(first, 2 * size)  # is used again
    made(third, 2 * size)
    assert len(list(folder.iterdir())) == 2
    for data, events in ((first, 0), (third, 0)):
        assert len(made(data, 2 * size)[1]) == events
    assert made(second, 2 * size)[1]


def test_no_room(folder, monkeypatch, decoded):
    pixels, events = made(dataset(), cache_bytes=1000)
    (said,) = (event.text for event in events)
    assert all(value in said for value in ("0.0 GB", str(folder), "--cache-gb"))
    assert pixels[:3].shape == (3, 16, 16, 3) and decoded == [3]
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda folder: usage._replace(free=GB))
    assert str(folder) in made(dataset())[1][0].text
    assert made(dataset(), cache_bytes=0)[1] == []


def test_a_disk_that_refuses(folder, tmp_path, decoded):
    (tmp_path / "cache").mkdir()
    folder.write_text("a file where the folder should be")
    pixels, events = made(dataset())
    (said,) = (event.text for event in events)
    assert str(folder) in said and "File exists" in said
    assert pixels[:3].shape == (3, 16, 16, 3)


def test_who_stops_early_leaves_no_file(folder):
    pixels = Pixels(dataset(), np.arange(300), 16, 3, FROM_SCRATCH)
    work = pixels.decode("decoding", GB)
    assert isinstance(next(work), Note) and isinstance(next(work), Progress)
    work.close()
    assert list(folder.iterdir()) == []


def test_two_runs_that_decode_the_same_images_at_once(folder):
    first, second = (Pixels(dataset(), np.arange(300), 16, 3, FROM_SCRATCH) for _ in range(2))
    one, two = first.decode("decoding", GB), second.decode("decoding", GB)
    next(one), next(one)
    list(two)  # overtakes, and writes the file
    list(one)
    np.testing.assert_array_equal(first[:], second[:])
    np.testing.assert_array_equal(first[np.array([0, 299])], first._decode(np.array([0, 299])))
    assert len(list(folder.iterdir())) == 1


def test_what_killed_runs_left_behind_is_deleted(folder):
    """But not what another run is writing now."""
    folder.mkdir(parents=True)
    old, young = folder / ".a.pixels.1-1.part", folder / ".b.pixels.2-2.part"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    made(dataset())
    assert not old.exists()
    assert young.exists()


def test_a_disk_without_room_loses_nothing(folder, monkeypatch):
    """Where deleting all others would not do, none is deleted."""
    made(dataset())
    before = sorted(folder.glob("*.pixels"))
    monkeypatch.setattr(pixel_cache, "_free", lambda folder: 0)
    made(dataset(seed=1))
    assert sorted(folder.glob("*.pixels")) == before


def test_a_read_only_cache_is_read(folder, decoded, monkeypatch):
    made(dataset())
    decoded.clear()

    def refuse(path):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    made(dataset())
    assert sum(decoded) == 0
