"""The ladder's own choices, on networks that learnt nothing; `end_to_end/test_ladder.py` climbs with a trained one."""

import numpy as np
import pytest

from assessments import assessed
from graphs import random_arrays
from pocketvision.compress import ladder as ladders
from pocketvision.compress.bias import correct_biases
from pocketvision.compress.gate import judge
from pocketvision.compress.ladder import Climbed, Ladder
from pocketvision.compress.ranges import observe
from pocketvision.events import drain
from pocketvision.model.fake_quant import insert_fake_quant
from pocketvision.model.graph import Conv, Linear
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import fold_batch_norm

GRAPH = resolve("mobilenet_v1", 0.25, 16, classes=5)
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
LABELS = np.arange(1000) % 5


def answers(wrong: int):
    """Of a thousand images, so many are answered wrongly."""
    logits = np.eye(5)[LABELS]
    logits[:wrong] = np.roll(logits[:wrong], 1, axis=1)
    return assessed(logits, LABELS)


@pytest.mark.parametrize(("wrong", "best"), [((30, 50, 40), 1), ((50, 30, 40), 2), ((50, 40, 30), 3), ((50, 5, 0), 2)])
def test_the_best_rung_counts_and_the_first_that_passes_ends_it(monkeypatch, wrong, best):
    def rung(number):
        def climb(*_, **__):
            yield from ()
            return Climbed(GRAPH, {}, judge(answers(0), answers(wrong[number - 1])), number, b"")

        return climb

    for number, name in enumerate(("_static", "_equalised", "_kept_in_floats"), start=1):
        monkeypatch.setattr(Ladder, name, rung(number))
    monkeypatch.setattr(ladders, "engine_outputs", lambda *_: [np.eye(5)[LABELS]])
    assert drain(Ladder(IMAGES, IMAGES, LABELS).climb(GRAPH, random_arrays(GRAPH))).rung == best


def test_equalised_networks_alone_have_their_biases_corrected(monkeypatch):
    corrected, judged = [], iter([answers(0), *[answers(100)] * 20])

    def assess(*_):
        yield from ()
        return next(judged)

    monkeypatch.setattr(Ladder, "_assess", assess)
    monkeypatch.setattr(ladders, "correct_biases", lambda graph, arrays, values: corrected.append(graph) or arrays)
    found = drain(Ladder(IMAGES, IMAGES, LABELS, highest=2, methods=("mse",)).climb(GRAPH, random_arrays(GRAPH)))
    assert len(corrected) == sum(step.rung == 2 for step in found.trace) > 0


def test_biases_are_less_by_what_rounding_adds_on_average():
    plain, arrays = fold_batch_norm(GRAPH, random_arrays(GRAPH))
    integers = insert_fake_quant(plain, (), 3)
    values = drain(observe(integers, arrays, IMAGES))
    for op in integers.ops:
        if isinstance(op, Conv | Linear) and op.weight_limit is not None:
            filters = arrays[op.parameters()[0].name]
            arrays[f"{op.name}.weight_quant.scale"] = np.abs(filters).reshape(len(filters), -1).max(1) / 3
    found = correct_biases(integers, arrays, values)
    weight, scale = arrays["classifier.weight"], arrays["classifier.weight_quant.scale"][:, None]
    means, rounded = values[integers["classifier"].inputs[0]].means, np.rint(weight / scale) * scale
    wanted = weight @ means + arrays["classifier.bias"]
    assert rounded @ means + found["classifier.bias"] == pytest.approx(wanted, abs=1e-5)
    assert np.abs((rounded - weight) @ means).max() > 1e-3
