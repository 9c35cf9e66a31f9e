"""The plan: batches for few images, mirroring, whole epochs into the time, and time that is kept for what comes later."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketvision.choose.candidates import describe_candidate
from pocketvision.cost.budget import Budget
from pocketvision.cost.count import describe
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.split import Split
from pocketvision.elastic.train import Sandwich
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan import plan as plan_module
from pocketvision.jobs.plan import sizes as sizes_module
from pocketvision.jobs.plan import timetable as timetable_module
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.initial_weights import SCRATCH, Start
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.plan import Pace, Plan, decide_pace, make_plan
from pocketvision.jobs.plan.recipe import chosen_recipe, may_flip, rate_of
from pocketvision.jobs.plan.sizes import ElasticPlan
from pocketvision.jobs.plan.timetable import FINISH_SECONDS, SLACK, Timetable
from pocketvision.jobs.training.on_all import epochs_in_time
from pocketvision.model.resolve import resolve
from pocketvision.model.weights.load import Weights
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.loop import learn_labels
from pocketvision.train.recipe import RECIPES
from pocketvision.train.speed import Workload


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
        (("turn_left", "turn_right"), None, False),
    ],
)
def test_what_a_mirror_spoils_is_not_mirrored_unless_asked(classes, asked, flip):
    assert may_flip(classes, asked)[0] is flip


GRAPH = resolve("mobilenet_v1", width=0.25, resolution=32, classes=3, output_stride=8)
CANDIDATE = describe_candidate(GRAPH, ("a", "b", "c"), 32, "fp32")
PARTS = Split(np.arange(1280), np.arange(100), np.arange(0), "made up")
FEW = Split(np.arange(1280), np.arange(1280, 1500), np.arange(1500, 1700), "made up")
TRAINED = Start(Weights("made up", GRAPH, {}, Preprocessing(), (), "", "0" * 64))


def test_costs_of_the_network_are_in_the_plan():
    expected = {"name": GRAPH.name, "width": 0.25, "output_stride": 8, "classes": 3}
    assert describe(GRAPH) | expected == describe(GRAPH)


@pytest.fixture
def clock(monkeypatch):
    """Time stands still, and a step that is measured takes 0.7 seconds."""
    monkeypatch.setattr(Workload, "step_seconds", lambda *arguments, **_: 0.7)
    monkeypatch.setattr(sizes_module, "decode_seconds", lambda *arguments: 1.0)
    monkeypatch.setattr(timetable_module.time, "monotonic", lambda: 0.0)


def given(parts=PARTS, deadline=None, start=SCRATCH, **options):
    """Only labels and parts of the images are looked at by a plan."""
    options = {"minutes": 2} | options if deadline else {"epochs": 3} | options
    samples = tuple(Sample(f"{i}", i % 3) for i in range(1700))
    data = Dataset("made up", ("a", "b", "c"), samples, tuple(map(Path, map(str, range(1700)))))
    return Given(data, parts, None, FitOptions(**options), torch.device("cpu"), Latencies(), Timetable(deadline), start)


def planned(step_seconds=None, deadline=100.0, trial_share=0.0):
    return make_plan(
        given(deadline=deadline), CANDIDATE, Pace("float32", step_seconds), "fast", trial_share=trial_share
    )


def test_what_is_reserved_ends_what_comes_before():
    times = Timetable(100.0, {"pick": 20.0, "all": 5.0, "finish": 10.0})
    assert {part: times.stop(part) for part in timetable_module.ORDER} == {
        "main": 65.0,
        "sizes": 65.0,
        "pick": 85.0,
        "all": 90.0,
        "int8": 90.0,
        "finish": 100.0,
    }
    assert times.reserve(finish=20.0).stop("all") == 80.0 and times.stop("all") == 90.0
    assert Timetable().stop("main") is None and Timetable().left("main") == math.inf


@pytest.mark.parametrize(("step_seconds", "seconds"), [(0.1, 0.1), (None, 0.7)])
def test_whole_epochs_fill_the_time(step_seconds, seconds, clock):
    plan = planned(step_seconds)
    assert plan.steps == 1280 // plan.recipe.batch_size and plan.step_seconds == seconds
    assert 0.8 < plan.epochs * plan.steps * seconds / (100 - FINISH_SECONDS) <= 1
    assert plan.training_seconds == pytest.approx(SLACK * plan.epochs * plan.steps * seconds)


def test_time_for_trials_is_kept(clock):
    whole, less = planned(0.1), planned(0.1, trial_share=0.5)
    assert less.epochs == whole.epochs // 2 and less.timetable == whole.timetable


def test_time_for_the_ladder_is_kept(clock):
    whole = planned(0.1)
    int8 = make_plan(given(deadline=100.0), replace(CANDIDATE, precision="int8"), Pace("float32", 0.1), "fast")
    assert whole.timetable.stop("main") - int8.timetable.stop("main") == pytest.approx(10.0)
    assert int8.timetable.stop("int8") == whole.timetable.stop("main") and int8.epochs < whole.epochs


def tuned(parts=FEW, deadline=None, **options):
    return make_plan(given(parts, deadline, TRAINED, **options), CANDIDATE, Pace("float32", 0.1), "fast")


@pytest.mark.parametrize(
    ("epochs", "first", "last"), [(1, 1, 0), (2, 1, 1), (3, 2, 1), (4, 3, 1), (5, 3, 2), (20, 15, 5)]
)
def test_the_last_epochs_of_fine_tuning_are_on_all_images(epochs, first, last):
    plan = tuned(epochs=epochs)
    assert (plan.epochs, plan.epochs_on_all) == (first, last)
    assert plan.steps_on_all == (1500 // plan.recipe.batch_size if last else 0)


def test_epochs_on_all_images_fit_the_time(clock):
    plan = tuned(deadline=100.0)
    assert plan.epochs_on_all > 0
    assert 0.7 < plan.training_seconds / (100 - FINISH_SECONDS) <= 1
    assert plan.training_seconds > SLACK * (plan.epochs + plan.epochs_on_all) * plan.steps * 0.1
    assert plan.timetable.stop("all") - plan.timetable.stop("main") == pytest.approx(plan.seconds_on_all)
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
    plan = tuned(parts, epochs=8)
    assert (plan.epochs, plan.epochs_on_all, plan.steps_on_all) == (8, 0, 0)
    assert planned(deadline=None).epochs_on_all == 0, "nor from scratch"


def test_epochs_on_all_images_are_not_begun_without_time(clock):
    plan = tuned(deadline=100.0)
    each = plan.seconds_on_all / plan.epochs_on_all
    for left, epochs in ((10 * plan.seconds_on_all, plan.epochs_on_all), (1.2 * each, 1), (0.3 * each, 0), (-9.0, 0)):
        assert epochs_in_time(replace(plan, timetable=Timetable(left))) == epochs
    assert epochs_in_time(replace(plan, timetable=Timetable())) == plan.epochs_on_all


def test_moving_statistics_have_no_mean():
    """With a recipe whose batch norms learn, the mean of two trainings would have the wrong statistics."""
    assert tuned(recipe="modern", epochs=8).epochs_on_all == 0


def test_without_a_deadline_nothing_is_measured(clock):
    plan = planned(deadline=None)
    assert (plan.epochs, plan.timetable.stop("main"), plan.step_seconds, plan.training_seconds) == (3, None, None, None)


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
    monkeypatch.setattr(Workload, "choose_precision", lambda self, seconds: ("bfloat16", seconds / 2))
    assert decide_pace(given(training_precision=asked), GRAPH, known) == Pace(*decided)


def test_images_that_are_looked_at(monkeypatch):
    """In bfloat16 a step says less of them, as they are judged in float32; and on the CPU, wherever the network trains."""
    recipe, cpu = RECIPES["modern"], torch.device("cpu")
    look_seconds = timetable_module.look_seconds
    plain = look_seconds(GRAPH, recipe, cpu, "float32", 0.64)
    assert plain == pytest.approx(0.01 * timetable_module.FORWARD_SHARE)
    assert look_seconds(GRAPH, recipe, cpu, "bfloat16", 0.64) == timetable_module.FULL_PRECISION * plain
    seen = []
    monkeypatch.setattr(timetable_module, "compute_logits", lambda network, images: seen.append(images.shape))
    assert 0 < look_seconds(GRAPH, recipe, torch.device("cuda"), "float32", 0.64) < plain
    assert set(seen) == {(timetable_module.TIMED_LOOKS, 32, 32, 3)}


def test_what_is_described(clock):
    plan = replace(planned(0.1), weights=np.array([0.5, 1.5], np.float32))
    seconds = SLACK * plan.steps * 0.1
    assert [note.text for note in plan.describe()] == [
        f"Plan: {plan.epochs} epochs of about {seconds:.0f} s each, in float32.",
        "Classes are weighed by their images, from 0.50 to 1.50.",
    ]
    assert list(planned(deadline=None).describe()) == []


SIZES = ElasticPlan((0.125, 0.25), (16, 32))


def elastic(start=SCRATCH, **options):
    asked = given(FEW, 100.0, start, elastic=True, **options)
    return make_plan(asked, CANDIDATE, Pace("float32", 0.3), "largest", elastic=SIZES)


@pytest.mark.parametrize("made", [lambda: planned(0.1), lambda: tuned(epochs=8), elastic])
def test_a_plan_is_read_as_it_was_written(made, clock):
    plan = replace(made(), weights=np.array([0.1, 1 / 3, 2.5], np.float32), classifier_decay=0.03)
    content = json.loads(json.dumps(plan.to_json()))
    assert content["network"] == GRAPH.name
    again = Plan.from_json(content, Timetable(plan.timetable.deadline))
    assert (again.weights == plan.weights).all()
    assert replace(again, weights=None) == replace(plan, weights=None)


def test_a_plan_is_read_whatever_the_recipes_are_now(clock, monkeypatch):
    """A run that is resumed after a release with other recipes ends with the weights it would have had."""
    plan = planned(0.1)
    content = json.loads(json.dumps(plan.to_json()))
    other = replace(RECIPES["modern"], lr=9.0, momentum=0.0, label_smoothing=0.4, ema=None, warmup=0.5)
    monkeypatch.setitem(RECIPES, "modern", other)
    assert Plan.from_json(content, Timetable(100.0)) == plan
    monkeypatch.setattr("pocketvision.train.recipe.RECIPES", {})
    assert Plan.from_json(content, Timetable(100.0)) == plan


def test_an_elastic_plan_keeps_time_for_judging_the_sizes_and_for_the_pick(clock):
    plan, alone = elastic(), planned(0.3)
    kept = plan.timetable.reserved["sizes"] + plan.timetable.reserved["pick"]
    assert min(plan.timetable.reserved["sizes"], plan.timetable.reserved["pick"]) > 0
    later = alone.timetable.stop("main") - plan.timetable.stop("main")
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

    def reserved(minutes=2, limit=None):
        plan = elastic(minutes=minutes, precision="fp32", budget=Budget(latency_ms=limit))
        return plan.timetable.reserved["sizes"]

    assert reserved(**options) - reserved() == pytest.approx(more)


def plan_of_pick(plan, graph=GRAPH, made=None, has_weights=False):
    asked = given(FEW, 100.0, elastic=True)
    candidate = describe_candidate(graph, ("a", "b", "c"), graph.image.height, "fp32")
    return plan_module.plan_of_pick(asked, plan, candidate, learn_labels, made or {}, has_weights)


def until(plan, seconds):
    """The plan with so many seconds until the file must be begun."""
    return replace(plan, timetable=Timetable(seconds))


def test_the_pick_is_trained_to_the_end_of_the_time(clock):
    plan = elastic()
    pick = plan_of_pick(plan, plan.space.graphs[0])
    left = 100 - plan.timetable.reserved["finish"]
    assert pick.elastic is None and pick.graph == plan.space.graphs[0]
    assert pick.timetable.stop("pick") == pytest.approx(left)
    assert pick.step_seconds == 0.7 and pick.epochs == max(1, left // (SLACK * plan.steps * 0.7))
    assert pick.recipe.lr == pytest.approx(sizes_module.TUNE_RATE * plan.recipe.lr)
    long = replace(until(plan, 1000.0), steps=1)
    assert plan_of_pick(long, pick.graph).epochs > 100, "to the end"
    few = replace(plan, recipe=replace(plan.recipe, most_epochs=2), steps=1)
    assert plan_of_pick(few, pick.graph).epochs == 2
    for epochs, further in ((1, 1), (3, 1), (12, 4)):
        timeless = replace(plan, timetable=Timetable(), step_seconds=None, epochs=epochs)
        assert plan_of_pick(timeless, pick.graph).epochs == further


def test_the_last_epochs_of_a_pick_from_weights_are_on_all_images(clock):
    plan = until(elastic(TRAINED), 1000.0)
    assert plan.epochs_on_all == 0, "the largest network is not the one that is kept"
    assert plan_of_pick(plan).epochs_on_all == 0
    pick = plan_of_pick(plan, has_weights=True)
    assert pick.epochs_on_all == math.ceil((pick.epochs + pick.epochs_on_all) / 4) > 0
    assert pick.steps_on_all == 1500 // pick.recipe.batch_size
    assert 0 < pick.training_seconds <= pick.timetable.stop("all"), "they fit the time"
    both = replace(plan, timetable=Timetable(), step_seconds=None, epochs=6)
    pick = plan_of_pick(both, has_weights=True)
    assert (pick.epochs, pick.epochs_on_all) == (1, 1)


def test_a_pick_is_resumed_as_it_was_planned(clock):
    plan = until(elastic(TRAINED), 1000.0)
    pick = plan_of_pick(plan, has_weights=True)
    made = json.loads(json.dumps(plan_module.pick_json(pick)))
    again = plan_of_pick(until(plan, 50.0), made=made, has_weights=True)
    assert pick.epochs_on_all > 1 and again == replace(pick, timetable=again.timetable)
    assert again.timetable.stop("pick") < pick.timetable.stop("pick")


def test_the_precision_of_an_elastic_training_is_measured_with_its_own_steps(clock, monkeypatch):
    seen = []
    monkeypatch.setattr(
        Workload, "choose_precision", lambda self, seconds: seen.append(self.objective) or ("float32", 0.7)
    )
    decide_pace(given(), GRAPH, None, SIZES)
    decide_pace(given(), GRAPH, None)
    assert isinstance(seen[0], Sandwich) and seen[1] is None
