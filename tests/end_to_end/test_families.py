"""Every family goes all the way: images, training, a file that verifies, answers and gives features, and a report.

And on Fashion-MNIST all its sizes at once, a cut of half the width, and integers.
"""

import json
import struct

import numpy as np
import pytest

from commandline import SMALL, pocketvision
from graphs import FAMILY_NAMES, cut_widths, nearest_width
from pocketvision.data.read import read_dataset
from pocketvision.fit.cuts import read_cuts
from pocketvision.run import timing
from pocketvision.run.predictor import load

QUICK = ("shufflenet_v2", "squeezenet1_1")  # listed widths, splits and shuffles; no batch norm; the rest takes minutes
ON_FASHION = [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in FAMILY_NAMES]
TINY = "mobilenet_v3_small"  # at an eighth of its width, steps and names take what integers save
TRAINED, JUDGED = 640, 160
LEARNT = 0.5  # of validation images; below, labels are too close to chance to be compared


@pytest.fixture(autouse=True)
def hasty_clock(monkeypatch):
    """Time what is made just well enough to have a number: no figure of it is looked at here."""
    for name in ("FEWEST_ROUNDS", "BURST_SECONDS", "REST_SECONDS"):
        monkeypatch.setattr(timing, name, 0)


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
    """The first images of both parts, in the data set's own form."""
    folder, dataset = tmp_path_factory.mktemp("few") / "fashion", read_dataset("fashion-mnist")
    folder.mkdir()
    for part, stem, most in (("train", "train", TRAINED), ("test", "t10k", JUDGED)):
        found = [i for i, sample in enumerate(dataset.samples) if sample.part == part][:most]
        images = np.stack([dataset.image(i) for i in found])
        labels = bytes(dataset.samples[i].label for i in found)
        head = struct.pack(">IIII", 0x803, *images.shape)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(found)) + labels)
    return folder


@pytest.mark.parametrize("family", ON_FASHION)
def test_on_fashion_mnist_all_sizes_half_the_width_and_integers(family, few, tmp_path):
    wide, narrow = (0.5, 0.25) if family.startswith(TINY) else cut_widths(family)[0]
    folder, words = (
        tmp_path / "run",
        ("--elastic", "--width", wide, "--resolution", 16, "--training-precision", "float32"),
    )
    outcome = pocketvision("fit", few, "--family", family, *words, "--epochs", 2, "--batch-size", 16, "-o", folder)
    assert outcome.code == 0, outcome.err
    assert pocketvision("verify", folder / "model.onnx").code == 0

    half = next(judged for judged in read_cuts(folder).judged if judged.graph.options.width == narrow)
    file, small = tmp_path / "half.onnx", tmp_path / "half_int8.onnx"
    outcome = pocketvision("cut", folder, "--macs", half.cut.candidate.spent.macs, "-o", file)
    assert outcome.code == 0, outcome.err
    assert load(file).record.model["width"] <= narrow
    outcome = pocketvision("compress", file, "--data", few, "--max-drop", 100, "-o", small, "--json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    assert said["rung"] == 1
    assert said["verdict"]["agreement"] > 0.85 or said["verdict"]["float_top1"] < LEARNT
    assert pocketvision("verify", small).code == 0
    assert small.stat().st_size < file.stat().st_size
