import json
import time
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from graphs import residual, small
from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Epoch, Note, Step
from pocketvision.model.network import build
from pocketvision.train import loop
from pocketvision.train.loop import Trainer, autocast, set_batch_norm_momentum
from pocketvision.train.recipe import RECIPES
from pocketvision.train.schedule import rate
from refusals import refused

BATCH = 10
RECIPE = replace(RECIPES["modern"], batch_size=BATCH, lr=0.05)
SCORE = SimpleNamespace(loss=0.5, top1=0.75)  # what is read of an assessment


def validate(_):
    yield from ()
    return SCORE


def problem(side=8, classes=5, seed=0):
    """40 noisy images of one colour a class; a batch is ten of them."""
    rng = np.random.default_rng(seed)
    labels = np.arange(4 * BATCH) % classes
    colours = rng.integers(0, 200, (classes, 3, 1, 1))
    images = colours[labels] + rng.integers(0, 56, (len(labels), 3, side, side))
    return torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels)


def batches(epoch, first=0, steps=4, side=8):
    images, labels = problem(side)
    for step in range(first, steps):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        yield images[rows], labels[rows]


def trainer(epochs=3, steps=4, recipe=RECIPE, **options):
    return Trainer(build(residual(4)), recipe, epochs, steps, **options)


def run(job, batches=batches):
    return list(job.run(batches, validate))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls(precision):
    epochs = of(Epoch, run(trainer(epochs=8, precision=precision)))
    assert epochs[-1].loss < 0.6 * epochs[0].loss


def test_class_weights_scale_the_loss():
    plain = next(iter(of(Step, run(trainer(epochs=1)))))
    double = next(iter(of(Step, run(trainer(epochs=1, class_weights=torch.full((5,), 2.0))))))
    assert double.loss == pytest.approx(2 * plain.loss)


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_the_schedule_goes_from_the_first_step_to_the_end(schedule):
    recipe = replace(RECIPE, schedule=schedule)
    job = trainer(epochs=3, steps=4, recipe=recipe)
    events = run(job)
    steps, epochs = of(Step, events), of(Epoch, events)
    assert [step.lr for step in steps] == pytest.approx([rate(recipe, i / 12) for i in range(12)])
    assert job.progress == pytest.approx(1)
    assert [(s.epoch, s.step, s.epochs, s.steps) for s in steps] == [
        (epoch, step, 3, 4) for epoch in (1, 2, 3) for step in (1, 2, 3, 4)
    ]
    assert steps[-1].seconds_left == 0 and min(s.seconds_left for s in steps[:-1]) > 0
    assert [(e.epoch, e.epochs) for e in epochs] == [(1, 3), (2, 3), (3, 3)]
    assert epochs[-1].lr == pytest.approx(rate(recipe, 1.0))
    assert [type(event) for event in events] == 3 * ([Step] * 4 + [Epoch])


def test_the_loss_of_an_epoch_is_the_mean_over_its_steps(monkeypatch):
    job, losses = trainer(epochs=1), [4.0, 2.0, 3.0, 1.0]
    monkeypatch.setattr(job, "train_step", lambda *_: losses.pop(0))
    events = run(job)
    assert [event.loss for event in events] == [4.0, 3.0, 3.0, 2.5, 2.5]


def test_validation_sees_the_averaged_weights_after_each_epoch():
    job, seen = trainer(epochs=2), []

    def watched(network):
        seen.append((network, job.done, network.arrays()["classifier.bias"].copy()))
        yield from ()
        return SimpleNamespace(loss=0.1 * len(seen), top1=0.2 * len(seen))

    epochs = of(Epoch, job.run(batches, watched))
    assert [(e.validation_loss, e.validation_top1) for e in epochs] == [(0.1, 0.2), (0.2, 0.4)]
    assert all(network is job.average.network is not job.network for network, _, _ in seen)
    assert [done for _, done, _ in seen] == [4, 8]
    assert not np.array_equal(seen[0][2], seen[1][2])


