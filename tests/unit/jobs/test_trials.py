"""Trials: short ones on real pixels, and who may overrule the prior."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from jobs import watched
from pocketvision.choose.candidates import describe_candidate
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.pixels import Pixels
from pocketvision.data.split import Split
from pocketvision.events import Note, Progress
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.plan import Pace, make_plan
from pocketvision.jobs.plan.timetable import Timetable
from pocketvision.jobs.training import trials
from pocketvision.jobs.training.training import Training
from pocketvision.jobs.training.trials import choose_winner, hold_trials, trial_steps
from pocketvision.model.resolve import resolve
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.recipe import RECIPES

CPU = torch.device("cpu")
TRAIN, STRIPES = 640, 720  # images; half of them have the left side bright; 40 steps


def stripes():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (STRIPES, 16, 16), np.uint8)
    for i in range(STRIPES):
        images[i, :, (i % 2) * 8 : (i % 2) * 8 + 8] += 100
    return Dataset("stripes", ("left", "right"), tuple(Sample(f"{i}", i % 2) for i in range(STRIPES)), images)


def training(width, epochs=40):
    data = stripes()
    parts = Split(np.arange(TRAIN), np.arange(TRAIN, STRIPES), np.arange(0), "made up")
    graph = resolve("mobilenet_v1_shallow", width, 16, classes=2, in_channels=1, output_stride=8)
    options = FitOptions(epochs=epochs, batch_size=16, flip=False)
    given = Given(data, parts, None, options, CPU, Latencies(), Timetable())
    candidate = describe_candidate(graph, data.classes, 16, "fp32")
    plan = make_plan(given, candidate, Pace("float32"), "made up")
    plan = replace(plan, augmentation=replace(plan.augmentation, flip=False, shift=0.0))
    train, validation = (Pixels(data, part, 16, 1, Preprocessing()) for part in (parts.train, parts.validation))
    return Training(plan, train, validation, 0, CPU)


@pytest.mark.parametrize(
    ("others", "winner"),
    [
        ([], 0),
        ([np.arange(1000) < 700], 0),  # as good
        ([np.arange(1000) % 2 == 0], 0),  # worse
        ([np.arange(1000) < 703], 0),  # better by less than two errors
        ([np.arange(1000) < 740], 1),
        ([np.arange(1000) < 740, np.arange(1000) < 741], 1),
        ([np.arange(1000) < 740, np.arange(1000) < 900], 2),
    ],
)
def test_the_prior_is_overruled_by_what_is_no_noise(others, winner):
    assert choose_winner([np.arange(1000) < 700, *others]) == winner


def test_a_difference_counts_on_the_same_images():
    """Forty images more of those that the first gets wrong, but other forty lost: nothing is won."""
    first = np.arange(1000) < 700
    assert choose_winner([first, np.roll(first, 40)]) == 0


def test_one_network_needs_no_trial():
    only = training(0.25)
    found, events = watched(hold_trials([only]))
    assert (found.winner, found.trials, events) == (only, (), [])


def test_too_few_steps_tell_nothing():
    found, events = watched(hold_trials([training(0.5, epochs=2), training(0.25, epochs=2)]))
    assert found.winner.plan.graph.options.width == 0.5 and found.trials == ()
    assert events == [Note("There is no time or too few images for a trial of several networks: the prior decides.")]


def test_all_trials_are_as_long():
    plan = training(0.25).plan
    long, short = (replace(plan, epochs=epochs, steps=500) for epochs in (100, 20))
    assert (trial_steps([long]), trial_steps([short]), trial_steps([long, short])) == (2500, 500, 500)


@pytest.mark.parametrize(("asked", "taken"), [(1, 1), (39, 39), (40, 40), (70, 40), (80, 80)])
def test_many_steps_are_whole_epochs(asked, taken):
    _, events = watched(training(0.125).try_out(asked))
    assert [(event.done, event.total) for event in events] == [(i, taken) for i in range(1, taken + 1)]


def test_trials_teach_and_are_the_same_again(monkeypatch):
    monkeypatch.setattr(trials, "FEWEST_STEPS", 10)
    monkeypatch.setattr(trials, "TRIAL_SHARE", 0.25)
    found, events = watched(hold_trials([training(0.125, epochs=1), training(0.25, epochs=1)]))
    again, _ = watched(hold_trials([training(0.125, epochs=1), training(0.25, epochs=1)]))
    assert found.trials == again.trials
    assert [(trial["name"], trial["steps"]) for trial in found.trials] == [
        ("mobilenet_v1_shallow_w0.125_r16_s8", 10),
        ("mobilenet_v1_shallow_w0.25_r16_s8", 10),
    ]
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0] == f"Trial: {found.trials[0]['name']}, top-1 {found.trials[0]['top1']:.4f} after 10 steps."
    steps = [event for event in events if isinstance(event, Progress)]
    assert [(event.done, event.total) for event in steps] == [(i, 10) for i in range(1, 11)] * 2
    assert {event.work for event in steps} == {f"trial of {trial['name']}" for trial in found.trials}


def test_a_trial_has_the_whole_schedule_and_the_winner_starts_anew():
    """Forty steps of a job of forty epochs: the rate has gone to zero, and stripes are told apart."""
    only = training(0.25)
    right, _ = watched(only.try_out(40))
    assert len(right) == STRIPES - TRAIN and right.mean() > 0.9
    trainer = only.make_trainer()
    assert (trainer.done, trainer.total) == (0, 1600)


def test_the_winner_that_the_prior_did_not_expect_is_named(monkeypatch):
    monkeypatch.setattr(trials, "FEWEST_STEPS", 1)
    tries = iter([np.arange(100) < 50, np.arange(100) < 90])

    def try_out(self, steps):
        yield from ()
        return next(tries)

    monkeypatch.setattr(Training, "try_out", try_out)
    found, events = watched(hold_trials([training(0.5), training(0.25)]))
    assert found.winner.plan.graph.options.width == 0.25
    assert events[-1].text == "mobilenet_v1_shallow_w0.25_r16_s8 was better than the prior thought."


@pytest.mark.parametrize(("recipe", "on_all", "most"), [("finetune", 5, 15), ("finetune", 0, 20), ("modern", 0, None)])
def test_spare_time_does_not_take_the_epochs_kept_for_all_images(recipe, on_all, most):
    one = training(0.25)
    one = replace(one, plan=replace(one.plan, recipe=RECIPES[recipe], epochs_on_all=on_all))
    assert one.make_trainer().recipe.most_epochs == most
