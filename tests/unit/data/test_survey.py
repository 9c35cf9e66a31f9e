"""The figures of images that were looked at."""

from pathlib import Path

import numpy as np
from PIL import Image

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.looks import Facts, look_at
from pocketvision.data.survey import Survey, survey


def facts_of(images) -> Facts:
    samples = tuple(Sample(str(number), number % 2) for number in range(len(images)))
    work = look_at(Dataset("some", ("x", "y"), samples, images))
    try:
        while True:
            next(work)
    except StopIteration as stop:
        return stop.value[1]


def files(folder: Path, images: list[Image.Image]) -> tuple[Path, ...]:
    paths = tuple(folder / f"{number}.png" for number in range(len(images)))
    for path, image in zip(paths, images, strict=True):
        image.save(path)
    return paths


def test_sizes(tmp_path: Path) -> None:
    sizes = [(40, 30), (20, 90), (31, 50), (33, 32), (20, 80), (32, 60)]
    found = survey(facts_of(files(tmp_path, [Image.new("RGB", size, "red") for size in sizes])))
    assert found == Survey(short_side_median=30, grey=False)


def test_the_median_is_rounded_down(tmp_path: Path) -> None:
    images = files(tmp_path, [Image.new("L", (side, 99)) for side in (10, 20, 31, 40)])
    assert survey(facts_of(images)).short_side_median == 25


def test_grey_means_every_image(tmp_path: Path) -> None:
    greys = [Image.new("L", (8, 8), 9), Image.new("RGB", (8, 8), (7, 7, 7))]
    assert survey(facts_of(files(tmp_path, greys))).grey
    assert not survey(facts_of(files(tmp_path, [*greys, Image.new("RGB", (8, 8), (7, 7, 8))]))).grey


def test_arrays_in_colour() -> None:
    pixels = np.zeros((2, 4, 6, 3), np.uint8)
    assert survey(facts_of(pixels)) == Survey(4, True)
    pixels[1, 2, 3, 0] = 200
    assert not survey(facts_of(pixels)).grey
