"""A folder with everything that goes wrong: each trouble is named, `fit` trains on the rest, and its pixels are right.

The independent decoder is FFmpeg's, through PyAV: another JPEG, PNG and GIF decoder than Pillow's. What is done to its
pixels (turning, scaling 16 bits, laying on white) is written out here by hand.
"""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from commandline import SMALL, Outcome, pocketvision
from pocketvision.data.check import check
from pocketvision.events import drain
from pocketvision.jobs.plan.read import read_images
from pocketvision.run.images import load_images, read_image
from pocketvision.run.preprocessing import Preprocessing
from troubles import EMOJI, LONG, TRAILING, listing, write_troubles

JPEG = (".jpg", ".jpeg")


@pytest.fixture(scope="module")
def troubles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_troubles(tmp_path_factory.mktemp("troubles") / "photos")


@pytest.fixture(scope="module")
def run(troubles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("run") / "run"
    return pocketvision("fit", troubles, *SMALL, "-o", folder), folder


NAMED = {
    "train/cat/truncated.jpg": "unreadable image",
    "train/cat/text.png": "unreadable image",
    "train/cat/nothing.jpg": "unreadable image",
    "train/cat/float.tiff": "unreadable image",
    "train/cat/huge.png": "over the pixel limit",
    "train/cat/bomb.png": "over the pixel limit",
    "dog": "empty class",
    "train/cat/ink.jpg": "converted",
    "train/cat/deep.png": "converted",
    "train/cat/palette.png": "converted",
    "train/cat/animation.gif": "converted",
    "train/cat/turned.jpeg": "turned by EXIF",
    "test/cat/exact.jpg": "duplicate across parts",
    "test/cat/near.jpg": "near-duplicate across parts",
    "train/cat/round": "link in a circle",
    f"train/cat/{LONG}": "very long name",
    f"train/cat/{EMOJI}": "unusual name",
    "cat": "similar class names",
    TRAILING: "space around a class name",
}


def test_each_trouble_is_named_and_nothing_is_touched(troubles: Path) -> None:
    before = listing(troubles)
    outcome = pocketvision("data", "check", troubles, "--json")
    assert outcome.code == 1
    found = {(finding["key"], finding["kind"]) for finding in json.loads(outcome.out)["findings"]}
    assert set(NAMED.items()) <= found
    brought = {
        (TRAILING, "tiny class"),
        (TRAILING, "class missing in a part"),
        ("train/cat/deep.png", "grey and colour"),
    }
    assert found - set(NAMED.items()) == brought
    assert listing(troubles) == before


def test_the_contact_sheet_shows_all_that_are_images(troubles: Path, tmp_path: Path) -> None:
    outcome = pocketvision("data", "check", troubles, "--sheet", tmp_path / "sheet.png")
    assert outcome.out.splitlines()[-1] == f"{tmp_path / 'sheet.png'}: 18 thumbnails"
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 1000


def test_fit_trains_on_the_rest(run: tuple[Outcome, Path], troubles: Path) -> None:
    outcome, folder = run
    assert outcome.code == 0, outcome.err
    assert "photos: 59 colour images of 3 classes" in outcome.err
    assert "Left out: unreadable image: train/cat/float.tiff: holds 32-bit float pixels" in outcome.err
    assert "Left out: over the pixel limit: train/cat/bomb.png: 60000 x 60000 is 3,600,000,000 pixels" in outcome.err
    assert "Left out: empty class: dog: its folder holds no image that is read.\n" in outcome.err
    assert "Warning: near-duplicate across parts: test/cat/near.jpg: looks like train/cat/001.jpg" in outcome.err
    assert "22 findings in all; pocketvision data check lists them.\n" in outcome.err
    assert pocketvision("verify", folder / "model.onnx").code == 0


def test_evaluate_leaves_out_the_same(run: tuple[Outcome, Path], troubles: Path) -> None:
    outcome = pocketvision("evaluate", run[1] / "model.onnx", troubles, "--json")
    assert outcome.code == 0, outcome.err
    assert (json.loads(outcome.out)["part"], json.loads(outcome.out)["images"]) == ("test", 26)


def test_read_returns_what_was_found(troubles: Path) -> None:
    read = drain(read_images(troubles))
    dataset, parts, checked = read.dataset, read.parts, read.checked
    assert len(checked.findings) == 22
    assert len(parts.train) + len(parts.validation) + len(parts.test) == len(dataset) == len(checked.facts) == 59
    assert not read.seen.grey


def decoded(path: Path) -> np.ndarray:
    """Return the upright picture (H, W, 3) uint8 as FFmpeg decodes it."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    if frame.format.name == "gray16be":
        grey = (frame.to_ndarray(format="gray16le").astype(np.int64) * 255 + 32767) // 65535
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    if path.suffix in JPEG:
        picture = frame.to_ndarray(format="rgb24", interpolation="BILINEAR")  # of the smaller colour planes
        return np.rot90(picture, -1).copy() if path.name == "turned.jpeg" else picture  # stored turned to the left
    pixels = frame.to_ndarray(format="rgba").astype(np.float64)
    alpha = pixels[..., 3:] / 255
    return np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def test_the_pixels_of_every_readable_image_are_right(troubles: Path) -> None:
    dataset = drain(check(troubles)).dataset
    paths = [Path(str(dataset.image(index))) for index in range(len(dataset))]
    assert {path.name for path in paths} >= {"ink.jpg", "deep.png", "palette.png", "animation.gif", "turned.jpeg"}
    assert {path.name for path in paths} >= {LONG, EMOJI}
    for path in paths:
        expected = decoded(path)
        got = np.asarray(read_image(path).convert("RGB"))
        assert got.shape == expected.shape, path
        far = np.abs(got.astype(int) - expected)
        network = [load_images([source], 32, 3, Preprocessing())[0].astype(int) for source in (path, expected)]
        if path.suffix in JPEG:  # decoders differ in how they round and enlarge the colour planes
            assert far.mean() < 3, (path, far.mean())
            assert np.abs(network[0] - network[1]).mean() < 2, (path, np.abs(network[0] - network[1]).mean())
        else:
            assert far.max() <= 1, (path, far.max())
            assert np.abs(network[0] - network[1]).max() <= 1, path


def test_ink_by_hand(tmp_path: Path) -> None:
    """CMYK without profile: red is what neither cyan nor black takes away, and so on."""
    inks = np.array([[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [40, 90, 200, 60]], np.uint8)
    path = tmp_path / "ink.jpg"
    Image.fromarray(np.repeat(np.repeat(inks[None], 32, 0), 32, 1), "CMYK").save(path, quality=100)
    light = 1 - inks / 255
    expected = np.rint(255 * light[:, :3] * light[:, 3:])
    got = np.asarray(read_image(path)).astype(int)
    assert np.abs(got[16, 16::32] - expected).max() <= 3