def test_batches_are_asked_for_by_epoch_and_trained_on_in_training_mode():
    job, seen = trainer(epochs=2, recipe=replace(RECIPE, ema=None)), []

    def watched(epoch, first):
        for batch in batches(epoch, first):
            seen.append((epoch, job.network.training))
            yield batch

    def validated(network):
        network.eval()
        return (yield from validate(network))

    list(job.run(watched, validated))
    assert seen == [(0, True)] * 4 + [(1, True)] * 4


@pytest.mark.parametrize("until", [1, 3, 4])
def test_a_pause_changes_nothing(until):
    """Some steps, and the rest of them later: the same weights, rates and epochs as without the pause."""
    paused, whole = trainer(epochs=2), trainer(epochs=2)
    first = list(islice(paused.run(batches, validate), until))
    assert len(of(Step, first)) == until == paused.done
    pieces, at_once = first + run(paused), run(whole)
    assert [step.lr for step in of(Step, pieces)] == [step.lr for step in of(Step, at_once)]
    assert [(step.epoch, step.step) for step in of(Step, pieces)] == [(s.epoch, s.step) for s in of(Step, at_once)]
    for name, array in whole.average.network.arrays().items():
        assert np.array_equal(array, paused.average.network.arrays()[name]), name


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def batches(self, seconds):
        """Batches of which four, an epoch, take so long."""

        def slow(epoch, first):
            for batch in batches(epoch, first):
                self.now += seconds / 4
                yield batch

        return slow


