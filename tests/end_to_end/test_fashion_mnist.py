"""The reference data: in time, verified, and scored alike by `evaluate` and by a program that knows nothing of pocketvision."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from commandline import pocketvision, start_program
from pocketvision.data.named import NAMED
from pocketvision.data.pixels import Pixels
from pocketvision.data.read import read_dataset
from pocketvision.events import drain
from pocketvision.jobs.compress import compress_file
from pocketvision.model.network import Network
from pocketvision.run.engines import ENGINES
from pocketvision.run.predictor import Predictor
from pocketvision.train.evaluate import compute_logits

EXAMPLES = Path(__file__).parents[2] / "examples"
# Top-1: 0.849 measured on one core of a busy machine (2026-11-22), 0.782 on one that was half as fast (2026-11-27)
LEARNT = 0.75


@pytest.mark.slow
@pytest.mark.alone
def test_fit_in_a_minute(fashion_mnist, tmp_path, monkeypatch):
    """`make demo` gives it six."""
    monkeypatch.delenv("POCKETVISION_ENGINE")  # auto means auto
    model = tmp_path / "run" / "model.onnx"
    began = time.monotonic()
    job = start_program("fit", "fashion-mnist", "--minutes", 1, "-o", model.parent, env=None)
    _, err = job.communicate(timeout=360)
    assert job.returncode == 0, err
    assert (time.monotonic() - began) / 60 <= 1.1 + 1, err

    assert pocketvision("verify", model).code == 0
    score = json.loads(pocketvision("evaluate", model, "fashion-mnist", "--json").out)
    assert (score["part"], score["images"]) == ("test", 10_000)
    assert score["top1"] >= LEARNT, err
    assert score["top1"] == json.loads(pocketvision("info", model, "--json").out)["metrics"]["test"]["top1"]

    plain = subprocess.run(
        [sys.executable, EXAMPLES / "plain_onnxruntime.py", model, fashion_mnist],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert plain.stdout == f"top-1 on 10,000 test images: {score['top1']:.4f}\n"
    require_the_same_labels(model)
    require_integers_as_good(model, score["top1"], tmp_path / "int8.onnx")


def require_the_same_labels(file):
    """Every engine, and the chosen one, say of 1,000 real images what the default says."""
    dataset = read_dataset("fashion-mnist")
    test = [i for i, sample in enumerate(dataset.samples) if sample.part == "test"][:1000]
    images = [dataset.image(i) for i in test]
    default, *others = (
        [labels.top.name for labels in Predictor.open(file, engine=name).predict(images)] for name in (*ENGINES, "auto")
    )
    assert len(default) == 1000 and len(set(default)) == 10
    for labels in others:
        assert labels == default


def test_saved_test_images(fashion_mnist, tmp_path):
    subprocess.run([sys.executable, EXAMPLES / "save_test_images.py", tmp_path], check=True, capture_output=True)
    names = {file.stem for file in tmp_path.glob("*.png")}
    assert names == {name.lower().replace("/", "-").replace(" ", "-") for name in NAMED["fashion-mnist"].classes}


def require_integers_as_good(file, float_top1, out):
    """`compress`: no point is lost, and the file computes what the network with fake quantisation does on 1,000 images."""
    found = drain(compress_file(file, "fashion-mnist", out))
    assert found.climbed.verdict.passes and found.climbed.verdict.images == 9_000
    assert found.size_bytes <= 0.3 * found.float_bytes + 50_000  # the record, and a step for each channel
    score = json.loads(pocketvision("evaluate", out, "fashion-mnist", "--json").out)
    assert score["top1"] == found.score.top1 >= float_top1 - 0.01
    assert "inputs in int8: 100% of the logits within 4 times the scale" in pocketvision("verify", out).out
    record = Predictor.open(out).record
    images = real_images(record)
    network = Network(found.climbed.graph, seed=None)
    network.load_arrays(found.climbed.arrays)
    ours, theirs = compute_logits(network, images), Predictor.open(out).logits(images)
    steps = np.abs(ours - theirs) / record.goldens.scale
    assert (steps <= 2.01).mean() >= 0.99
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.99


def real_images(record):
    """1,000 test images as the network gets them."""
    dataset = read_dataset("fashion-mnist")
    test = np.array([i for i, sample in enumerate(dataset.samples) if sample.part == "test"][:1000])
    return Pixels(dataset, test, record.resolution, record.channels, record.preprocessing)[:1000]
