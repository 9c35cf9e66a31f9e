"""The main job from top to bottom: images in, one verified file out."""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.cost.budget import Spent
from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import Pixels
from pocketvision.data.read import read_dataset
from pocketvision.data.split import Split, split
from pocketvision.data.survey import Survey, survey
from pocketvision.errors import BadData, Interrupted
from pocketvision.events import Event, Measured, Note
from pocketvision.export.artifact import write_artifact
from pocketvision.export.evaluate import Evaluation
from pocketvision.export.seal import seal
from pocketvision.fit.contest import TRIAL_SHARE, Entry, hold_contest
from pocketvision.fit.interrupts import watch_interrupts
from pocketvision.fit.judge import data_json, judge
from pocketvision.fit.measure import Measurement, check_budget, measure_file, results, spent_of
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import decide_precision, make_plan, may_flip
from pocketvision.fit.rundir import RunFolder
from pocketvision.fit.search import Found, search
from pocketvision.model.graph import Graph
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.checkpoint import save_checkpoint
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
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
        measurement: latency, load time and memory of the file on this machine.
        spent: what the file takes of each limit of a budget.
    """

    model: Path
    name: str
    evaluation: Evaluation
    minutes: float
    measurement: Measurement
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "model": str(self.model),
            "network": self.name,
            **self.evaluation.to_json(),
            "minutes": self.minutes,
            "measured": self.measurement.to_json(),
            "size_mb": self.spent.size_mb,
            "memory_mb": self.spent.memory_mb,
            "macs": self.spent.macs,
        }


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
        NoFit: no network fits the budget; nothing is written.
        BudgetMissed: the finished file, which is there, is over the budget.
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

    dataset, parts, seen = yield from read(data)
    device = find_device(options.accelerator)
    found = yield from search(dataset, parts, seen, options, device, deadline)
    entries = yield from _enter(found, dataset, parts, options, device, deadline)
    outcome = yield from hold_contest(entries)
    winner, plan, validation = outcome.winner, outcome.winner.plan, outcome.winner.validation
    trainer = winner.make_trainer()
    run.write_plan(
        {
            "data": data_json(dataset, parts),
            "options": options.to_json(),
            "device": device.type,
            "target": found.device,
            **plan.to_json(),
            "candidates": found.to_json(),
            "trials": list(outcome.trials),
        }
    )
    yield trainer
    test = yield from _decode(dataset, parts.test, plan.graph, "test")
    yield from plan.describe()
    yield from winner.train_with(trainer)

    yield Note("Judging the network on images that it was not trained on, measuring it, and writing the file.")
    network = trainer.average.network.to("cpu")
    record, evaluation = judge(network, dataset, parts, validation, test, plan, PREPROCESSING, options)
    judged = test if len(test) else validation
    limit_ms = options.budget.latency_ms if found.is_here else None
    draft = seal(write_onnx(plan.graph, network.arrays(), record.temperature), record)
    measurement = yield from measure_file(draft, dataset.image(int(judged.indices[0])), options.threads, limit_ms)
    origin = {**record.provenance, "target": found.device}
    record = replace(record, latencies=(measurement.to_json(),), provenance=origin)
    parity = write_artifact(
        run.model,
        plan.graph,
        network.arrays(),
        record,
        judged[:PARITY_IMAGES],
        lambda batch: compute_logits(network, batch),
    )
    yield Note(f"The file and the trained network agree on {parity.images} images to {parity.difference:.1e}.")
    minutes = (time.monotonic() - began) / 60
    spent = spent_of(plan.graph, run.model.stat().st_size, measurement.latency if found.is_here else None)
    yield from _results(evaluation, minutes)
    yield from results(measurement, spent)
    check_budget(run.model, options.budget, spent)
    return Finished(run.model, plan.graph.name, evaluation, minutes, measurement, spent)


def read(data: str | Path) -> Generator[Event, None, tuple[Dataset, Split, Survey]]:
    """Read the data, part it, and look at the images' sizes.

    Raises:
        InputError: it cannot be used.
    """
    dataset = read_dataset(data)
    parts, seen = split(dataset), survey(dataset)
    if not len(parts.validation):
        raise BadData(
            f"{dataset.name} has no validation images, as no class has two images (of different groups, where there are "
            "groups); without them nothing can be calibrated or judged.",
            "more images of a class",
        )
    yield from _describe(dataset, parts, seen)
    return dataset, parts, seen


def _enter(
    found: Found,
    dataset: Dataset,
    parts: Split,
    options: FitOptions,
    device: torch.device,
    deadline: float | None,
) -> Generator[Event, None, list[Entry]]:
    """Return the finalists ready to train, each with images at its resolution, and its plan."""
    flip, reason = may_flip(dataset.classes, options.flip)
    yield Note(f"Training images are {'' if flip else 'not '}mirrored: {reason}.")
    images: dict[int, tuple[Pixels, Pixels]] = {}
    for candidate in found.finalists:
        if candidate.graph.image.height not in images:
            train = yield from _decode(dataset, parts.train, candidate.graph, "training")
            validation = yield from _decode(dataset, parts.validation, candidate.graph, "validation")
            images[candidate.graph.image.height] = train, validation

    labels = dataset.labels[parts.train]
    first = found.finalists[0]
    precision, seconds = decide_precision(first.graph, len(labels), options, device, found.step_seconds.get(first.name))
    reserved = TRIAL_SHARE * len(found.finalists) if len(found.finalists) > 1 else 0.0
    known = {**(found.step_seconds if precision == "float32" else {}), first.name: seconds}
    entries = []
    for candidate in found.finalists:
        plan = make_plan(
            candidate.graph,
            found.reason,
            labels,
            parts,
            options,
            device,
            deadline,
            precision,
            known.get(candidate.name),
            reserved,
        )
        plan = replace(plan, augmentation=replace(plan.augmentation, flip=flip))
        entries.append(Entry(plan, *images[plan.graph.image.height], options.seed, device))
    return entries


def _decode(dataset: Dataset, indices: NDArray[np.int64], graph: Graph, part: str) -> Generator[Event, None, Pixels]:
    pixels = Pixels(dataset, indices, graph.image.height, graph.image.channels, PREPROCESSING)
    yield from pixels.decode(f"decoding {part} images")
    return pixels


def _describe(dataset: Dataset, parts: Split, seen: Survey) -> Generator[Event, None, None]:
    yield Note(
        f"{dataset.name}: {len(dataset):,} {'grey' if seen.grey else 'colour'} images of {len(dataset.classes)} classes, "
        f"short side {seen.short_side_median} pixels (median)."
    )
    counts = f"{len(parts.train):,} to train, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    yield Note(f"{counts}. {parts.made}")


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


def _results(evaluation: Evaluation, minutes: float) -> Generator[Event, None, None]:
    yield Measured(f"top-1 on the {evaluation.part} part", evaluation.top1)
    yield Measured("standard error", evaluation.standard_error)
    yield Measured("calibration error before", evaluation.ece_uncalibrated)
    yield Measured("calibration error after", evaluation.ece)
    yield Measured("minutes", minutes)
