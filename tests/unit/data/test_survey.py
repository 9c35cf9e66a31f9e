"""The look at the images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.survey import Survey, survey


def files(folder: Path, images: list[Image.Image]) -> Dataset:
    paths = [folder / f"{number}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path)
    return Dataset("files", ("x", "y"), tuple(Sample(path.name, 0) for path in paths), tuple(paths))


def test_sizes(tmp_path: Path) -> None:
    sizes = [(40, 30), (20, 90), (31, 50), (33, 32)]
    found = survey(files(tmp_path, [Image.new("RGB", size, "red") for size in sizes]))
    assert found == Survey(short_side_median=30, grey=False, smallest=(20, 90), largest=(33, 32))


def test_grey_means_every_image(tmp_path: Path) -> None:
    greys = [Image.new("L", (8, 8), 9), Image.new("RGB", (8, 8), (7, 7, 7))]
    assert survey(files(tmp_path, greys)).grey
    assert not survey(files(tmp_path, [*greys, Image.new("RGB", (8, 8), (7, 7, 8))]), limit=1).grey


def test_colour_ends_the_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []
    monkeypatch.setattr("pocketvision.data.survey.is_grey", lambda image: looked.append(image) or len(looked) < 3)
    assert not survey(files(tmp_path, [Image.new("L", (8, 8))] * 9)).grey
    assert len(looked) == 3


def test_the_limit_spreads_the_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.arange(1000, dtype=np.uint8).repeat(4).reshape(1000, 2, 2)
    many = Dataset("many", ("x", "y"), (Sample("a", 0),) * 1000, pixels)
    looked: list[int] = []
    monkeypatch.setattr(Dataset, "image", lambda self, index: looked.append(index) or self.images[index])
    assert survey(many, limit=5) == Survey(short_side_median=2, grey=True, smallest=(2, 2), largest=(2, 2))
    assert looked == [0, 249, 499, 749, 999]


def test_arrays_in_colour() -> None:
    pixels = np.zeros((2, 4, 6, 3), np.uint8)
    samples = (Sample("a", 0), Sample("b", 1))
    assert survey(Dataset("dark", ("x", "y"), samples, pixels)) == Survey(4, True, (6, 4), (6, 4))
    pixels[1, 2, 3, 0] = 200
    assert not survey(Dataset("dot", ("x", "y"), samples, pixels)).grey
