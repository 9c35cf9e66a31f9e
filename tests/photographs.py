"""Photographs that come with scikit-image and scikit-learn, cut into folders of classes: no download, no network."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image

SOURCES: dict[str, Callable[[], np.ndarray]] = {
    "astronaut": skimage.data.astronaut,
    "cat": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "rocket": skimage.data.rocket,
    "flower": lambda: sklearn.datasets.load_sample_image("flower.jpg"),
    "temple": lambda: sklearn.datasets.load_sample_image("china.jpg"),
}
CLASSES = ("cat", "coffee", "rocket")  # enough for a quick test
ORIENTATION = 0x0112  # EXIF
TURNED_BY_CAMERA = 6  # "turn clockwise to see it upright"


@cache
def photograph(name: str) -> Image.Image:
    return Image.fromarray(SOURCES[name]()).convert("RGB")


def crop(name: str, number: int) -> Image.Image:
    """Return crop `number` of a photograph: 60% to 100% of its sides, scaled to between 70 and 160 pixels."""
    rng = np.random.default_rng([number, *name.encode()])
    whole = photograph(name)
    width, height = (round(side * rng.uniform(0.6, 1.0)) for side in whole.size)
    left, top = int(rng.integers(whole.width - width + 1)), int(rng.integers(whole.height - height + 1))
    return whole.crop((left, top, left + width, top + height)).resize(
        (int(rng.integers(70, 161)), int(rng.integers(70, 161)))
    )


def jpeg(image: Image.Image) -> tuple[str, bytes]:
    return ".jpg", encoded(image, "JPEG", quality=90)


def png(image: Image.Image) -> tuple[str, bytes]:
    return ".png", encoded(image, "PNG")


def webp(image: Image.Image) -> tuple[str, bytes]:
    return ".webp", encoded(image, "WEBP", quality=90)


def grey(image: Image.Image) -> tuple[str, bytes]:
    return ".png", encoded(image.convert("L"), "PNG")


def rgba(image: Image.Image) -> tuple[str, bytes]:
    return ".PNG", encoded(image.convert("RGBA"), "PNG")


def turned(image: Image.Image) -> tuple[str, bytes]:
    """Store the pixels turned, with the tag that says so: upright it looks as the others do."""
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_BY_CAMERA
    return ".jpeg", encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif)


FORMS = (jpeg, png, webp, grey, rgba, turned)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def write_photographs(folder: Path, classes: tuple[str, ...], each: int, forms=FORMS) -> Path:
    """Write `each` crops of every class into folder/class/, in all forms in turn."""
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            suffix, content = forms[number % len(forms)](crop(name, number))
            (folder / name / f"{number:03}{suffix}").write_bytes(content)
    return folder