@pytest.mark.parametrize(
    ("stop_after", "total", "said"),
    [
        (None, 24, ""),
        (60, 24, ""),
        (59.9, 24, ""),  # by less than LATE
        (35, 14, "3.5 epochs instead of 6"),
        (5, 4, "1.0 epochs instead of 6"),
    ],
)
def test_steps_that_would_end_too_late_are_dropped(monkeypatch, stop_after, total, said):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "LATE", 1.05)
    job = trainer(epochs=6, stop_by=None if stop_after is None else clock.now + stop_after)
    events = run(job, clock.batches(10))
    assert len(of(Step, events)) == total == job.done and job.steps_left == 0
    assert len(of(Epoch, events)) == -(-total // 4) == job.epochs == of(Epoch, events)[-1].epoch
    notes = of(Note, events)
    assert len(notes) == bool(said) and all(said in note.text for note in notes)
    if total > 4:
        assert job.progress == pytest.approx(1)  # the rate falls sooner
        assert of(Step, events)[-1].lr < 0.1 * RECIPE.lr


def test_spare_time_becomes_whole_epochs(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    start = clock.now
    job = trainer(epochs=2, stop_by=start + 58)
    events = run(job, clock.batches(10))
    assert job.epochs == len(of(Epoch, events)) == 5 and job.done == 20
    assert "4 more epochs instead of 1" in of(Note, events)[0].text
    assert job.progress == pytest.approx(1) and clock.now - start <= 58


@pytest.mark.parametrize(("steps", "epochs"), [(1, 1), (2, 11), (3, 7), (4, 5)])  # of 2.5 s a step
def test_a_single_epoch_becomes_more_where_there_is_time(steps, epochs, monkeypatch):
    """Measured far too slow, as beside other work: after its end, which one step is, it would be too late."""
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    start = clock.now
    job = trainer(epochs=1, steps=steps, stop_by=start + 58)
    events = run(job, clock.batches(10))
    assert job.epochs == len(of(Epoch, events)) == epochs and job.progress == pytest.approx(1)
    assert clock.now - start <= 58 and bool(of(Note, events)) is (epochs > 1)


def test_time_for_validation_is_kept(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    start = clock.now
    job = trainer(epochs=6, stop_by=start + 60)

    def slowly(network):
        clock.now += 5
        return (yield from validate(network))

    notes = of(Note, job.run(clock.batches(10), slowly))
    assert len(notes) == 1, "said once, however often the plan shrinks"
    assert 50 < clock.now - start <= 62.5 and job.progress > 0.9


def test_a_machine_that_recovers_takes_the_planned_steps(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    job = trainer(epochs=4, stop_by=clock.now + 44)

    def slow_at_first(epoch, first):
        for batch in batches(epoch, first):
            clock.now += 5 if job.done < 2 else 2
            yield batch

    events = run(job, slow_at_first)
    (note,) = of(Note, events)
    assert "3.0 epochs instead of 4" in note.text
    assert job.done == job.planned == 16 and job.progress == pytest.approx(1)


def test_a_slow_machine_is_noticed_within_the_first_epoch(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "STEPS_TO_JUDGE", 2)
    job = trainer(epochs=1, stop_by=clock.now + 30)
    epochs = of(Epoch, run(job, clock.batches(40)))
    assert job.done == 3 and (epochs[-1].epoch, epochs[-1].epochs) == (1, 1)


def test_rates_and_times_of_a_slow_machine(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(loop, "time", clock)
    events = run(trainer(epochs=2), clock.batches(8))
    steps, epochs = of(Step, events), of(Epoch, events)
    assert [step.images_per_second for step in steps] == pytest.approx([5.0] * 8)
    assert [step.seconds_left for step in steps] == pytest.approx([14, 12, 10, 8, 6, 4, 2, 0])
    assert [(epoch.seconds, epoch.images_per_second) for epoch in epochs] == [(8, 5)] * 2


def test_a_deadline_that_has_passed_ends_training():
    assert len(of(Epoch, run(trainer(epochs=5, stop_by=time.monotonic() - 1)))) == 1


@pytest.mark.parametrize(
    ("recipe", "stop"),
    [("sgd", 1), ("sgd", 4), ("sgd", 5), ("sgd", 6), ("sgd", 9), ("adamw", 5), ("rmsprop", 6), ("no average", 4)],
)
def test_a_snapshot_goes_on_as_if_nothing_had_been(recipe, stop):
    """After a step, at the end of an epoch before and after its validation: the same weights, bit for bit."""
    recipe = replace(RECIPE, ema=None) if recipe == "no average" else replace(RECIPE, optimizer=recipe)
    whole = trainer(epochs=2, recipe=recipe)
    events = run(whole)
    stopped = trainer(epochs=2, recipe=recipe)
    before = list(islice(stopped.run(batches, validate), stop))
    snapshot = stopped.snapshot()
    list(islice(stopped.run(batches, validate), 2))  # what was not saved is lost
    job = Trainer(build(residual(4), seed=7), recipe, 2, 4)
    job.restore(snapshot)
    after = run(job)
    assert [describe(event) for event in before + after] == [describe(event) for event in events]
    for network, other in ((job.network, whole.network), (job.average.network, whole.average.network)):
        for name, array in other.arrays().items():
            assert np.array_equal(network.arrays()[name], array), name


def describe(event):
    """All that does not depend on the clock."""
    return type(event).__name__, event.epoch, event.loss, getattr(event, "step", None), event.lr


def test_a_snapshot_is_a_copy_and_json():
    job = trainer()
    snapshot = job.snapshot()
    kept = {name: tensor.clone() for name, tensor in snapshot.tensors.items()}
    run(job)
    assert json.loads(json.dumps(snapshot.numbers)) == snapshot.numbers and snapshot.is_finite
    assert all(torch.equal(tensor, kept[name]) for name, tensor in snapshot.tensors.items())


def test_random_numbers_go_on_where_they_were():
    """Dropout's."""
    job = trainer()
    snapshot = job.snapshot()
    first = torch.rand(3)
    job.restore(snapshot)
    assert torch.equal(torch.rand(3), first)


class Breaking:
    """Makes the loss no number at some steps of the whole training, counted from 0, by a bias of the classifier."""

    def __init__(self, job, bias, *steps):
        self.job, self.bias, self.steps, self.seen = job, bias, set(steps), []

    def __call__(self, epoch, first):
        for step, batch in enumerate(batches(epoch, first), first):
            with torch.no_grad():
                now, number = self.job.network.classifier.bias[0].item(), 4 * epoch + step
                self.healthy = now if np.isfinite(now) else self.healthy
                self.job.network.classifier.bias[0] = self.bias if number in self.steps else self.healthy
                self.seen.append(number)
            yield batch


@pytest.mark.parametrize(("bias", "loss"), [(float("nan"), "nan"), (float("-inf"), "inf")])
def test_a_batch_without_a_loss_is_left_out_and_said(bias, loss):
    job = trainer(epochs=2, recipe=replace(RECIPE, label_smoothing=0.1))
    breaking = Breaking(job, bias, 2, 3, 5)
    events = run(job, breaking)
    notes, places = of(Note, events), ("step 3 of 4 in epoch 1", "step 4 of 4 in epoch 1", "step 2 of 4 in epoch 2")
    assert len(notes) == 3
    assert all(loss in note.text and place in note.text for note, place in zip(notes, places, strict=True))
    assert breaking.seen == list(range(8)) and job.done == 8 and job.rate_factor == 1.0
    assert all(np.isfinite(event.loss) for event in of(Epoch, events))
    assert job.snapshot().is_finite


def test_statistics_of_a_batch_that_is_left_out_are_left_out():
    job = trainer(epochs=1)
    job.network.train()
    images, labels = next(batches(0))
    before = {name: buffer.clone() for name, buffer in job.network.named_buffers()}
    with torch.no_grad():
        job.network.classifier.bias[0] = float("nan")
    job.train_step(images, labels, 0.1)
    assert all(torch.equal(buffer, before[name]) for name, buffer in job.network.named_buffers())


def test_three_in_a_row_go_back_to_the_last_good_state_at_half_the_rate():
    job = trainer(epochs=2)
    events = list(islice(job.run(batches, validate), 2))
    job.good = job.snapshot()
    breaking = Breaking(job, float("nan"), 2, 3, 4)
    for event in job.run(breaking, validate):
        events.append(event)
        if isinstance(event, Note) and "at half the rate" in event.text:
            breaking.steps.clear()
    assert all(words in of(Note, events)[-1].text for words in ("3 batches", "epoch 1, step 2", "half the rate"))
    assert breaking.seen == [2, 3, 4, 2, 3, 4, 5, 6, 7] and job.done == 8
    assert of(Step, events)[-1].lr == pytest.approx(0.5 * rate(RECIPE, 7 / 8))


@pytest.mark.parametrize(("precision", "more"), [("float32", ""), ("bfloat16", " or --training-precision float32")])
def test_a_loss_that_stays_no_number_stops_training_with_good_weights(precision, more):
    job = trainer(epochs=3, precision=precision)
    list(islice(job.run(batches, validate), 3))
    good = job.good = job.snapshot()
    named = ("nan", "step 2 of 4 in epoch 2", f"{0.5 * rate(RECIPE, 5 / 12):.4g}", "batch of 10", "3 batches")
    with refused(NonFiniteLoss, *named, attempt=f"--lr 0.0125{more}"):
        run(job, Breaking(job, float("nan"), *range(3, 12)))
    after = job.network.state_dict()
    assert all(torch.equal(after[name], good.tensors[f"network.{name}"]) for name in after), "of the last good state"


def test_the_same_seed_gives_the_same_weights():
    def weights(seed):
        torch.manual_seed(seed)
        job = Trainer(build(small("mobilenet_v1"), seed), RECIPE, epochs=2, steps=2)
        run(job, lambda epoch, first: batches(epoch, first, steps=2, side=32))
        return job.average.network.arrays() | {f"last.{k}": v for k, v in job.network.arrays().items()}

    first, second, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["classifier.weight"], other["classifier.weight"])


def test_autocast():
    assert isinstance(autocast("float32", torch.device("cpu")), nullcontext)
    with autocast("bfloat16", torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_all_batch_norms_get_the_recipes_momentum():
    job = trainer(recipe=replace(RECIPE, batch_norm_momentum=0.03))
    norms = [module for module in job.network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert [norm.momentum for norm in norms] == [0.03] * 4
    set_batch_norm_momentum(job.network, 0.5)
    assert {norm.momentum for norm in norms} == {0.5}
