"""The main job from top to bottom: images in, one verified file out."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import Pixels, training_batches
from pocketvision.data.read import read_dataset
from pocketvision.data.split import Split, split
from pocketvision.data.survey import Survey, survey
from pocketvision.errors import BadData, Interrupted
from pocketvision.events import Event, Measured, Note
from pocketvision.export.artifact import write_artifact
from pocketvision.export.evaluate import Evaluation
from pocketvision.fit.interrupts import watch_interrupts
from pocketvision.fit.judge import data_json, judge
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import CHECKED_EACH_EPOCH, Plan, choose_network, make_plan, may_flip
from pocketvision.fit.rundir import RunFolder
from pocketvision.model.network import Network, build
from pocketvision.run.metrics import negative_log_likelihood, top1
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.checkpoint import save_checkpoint
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
from pocketvision.train.loss import as_tensor
from pocketvision.train.speed import find_device

PARITY_IMAGES = 256
PREPROCESSING = Preprocessing()


@dataclass(frozen=True)
class Finished:
    """What came out.

    Attributes:
        model: the file.
        name: the network's full name.
        evaluation: the score on the test part, or on validation where there is no test part.
        minutes: wall time in all.
    """

    model: Path
    name: str
    evaluation: Evaluation
    minutes: float


def fit(
    data: str | Path, out: str | Path, options: FitOptions, restart: bool = False
) -> Generator[Event, None, Finished]:
    """Train a network on images and write one verified file.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, or be empty.
        options: what is asked for.
        restart: move an older run out of the way, once the new one is planned.

    Yields:
        Events: what is being done, and what it gave.

    Returns:
        What came out.

    Raises:
        InputError, UsageError: before anything is written.
        Interrupted: on Ctrl-C, after saving a checkpoint; once the file is there, the job ends as usual.
        NonFiniteLoss: the training diverged.
        ExportMismatch: the exported file disagrees with the network.
    """
    run = RunFolder(out, restart)
    with watch_interrupts() as interrupts:
        job = _fit(data, run, options)
        trainer: Trainer | None = None
        try:
            while True:
                event = next(job)
                if isinstance(event, Trainer):
                    trainer = event
                    continue
                run.log(event)
                if interrupts.requested and not (trainer and run.model.exists()):
                    raise _interrupted(run, trainer)
                yield event
        except StopIteration as stop:
            finished: Finished = stop.value
            return finished
        finally:
            run.close()


def _fit(data: str | Path, run: RunFolder, options: FitOptions) -> Generator[Event | Trainer, None, Finished]:
    """The job itself. It hands its trainer to `fit`, which saves it when the user stops the job."""
    began = time.monotonic()
    deadline = None if options.minutes is None else began + 60 * options.minutes

    dataset = read_dataset(data)
    parts, seen = split(dataset), survey(dataset)
    if not len(parts.validation):
        raise BadData(
            f"{dataset.name} has no validation images, as no class has two images (of different groups, where there are "
            "groups); without them nothing can be calibrated or judged.",
            "more images of a class",
        )
    yield from _describe(dataset, parts, seen)
    device = find_device(options.accelerator)
    chosen = yield from choose_network(dataset, parts, seen, options, device, deadline)

    side, channels = chosen.graph.image.height, chosen.graph.image.channels
    train, validation, test = (
        Pixels(dataset, indices, side, channels, PREPROCESSING)
        for indices in (parts.train, parts.validation, parts.test)
    )
    for pixels, part in ((train, "training"), (validation, "validation"), (test, "test")):
        yield from pixels.decode(f"decoding {part} images")

    plan = yield from make_plan(chosen, train.labels, parts, options, device, deadline)
    flip, reason = may_flip(dataset.classes, options.flip)
    plan = replace(plan, augmentation=replace(plan.augmentation, flip=flip))
    yield Note(f"Training images are {'' if flip else 'not '}mirrored: {reason}.")
    run.write_plan(
        {"data": data_json(dataset, parts), "options": vars(options), "device": device.type, **plan.to_json()}
    )

    trainer = _make_trainer(plan, options.seed, device)
    yield trainer
    yield from trainer.run(
        lambda epoch: training_batches(train, plan.recipe.batch_size, plan.augmentation, options.seed, epoch),
        _validate(validation),
    )

    network = trainer.average.network.to("cpu")
    yield Note("Judging the network on images that it was not trained on, and writing the file.")
    record, evaluation = judge(network, dataset, parts, validation, test, plan, PREPROCESSING, options)
    images = (test if len(test) else validation)[:PARITY_IMAGES]
    parity = write_artifact(
        run.model, plan.graph, network.arrays(), record, images, lambda batch: compute_logits(network, batch)
    )
    yield Note(f"The file and the trained network agree on {parity.images} images to {parity.difference:.1e}.")
    minutes = (time.monotonic() - began) / 60
    yield from _results(evaluation, run.model.stat().st_size / 1e6, minutes)
    return Finished(run.model, plan.graph.name, evaluation, minutes)


def _describe(dataset: Dataset, parts: Split, seen: Survey) -> Generator[Event, None, None]:
    yield Note(
        f"{dataset.name}: {len(dataset):,} {'grey' if seen.grey else 'colour'} images of {len(dataset.classes)} classes, "
        f"short side {seen.short_side_median} pixels (median)."
    )
    counts = f"{len(parts.train):,} to train, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    yield Note(f"{counts}. {parts.made}")


def _make_trainer(plan: Plan, seed: int, device: torch.device) -> Trainer:
    torch.manual_seed(seed)
    return Trainer(
        network=build(plan.graph, seed).to(device),
        recipe=plan.recipe,
        epochs=plan.epochs,
        steps=plan.steps,
        class_weights=as_tensor(plan.weights, device),
        precision=plan.precision,
        stop_by=plan.stop_by,
    )


def _validate(validation: Pixels) -> Callable[[Network], tuple[float, float]]:
    """Return the check after each epoch, on evenly spaced validation images."""
    rows = slice(None, None, max(1, len(validation) // CHECKED_EACH_EPOCH))
    images, labels = validation[rows], validation.labels[rows]

    def check(network: Network) -> tuple[float, float]:
        logits = compute_logits(network, images)
        return negative_log_likelihood(logits, labels), top1(logits, labels)

    return check


def _interrupted(run: RunFolder, trainer: Trainer | None) -> Interrupted:
    """Save what was reached; return the error that says so."""
    if trainer is None:
        return Interrupted("stopped before training began; nothing was trained.", "the same command again")
    where = {"epoch": trainer.epoch, "step": trainer.step, "epochs": trainer.epochs, "steps": trainer.steps}
    save_checkpoint(run.checkpoint, trainer.average.network.arrays(), where)
    reached = f"in epoch {trainer.epoch + 1} of {trainer.epochs}, after step {trainer.step} of {trainer.steps}"
    if not trainer.steps_left:
        reached = "after training, before the file was written"
    return Interrupted(
        f"stopped {reached}; the averaged weights are in {run.checkpoint}.",
        "the same command with --restart, to start over",
    )


def _results(evaluation: Evaluation, size_mb: float, minutes: float) -> Generator[Event, None, None]:
    yield Measured(f"top-1 on the {evaluation.part} part", evaluation.top1)
    yield Measured("standard error", evaluation.standard_error)
    yield Measured("calibration error before", evaluation.ece_uncalibrated)
    yield Measured("calibration error after", evaluation.ece)
    yield Measured("size in MB", size_mb)
    yield Measured("minutes", minutes)
