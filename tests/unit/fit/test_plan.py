"""The plan: batches for few images, and mirroring."""

import dataclasses

import numpy as np
import pytest

from pocketvision.choose.candidates import Pick
from pocketvision.data.split import Split
from pocketvision.fit import plan as plan_module
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import chosen_recipe, make_plan, may_flip, model_json
from pocketvision.model.resolve import resolve
from pocketvision.train.recipe import RECIPES


@pytest.mark.parametrize(
    ("options", "images", "batch_size"),
    [
        ({}, 60_000, RECIPES["modern"].batch_size),
        ({}, 400, 20),
        ({}, 24, 16),
        ({"batch_size": 48}, 24, 48),
        ({"batch_size": 256, "recipe": "paper"}, 24, 256),
    ],
)
def test_few_images_get_smaller_batches_and_the_rate_that_goes_with_them(options, images, batch_size):
    recipe, named = chosen_recipe(FitOptions(**options), images), RECIPES[options.get("recipe", "modern")]
    assert recipe.batch_size == batch_size
    assert recipe.lr / batch_size == pytest.approx(named.lr / named.batch_size)


def test_a_rate_that_was_asked_for_stays():
    assert chosen_recipe(FitOptions(lr=0.3), 24).lr == 0.3


@pytest.mark.parametrize(
    ("classes", "asked", "flip"),
    [
        (("0", "1"), None, False),
        (("a", "b"), None, False),
        (("a", "bee"), None, True),
        (("0", "1"), True, True),
        (("cat", "dog"), False, False),
    ],
)
def test_letters_and_digits_are_not_mirrored_unless_asked(classes, asked, flip):
    assert may_flip(classes, asked)[0] is flip


def test_costs_of_the_network_are_in_the_plan():
    graph = resolve("mobilenet_v1", width=0.25, resolution=32, classes=3, output_stride=8)
    assert model_json(graph) | {"name": graph.name, "width": 0.25, "output_stride": 8, "classes": 3} == model_json(
        graph
    )


@pytest.mark.parametrize(("precision", "seconds"), [("float32", 0.1), ("bfloat16", 0.7)])
def test_epochs_fit_the_time_in_the_precision_asked_for(precision, seconds, monkeypatch):
    """The pick was measured in float32; a processor without bfloat16 takes several times as long in that."""
    graph = resolve("mobilenet_v1", width=0.25, resolution=32, classes=3, output_stride=8)
    labels = np.arange(1280) % 3
    parts = Split(np.arange(1280), np.arange(100), np.arange(0), "made up")
    monkeypatch.setattr(plan_module, "measure_step_seconds", lambda *arguments: 0.7)
    monkeypatch.setattr(plan_module.time, "monotonic", lambda: 0.0)
    events = make_plan(Pick(graph, 0.1, "fast"), labels, parts, FitOptions(precision=precision), None, deadline=100.0)
    with pytest.raises(StopIteration) as stop:
        while True:
            next(events)
    plan = stop.value.value
    assert plan.steps == 1280 // plan.recipe.batch_size
    assert 0.8 < plan.epochs * plan.steps * seconds / (100 - plan_module.FINISH_SECONDS) <= 1
    assert dataclasses.asdict(plan.augmentation)["erase"] == 0.0
