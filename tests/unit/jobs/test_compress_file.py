"""`pocketvision compress`: what it refuses, what it writes, and that nothing is written where nothing passes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from artifacts import NAMES, Exported, export
from commandline import pocketvision
from pocketvision.compress import gate
from pocketvision.jobs.finish import int8 as integers
from pocketvision.jobs.finish.int8 import sums_hold
from pocketvision.run.device import this_device
from pocketvision.run.predictor import Predictor, load

IMAGES = 20  # a class


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Exported:
    return export("mobilenet_v1_relu", tmp_path_factory.mktemp("float") / "model.onnx")


@pytest.fixture(scope="module")
def photos(network, tmp_path_factory):
    """Images in folders by what the float network says of them, so that it is right about all."""
    folder, rng, predictor = tmp_path_factory.mktemp("photos"), np.random.default_rng(0), Predictor.open(network.path)
    for number in range(IMAGES * len(NAMES)):
        cells = rng.integers(0, 256, (4, 4, 3), np.uint8)
        image = np.kron(cells, np.ones((8, 8, 1), np.uint8)) ^ rng.integers(0, 32, (32, 32, 3), np.uint8)
        place = folder / predictor.predict(image).top.name
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    return folder


def test_a_file_in_integers(network, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "FEW_IMAGES", 0)  # labels of random weights change easily
    out = tmp_path / "int8.onnx"
    outcome = pocketvision("compress", network.path, "--data", photos, "-o", out, "--max-drop", 100, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    record = load(out).record
    assert record.model["precision"] == "int8" and record.goldens.scale > 0
    assert record.provenance["compressed"]["rung"] == found["rung"]
    assert found["size_mb"] < found["float_size_mb"]
    assert pocketvision("verify", out).code == 0
    assert "inputs in int8" in pocketvision("verify", out).out
    again = pocketvision("compress", out, "--data", photos, "-o", tmp_path / "again.onnx")
    assert (again.code, again.err) == (
        4,
        "BadArtifact: the file's network is int8 already. Try: the fp32 file that it was made from\n",
    )


@pytest.mark.slow
def test_where_nothing_passes_nothing_is_written(network, photos, tmp_path, monkeypatch):
    out = tmp_path / "int8.onnx"
    out.write_bytes(b"what was there")

    class Strict(integers.Ladder):
        """Nothing is ever good enough."""

        def __init__(self, images, validation, labels, train, **_):
            super().__init__(images, validation, labels, -1000.0, train=train)

    monkeypatch.setattr(integers, "Ladder", Strict)
    outcome = pocketvision("compress", network.path, "--data", photos, "-o", out)
    assert outcome.code == 1
    assert "CompressionFailed: no int8 network is good enough: the best, " in outcome.err
    assert all(what in outcome.err for what in ("equalised", "layers in fp32", "fine-tuned")), "all rungs were tried"
    assert out.read_bytes() == b"what was there"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--max-drop", 101], 2, "BadOption: max_drop must be 0 to 100 points; got 101."),
        (["-o", "nowhere/int8.onnx"], 2, "BadOption: 'nowhere/int8.onnx' cannot be written: there is no such folder."),
    ],
)
def test_refuses(network, photos, tmp_path, words, code, message):
    outcome = pocketvision("compress", network.path, "--data", photos, "-o", tmp_path / "int8.onnx", *words)
    assert outcome.code == code
    assert outcome.err.startswith(message)


def test_the_float_file_stays(network, photos):
    before = network.path.read_bytes()
    outcome = pocketvision("compress", network.path, "--data", photos, "-o", network.path)
    assert outcome.code == 2 and "is the fp32 file itself, which stays" in outcome.err
    assert network.path.read_bytes() == before


def test_other_classes(network, tmp_path):
    for name in ("ape", "bat"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "other" / name / f"{number}.png")
    outcome = pocketvision("compress", network.path, "--data", tmp_path / "other", "-o", tmp_path / "int8.onnx")
    assert outcome.code == 3 and "class 'ape'" in outcome.err


@pytest.mark.parametrize(
    ("flags", "holds"),
    [
        (("avx2", "avx512_vnni"), True),
        (("avx2", "avx_vnni"), True),
        (("avx2", "sse4_1"), False),
        (("asimd",), True),
    ],
)
def test_which_processors_sum_without_overflow(flags, holds):
    assert sums_hold(replace(this_device(), flags=flags)) == holds
