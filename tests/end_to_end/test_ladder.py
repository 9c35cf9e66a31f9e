"""The ladder on a trained network and real images: each rung where it is needed, and what no rung below can do."""

from dataclasses import replace

import numpy as np
import pytest

import pocketvision as pv
from fashion import write_first
from graphs import far_apart
from pocketvision.compress import ladder as ladders
from pocketvision.compress.ladder import Ladder, engine_outputs
from pocketvision.compress.tune import tune
from pocketvision.data.pixels import Pixels
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split
from pocketvision.events import drain
from pocketvision.export.network_of import network_of
from pocketvision.model.network import build
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.train.evaluate import compute_logits

pytestmark = pytest.mark.slow  # a training, and all rungs again and again; test_precision.py climbs in `make test`, too
SIDE, WIDTH = 20, 0.25
TRAINED, JUDGED = 10_000, 100


@pytest.fixture(scope="module")
def some(fashion_mnist, tmp_path_factory):
    return write_first(tmp_path_factory.mktemp("some") / "fashion", TRAINED, JUDGED)


@pytest.fixture(scope="module")
def images(some):
    """Training images, some of them to find ranges with, and validation images."""
    dataset = read_dataset(some)
    parts = split(dataset)
    found = [
        Pixels(dataset, rows, SIDE, 1, FROM_SCRATCH)
        for rows in (parts.train, parts.train[::20][:512], parts.validation[:1000])
    ]
    for part in found:
        for _ in part.decode(""):
            pass
    return found


@pytest.fixture(scope="module")
def trained(some, tmp_path_factory):
    """A float network whose activations no factor is stopped by."""
    out = tmp_path_factory.mktemp("ladder") / "run"
    options = {"family": "mobilenet_v1_relu", "width": WIDTH, "resolution": SIDE, "output_stride": 8, "epochs": 3}
    return network_of(pv.fit(some, out, weights="none", **options).model.read_bytes())


def climb(images, graph, arrays, **options):
    _, calibration, validation = images
    return drain(Ladder(calibration, validation, validation.labels, **options).climb(graph, arrays))


def with_outlier(graph, arrays, name):
    """The same function: each filter has one huge weight more, for a channel that is always 0."""
    arrays = {key: array.copy() for key, array in arrays.items()}
    before = graph.ops[[op.name for op in graph.ops].index(name) - 1]
    arrays[f"{before.name}.conv.weight"][0] = 0.0
    arrays[f"{before.name}.conv.bias"][0] = -1.0
    arrays[f"{name}.conv.weight"][:, 0] = 1e4
    return arrays


def test_a_trained_network_passes_by_ranges_alone(images, trained):
    found = climb(images, *trained)
    assert (found.rung, found.verdict.passes, found.floats) == (1, True, ())


def test_network_and_file_say_the_same(images, trained):
    """The same biases, as the file holds them, and gates that are no approximation: what is left is a rounding here and there."""
    found = climb(images, *trained)
    network = build(found.graph)
    network.load_arrays(found.arrays)
    step = float(found.arrays[f"{found.graph.outputs['logits']}.scale"])
    ours, theirs = compute_logits(network, images[2]), np.concatenate([*engine_outputs(found.model, images[2])])
    off = np.abs(ours - theirs) / step
    assert (off < 2.5).mean() >= 0.99 and (off < 0.5).mean() >= 0.9
    assert (ours.argmax(1) == theirs.argmax(1)).mean() >= 0.99


def test_channels_far_apart_are_rescued_by_equalisation(images, trained):
    graph, arrays = trained
    found = climb(images, graph, far_apart(graph, arrays))
    plain = [step for step in found.trace if step.rung == 1]
    assert len(plain) == 3 and all(step.verdict.drop > 5 for step in plain), "ranges alone ruin it"
    assert (found.rung, found.verdict.passes, found.floats) == (2, True, ())
    assert found.verdict.drop <= 1.0


def test_what_equalisation_cannot_rescue_stays_in_floats(images, trained):
    graph, arrays = trained
    found = climb(images, graph, with_outlier(graph, arrays, "block5.pointwise"))
    assert min(step.verdict.drop for step in found.trace if step.rung < 3) > 1.0
    assert (found.rung, found.verdict.passes) == (3, True)
    assert "block5.pointwise" in found.floats and len(found.floats) <= 4
    assert "layers in fp32" in found.trace[-1].what


def test_where_no_rung_helps_the_best_is_returned_with_its_problem(images, trained):
    graph, arrays = trained
    for name in [op.name for op in graph.ops if op.name.endswith(".pointwise")]:
        arrays = with_outlier(graph, arrays, name)
    found = climb(images, graph, arrays, highest=3)
    assert not found.verdict.passes and found.verdict.problems
    assert {step.rung for step in found.trace} == {1, 2, 3}


def test_fine_tuning_is_the_last_rung(images, trained, monkeypatch):
    """A step that is far too coarse, which neither biases nor floats are allowed to mend."""
    train, calibration, validation = images
    graph, arrays = trained
    coarse = Ladder(calibration, validation, validation.labels, weight_limit=2, train=train)
    monkeypatch.setattr(ladders, "MOST_FP32", 0.0)
    monkeypatch.setattr("pocketvision.compress.tune.STEPS", 200)
    found = drain(coarse.climb(graph, arrays))
    assert found.rung == 4
    assert found.verdict.drop < min(step.verdict.drop for step in found.trace if step.rung < 4) - 1


def test_tuning_keeps_steps_and_zero_points(images, trained, monkeypatch):
    monkeypatch.setattr("pocketvision.compress.tune.STEPS", 10)
    train = images[0]
    graph, arrays = trained
    found = climb(images, graph, arrays, highest=1)
    plain, weights = ladders.pad_channels(*ladders.fold_batch_norm(graph, arrays))
    short = Pixels(train.dataset, train.indices[:64], SIDE, 1, FROM_SCRATCH)
    tuned = drain(tune(found.graph, found.arrays, plain, weights, short))
    for parameter in found.graph.parameters():
        same = np.array_equal(tuned[parameter.name], found.arrays[parameter.name])
        assert same != parameter.is_trained, parameter.name


def test_no_rung_above_the_highest(images, trained):
    found = climb(images, *trained, max_drop=-100.0, highest=1)
    assert {step.rung for step in found.trace} == {1}
    assert replace(found.trace[0], rung=1) == found.trace[0]


def test_the_logits_have_a_step_whatever_stays_in_floats(images, trained, monkeypatch):
    """All that may stay in floats does: the public outputs are not among them."""
    monkeypatch.setattr(ladders, "MOST_FP32", 1.0)
    found = climb(images, *trained, max_drop=-100.0, highest=3)
    assert {step.rung for step in found.trace} == {1, 2, 3}
    names = ladders.may_be_int8(ladders.fold_batch_norm(*trained)[0])
    last = found.trace[-1].what
    assert last.startswith(f"{len(names) - 1} of {len(names) - 1} layers"), last
