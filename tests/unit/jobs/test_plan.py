"""The plan: batches for few images, and mirroring."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketvision.cost.budget import Budget
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.split import Split
from pocketvision.elastic.train import Sandwich
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan import plan as plan_module
from pocketvision.jobs.plan import sizes as elastic_plan
from pocketvision.jobs.plan import timetable as seconds_module
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.plan import decide_training_precision, make_plan, model_json
from pocketvision.jobs.plan.recipe import chosen_recipe, may_flip, rate_of
from pocketvision.jobs.plan.sizes import ElasticPlan
from pocketvision.jobs.training.on_all import epochs_in_time
from pocketvision.model.resolve import resolve
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.loop import learn_labels
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


def test_an_elastic_training_takes_smaller_batches_at_the_same_rate():
    named = RECIPES["modern"]
    recipe = chosen_recipe(FitOptions(), 60_000, is_elastic=True)
    assert (recipe.batch_size, recipe.lr) == (named.elastic_batch_size, named.lr)
    larger = chosen_recipe(FitOptions(batch_size=64), 60_000, is_elastic=True)
    assert (larger.batch_size, larger.lr) == (64, pytest.approx(2 * named.lr))
    assert chosen_recipe(FitOptions(recipe="paper"), 60_000, is_elastic=True).batch_size == RECIPES["paper"].batch_size


def test_a_network_without_batch_norm_gets_a_smaller_rate():
    recipe = RECIPES["modern"]
    assert rate_of(resolve("mobilenet_v1", 0.25, 32), recipe) == recipe
    assert rate_of(resolve("squeezenet1_1", 0.25, 32), recipe).lr == pytest.approx(recipe.lr / 5)
    assert rate_of(resolve("squeezenet1_1", 0.25, 32), RECIPES["finetune"]) == RECIPES["finetune"]


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


GRAPH = resolve("mobilenet_v1", width=0.25, resolution=32, classes=3, output_stride=8)
PARTS = Split(np.arange(1280), np.arange(100), np.arange(0), "made up")


@pytest.fixture
def clock(monkeypatch):
    """Time stands still, and a step that is measured takes 0.7 seconds."""
    monkeypatch.setattr(plan_module, "measure_step_seconds", lambda *arguments, **_: 0.7)
    monkeypatch.setattr(elastic_plan, "decode_seconds", lambda *arguments: 1.0)
    monkeypatch.setattr(plan_module.time, "monotonic", lambda: 0.0)


def job(options, parts=PARTS, deadline=None):
    """Only labels and parts of the images are looked at by a plan."""
    samples = tuple(Sample(f"{i}", i % 3) for i in range(1700))
    return Job(
        Dataset("made up", ("a", "b", "c"), samples, tuple(map(Path, map(str, range(1700))))),
        parts,
        None,
        options,
        torch.device("cpu"),
        deadline,
    )


def planned(precision="float32", step_seconds=None, deadline=100.0, reserved=0.0):
    options = FitOptions(epochs=None if deadline else 3, minutes=2 if deadline else None)
    return make_plan(job(options, deadline=deadline), GRAPH, "fast", precision, step_seconds, reserved)


@pytest.mark.parametrize(("step_seconds", "seconds"), [(0.1, 0.1), (None, 0.7)])
def test_whole_epochs_fill_the_time(step_seconds, seconds, clock):
    plan = planned(step_seconds=step_seconds)
    assert plan.steps == 1280 // plan.recipe.batch_size and plan.step_seconds == seconds
    assert 0.8 < plan.epochs * plan.steps * seconds / (100 - seconds_module.FINISH_SECONDS) <= 1
    assert plan.training_seconds == pytest.approx(seconds_module.SLACK * plan.epochs * plan.steps * seconds)


def test_time_for_trials_is_kept(clock):
    whole, less = planned(step_seconds=0.1), planned(step_seconds=0.1, reserved=0.5)
    assert less.epochs == whole.epochs // 2 and less.stop_by == whole.stop_by


FEW = Split(np.arange(1280), np.arange(1280, 1500), np.arange(1500, 1700), "made up")


def tuned(parts=FEW, **changed):
    asked = {"minutes": 2, **changed}
    deadline = None if asked["minutes"] is None else 100.0
    given = job(FitOptions(**asked), parts, deadline)
    return make_plan(given, GRAPH, "fast", "float32", 0.1, preprocessing=Preprocessing())


@pytest.mark.parametrize(
    ("epochs", "first", "last"), [(1, 1, 0), (2, 1, 1), (3, 2, 1), (4, 3, 1), (5, 3, 2), (20, 15, 5)]
)
def test_the_last_epochs_of_fine_tuning_are_on_all_images(epochs, first, last):
    plan = tuned(epochs=epochs, minutes=None)
    assert (plan.epochs, plan.epochs_on_all) == (first, last)
    assert plan.steps_on_all == (1500 // plan.recipe.batch_size if last else 0)


def test_epochs_on_all_images_fit_the_time(clock):
    plan = tuned()
    assert plan.epochs_on_all > 0
    assert 0.7 < plan.training_seconds / (100 - seconds_module.FINISH_SECONDS) <= 1
    assert plan.training_seconds > seconds_module.SLACK * (plan.epochs + plan.epochs_on_all) * plan.steps * 0.1
    [note, *_] = plan.describe()
    assert f"then {plan.epochs_on_all} with the validation images, too, in float32." in note.text


@pytest.mark.parametrize(
    "parts",
    [
        replace(FEW, is_given=True),  # the data set's own choice of what not to train on
        replace(FEW, test=np.arange(0)),  # nothing else could judge
        replace(FEW, validation=np.arange(plan_module.FEW_TO_VALIDATE + 1)),
    ],
)
def test_validation_images_that_are_never_trained_on(parts):
    plan = tuned(parts, epochs=8, minutes=None)
    assert (plan.epochs, plan.epochs_on_all, plan.steps_on_all) == (8, 0, 0)
    assert planned(deadline=None).epochs_on_all == 0, "nor from scratch"


def test_epochs_on_all_images_are_not_begun_without_time(clock):
    plan = tuned()
    each = plan.seconds_on_all / plan.epochs_on_all
    for left, epochs in ((10 * plan.seconds_on_all, plan.epochs_on_all), (1.2 * each, 1), (0.3 * each, 0), (-9.0, 0)):
        assert epochs_in_time(replace(plan, stop_by=left)) == epochs
    assert epochs_in_time(replace(plan, stop_by=None)) == plan.epochs_on_all


def test_moving_statistics_have_no_mean():
    """With a recipe whose batch norms learn, the mean of two trainings would have the wrong statistics."""
    assert tuned(recipe="modern", epochs=8, minutes=None).epochs_on_all == 0


def test_a_plan_of_an_older_release_has_no_epochs_on_all(clock):
    content = {**planned(step_seconds=0.1).to_json(), "start": {"weights": None}}
    for name in ("epochs_on_all", "steps_on_all", "classifier_decay"):
        del content[name]
    plan = plan_module.read_plan(content, job(FitOptions(minutes=2), deadline=100.0))
    assert (plan.epochs_on_all, plan.steps_on_all, plan.classifier_decay) == (0, 0, None)


def test_without_a_deadline_nothing_is_measured(clock):
    plan = planned(deadline=None)
    assert (plan.epochs, plan.stop_by, plan.step_seconds, plan.training_seconds) == (3, None, None, None)


@pytest.mark.parametrize(
    ("asked", "known", "decided"),
    [
        ("float32", 0.1, ("float32", 0.1)),
        ("float32", None, ("float32", None)),
        ("bfloat16", 0.1, ("bfloat16", None)),  # 0.1 is of float32; emulated, bfloat16 takes several times as long
        ("auto", 0.1, ("bfloat16", 0.05)),
        ("auto", None, ("bfloat16", 0.35)),
    ],
)
def test_the_precision_is_the_one_asked_for_or_the_faster_one(asked, known, decided, clock, monkeypatch):
    monkeypatch.setattr(
        plan_module,
        "choose_precision",
        lambda graph, recipe, device, timed, seconds, objective: ("bfloat16", seconds / 2),
    )
    assert decide_training_precision(job(FitOptions(training_precision=asked)), GRAPH, known) == decided


def test_images_that_are_looked_at(monkeypatch):
    """In bfloat16 a step says less of them, as they are judged in float32; and on the CPU, wherever the network trains."""
    recipe, cpu = RECIPES["modern"], torch.device("cpu")
    plain = seconds_module.look_seconds(GRAPH, recipe, cpu, "float32", 0.64)
    assert plain == pytest.approx(0.01 * seconds_module.FORWARD_SHARE)
    assert seconds_module.look_seconds(GRAPH, recipe, cpu, "bfloat16", 0.64) == seconds_module.FULL_PRECISION * plain
    seen = []
    monkeypatch.setattr(seconds_module, "compute_logits", lambda network, images: seen.append(images.shape))
    assert 0 < seconds_module.look_seconds(GRAPH, recipe, torch.device("cuda"), "float32", 0.64) < plain
    assert set(seen) == {(seconds_module.TIMED_LOOKS, 32, 32, 3)}


def test_what_is_described(clock):
    plan = replace(planned(step_seconds=0.1), weights=np.array([0.5, 1.5], np.float32))
    seconds = seconds_module.SLACK * plan.steps * 0.1
    assert [note.text for note in plan.describe()] == [
        f"Plan: {plan.epochs} epochs of about {seconds:.0f} s each, in float32.",
        "Classes are weighed by their images, from 0.50 to 1.50.",
    ]
    assert list(planned(deadline=None).describe()) == []


def test_all_of_the_plan_is_json(clock):
    content = planned(step_seconds=0.1).to_json()
    assert json.loads(json.dumps(content)) == content
    assert content["model"]["name"] == GRAPH.name and content["epochs"] == planned(step_seconds=0.1).epochs


SIZES = ElasticPlan((0.125, 0.25), (16, 32))


def elastic(**changed):
    options = FitOptions(minutes=2, elastic=True)
    return make_plan(job(options, FEW, 100.0), GRAPH, "largest", "float32", 0.3, elastic=SIZES, **changed)


def test_an_elastic_plan_keeps_time_for_the_front_and_the_pick(clock):
    plan, alone = elastic(), planned(step_seconds=0.3)
    assert plan.elastic.front_seconds > 0 and plan.elastic.tune_seconds > 0
    later = alone.stop_by - plan.stop_by
    kept = plan.elastic.front_seconds + plan.elastic.tune_seconds
    assert kept < later < kept + 2.0, "and for looking back at both ends of the pick's training"
    assert [(graph.options.width, graph.options.resolution) for graph in plan.space.graphs] == [
        (0.125, 16),
        (0.125, 32),
        (0.25, 16),
        (0.25, 32),
    ]
    assert len(alone.space.graphs) == 1


@pytest.mark.parametrize(("options", "more"), [({"minutes": 4}, 6.0), ({"minutes": 100}, 14.0), ({"limit": 1}, 6.0)])
def test_time_for_timing_the_cuts_is_kept(options, more, clock):
    """5 % of the time, 20 s at most; twice that where a latency is limited, as those near the limit are timed again."""

    def front_seconds(minutes=2, limit=None):
        options = FitOptions(minutes=minutes, elastic=True, precision="fp32", budget=Budget(latency_ms=limit))
        return make_plan(job(options, FEW, 100.0), GRAPH, "", "float32", 0.3, elastic=SIZES).elastic.front_seconds

    assert front_seconds(**options) - front_seconds() == pytest.approx(more)


def test_an_elastic_plan_is_read_again(clock):
    content = json.loads(json.dumps(elastic().to_json() | {"start": {"weights": None}}))
    again = plan_module.read_plan(content, job(FitOptions(minutes=2, elastic=True), FEW, 100.0))
    assert again.elastic == elastic().elastic and again.stop_by == pytest.approx(elastic().stop_by)


def plan_of_pick(given, plan, graph=GRAPH, made=None, has_weights=False):
    return plan_module.plan_of_pick(given, plan, graph, "fp32", learn_labels, made or {}, has_weights)


def test_the_pick_is_trained_to_the_end_of_the_time(clock):
    plan = elastic()
    given = job(FitOptions(minutes=2, elastic=True), FEW, 100.0)
    pick = plan_of_pick(given, plan, plan.space.graphs[0])
    left = 100 - (plan.finish_seconds - plan.elastic.front_seconds - plan.elastic.tune_seconds)
    assert pick.elastic is None and pick.graph == plan.space.graphs[0] and pick.stop_by == pytest.approx(left)
    taken = seconds_module.SLACK * plan.steps * 0.7
    assert pick.step_seconds == 0.7 and pick.epochs == max(1, left // taken)
    assert pick.recipe.lr == pytest.approx(elastic_plan.TUNE_RATE * plan.recipe.lr)
    long = replace(plan, steps=1, stop_by=1000.0)
    assert plan_of_pick(given, long, pick.graph).epochs > 100, "to the end"
    few = replace(plan, recipe=replace(plan.recipe, most_epochs=2), steps=1)
    assert plan_of_pick(given, few, pick.graph).epochs == 2
    for epochs, further in ((1, 1), (3, 1), (12, 4)):
        timeless = replace(plan, stop_by=None, step_seconds=None, epochs=epochs)
        assert plan_of_pick(given, timeless, pick.graph).epochs == further


def test_the_last_epochs_of_a_pick_from_weights_are_on_all_images(clock):
    given = job(FitOptions(minutes=2, elastic=True), FEW, 100.0)
    plan = replace(elastic(preprocessing=Preprocessing()), stop_by=1000.0)
    assert plan.epochs_on_all == 0, "the largest network is not the one that is kept"
    assert plan_of_pick(given, plan).epochs_on_all == 0
    pick = plan_of_pick(given, plan, has_weights=True)
    assert pick.epochs_on_all == math.ceil((pick.epochs + pick.epochs_on_all) / 4) > 0
    assert pick.steps_on_all == 1500 // pick.recipe.batch_size
    assert 0 < pick.training_seconds <= pick.stop_by, "they fit the time"
    both = replace(plan, stop_by=None, step_seconds=None, epochs=6)
    pick = plan_of_pick(given, both, has_weights=True)
    assert (pick.epochs, pick.epochs_on_all) == (1, 1)


def test_a_pick_goes_on_as_it_was_planned(clock):
    given = job(FitOptions(minutes=2, elastic=True), FEW, 100.0)
    plan = replace(elastic(preprocessing=Preprocessing()), stop_by=1000.0)
    pick = plan_of_pick(given, plan, has_weights=True)
    made = json.loads(json.dumps(plan_module.pick_json(pick)))
    late = replace(plan, stop_by=50.0)
    again = plan_of_pick(given, late, made=made, has_weights=True)
    assert pick.epochs_on_all > 1 and again == replace(pick, stop_by=again.stop_by) and again.stop_by < pick.stop_by


def test_the_precision_of_an_elastic_training_is_measured_with_its_own_steps(clock, monkeypatch):
    seen = []
    monkeypatch.setattr(
        plan_module, "choose_precision", lambda *arguments: seen.append(arguments[-1]) or ("float32", 0.7)
    )
    decide_training_precision(job(FitOptions()), GRAPH, None, elastic=SIZES)
    decide_training_precision(job(FitOptions()), GRAPH, None)
    assert isinstance(seen[0], Sandwich) and seen[1] is None
