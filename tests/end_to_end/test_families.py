"""Every family goes all the way: images, training, a file that verifies, answers and gives features, and a report.

And on Fashion-MNIST all its sizes at once, a cut of half the width, and integers.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from commandline import SMALL, pocketvision
from fashion import write_first
from graphs import FAMILY_NAMES, cut_widths, nearest_width
from pocketvision.data.read import read_dataset
from pocketvision.jobs.sizes.store import read_cuts, write_cuts
from pocketvision.run.predictor import load

QUICK = ("squeezenet1_1",)  # no batch norm, and no linear classifier; the rest takes minutes
SAME_ROWS = (  # other numbers in the rows of a family that goes all the way: enough that it starts
    *(f"efficientnet_lite{number}" for number in (1, 2, 3, 4)),
    *(f"mobilenet_v3_{which}" for which in ("small_head1280", "small_tv", "large_tv", "small_minimalistic")),
)
ON_FASHION = [
    pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in FAMILY_NAMES if name not in SAME_ROWS
]
WIDER = {"mobilenet_v3_small": (0.5, 0.25), "effnet": (2.0, 1.0)}  # narrower, steps and names take what integers save
MOST_OFF = 0.4  # of the spread of all logits, in the mean: integers against floats; 0.27 where little was learnt
TRAINED, JUDGED = 640, 160
RESOLUTION = 16


def test_from_images_to_a_verified_file(family, photos, tmp_path):
    folder = tmp_path / "run"
    width = ("--width", nearest_width(family, 0.25))
    outcome = pocketvision("fit", photos, "--family", family, *SMALL, *width, "--batch-size", 8, "-o", folder)
    assert outcome.code == 0, outcome.err
    model = folder / "model.onnx"
    assert pocketvision("verify", model).code == 0
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["model"]["family"] == family and plan["start"]["weights"] is None
    image = photos / "cat" / "000.jpg"
    assert len(load(model).predict(image)) == 3
    assert load(model).embed(image).ndim == 1
    assert family in (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def few(fashion_mnist, tmp_path_factory):
    return write_first(tmp_path_factory.mktemp("few") / "fashion", TRAINED, JUDGED)


def images_of(folder):
    """The test images at the resolution that was trained."""
    dataset = read_dataset(folder)
    images = (dataset.image(i) for i, sample in enumerate(dataset.samples) if sample.part == "test")
    return np.stack([np.asarray(Image.fromarray(image).resize((RESOLUTION, RESOLUTION))) for image in images])[
        ..., None
    ]


@pytest.mark.parametrize("family", ON_FASHION)
def test_on_fashion_mnist_all_sizes_half_the_width_and_integers(family, few, tmp_path):
    wide, narrow = next((pair for name, pair in WIDER.items() if family.startswith(name)), cut_widths(family)[0])
    folder, words = (
        tmp_path / "run",
        ("--elastic", "--width", wide, "--resolution", RESOLUTION, "--training-precision", "float32"),
    )
    outcome = pocketvision("fit", few, "--family", family, *words, "--epochs", 2, "--batch-size", 32, "-o", folder)
    assert outcome.code == 0, outcome.err
    assert pocketvision("verify", folder / "model.onnx").code == 0

    cuts, file, small = read_cuts(folder), tmp_path / "half.onnx", tmp_path / "half_int8.onnx"
    half = [judged for judged in cuts.judged if judged.graph.options.width == narrow]
    write_cuts(folder, replace(cuts, judged=half))  # so that no narrower one is better by chance
    outcome = pocketvision("cut", folder, "--macs", half[0].cut.candidate.spent.macs, "-o", file)
    assert outcome.code == 0, outcome.err
    assert load(file).record.model["width"] == narrow
    outcome = pocketvision("compress", file, "--data", few, "--max-drop", 100, "-o", small, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["rung"] == 1
    floats, integers = (load(path).logits(images_of(few)) for path in (file, small))
    assert np.abs(integers - floats).mean() < MOST_OFF * floats.std()
    assert pocketvision("verify", small).code == 0
    assert small.stat().st_size < file.stat().st_size
