"""A family of every kind goes all the way: images, training, a file that verifies, answers and gives features, and a report.

And on Fashion-MNIST all its sizes at once, a cut of half the width, and integers.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from commandline import SMALL, pocketvision
from fashion import write_first
from graphs import FAMILY_NAMES, cut_widths, nearest_width, small
from pocketvision.data.read import read_dataset
from pocketvision.jobs.sizes.store import read_cuts, write_cuts
from pocketvision.run.predictor import load

# how channels hang together; in a plain chain, as in all other tests, each layer has its own
KINDS = {
    "shortcuts": "mobilenet_v2",
    "gates": "mobilenet_v3_small",
    "shortcuts around activations": "xception",
    "concatenation, no batch norm": "squeezenet1_1",
    "groups and shuffles": "shufflenet_v1_g3",
    "halves and shuffles": "shufflenet_v2",
}
WIDER = {"mobilenet_v3_small": (0.5, 0.25)}  # narrower, steps and names take what integers save
MOST_OFF = 0.4  # of the spread of all logits, in the mean: integers against floats; 0.27 where little was learnt
TRAINED, JUDGED = 640, 160
RESOLUTION = 16


def ops_of(family):
    """The kinds of ops; convolutions in groups are one of their own."""
    return {(type(op), 1 < getattr(op, "groups", 1) < getattr(op, "in_channels", 0)) for op in small(family).ops}


def test_no_family_has_an_op_that_none_of_these_has():
    assert set().union(*map(ops_of, FAMILY_NAMES)) == set().union(*map(ops_of, KINDS.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_from_images_to_a_verified_file(kind, photos, tmp_path):
    folder, family = tmp_path / "run", KINDS[kind]
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_on_fashion_mnist_all_sizes_half_the_width_and_integers(kind, few, tmp_path):
    family = KINDS[kind]
    wide, narrow = WIDER.get(family, cut_widths(family)[0])
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
