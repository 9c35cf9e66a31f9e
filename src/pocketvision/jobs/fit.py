"""The main job from top to bottom: images in, one verified file out."""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Spent
from pocketvision.cost.device_file import read_device_file
from pocketvision.data.check import Checked, check
from pocketvision.data.dataset import Dataset
from pocketvision.data.looks import Look
from pocketvision.data.manifest import make_manifest, read_manifest
from pocketvision.data.pixels import Pixels
from pocketvision.data.split import Split, split
from pocketvision.data.survey import Survey, survey
from pocketvision.errors import BadData
from pocketvision.events import Event, Measured, Note
from pocketvision.export.artifact import file_of, write_artifact
from pocketvision.export.evaluate import Evaluation
from pocketvision.jobs.finish.int8 import PreparedImages, spread_out
from pocketvision.jobs.finish.measure import Measurement, check_budget, measure_file, results
from pocketvision.jobs.finish.precision import Stored, store
from pocketvision.jobs.finish.record import calibrate, data_json, judge
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.initial_weights import Start, decide
from pocketvision.jobs.plan.room import check_space
from pocketvision.jobs.plan.search import Found
from pocketvision.jobs.runs.checkpointing import Saved, clear_damaged
from pocketvision.jobs.runs.folder import LOG, RunFolder
from pocketvision.jobs.runs.interrupts import Interrupts, watch_interrupts
from pocketvision.jobs.runs.result import Finished, read_finished, spent_in
from pocketvision.jobs.runs.same import disk_failed, interrupted, require_same
from pocketvision.jobs.sizes.pick import go_on_with_pick
from pocketvision.jobs.sizes.store import front_json, has_cuts, read_cuts
from pocketvision.jobs.training.interpolate import settle
from pocketvision.jobs.training.on_all import go_on_with_all
from pocketvision.jobs.training.prepare import begin_with, decode, enter, enter_again
from pocketvision.jobs.training.trials import Entry, Outcome, hold_contest
from pocketvision.model.network import Network
from pocketvision.report.facts import Facts
from pocketvision.report.files import write_report
from pocketvision.report.gather import gather, read_epochs
from pocketvision.train.checkpoint import Snapshot
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
from pocketvision.train.memory import keep_memory
from pocketvision.train.speed import find_device

PARITY_IMAGES = 256


def fit(
    data: str | Path, out: str | Path, options: FitOptions, restart: bool = False, recheck: bool = False
) -> Generator[Event, None, Finished]:
    """Train a network on images and write one verified file.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, or be empty.
        options: what is asked for.
        restart: move an older run out of the way, once the new one is planned.
        recheck: decode every image for the check, also those that a run in the folder has seen.

    Yields:
        Events: what is being done, and what it gave.

    Returns:
        What came out.

    Raises:
        InputError, UsageError: before anything is written.
        RunFolderInUse: the folder holds a run with other options or other images.
        Interrupted: on Ctrl-C, after saving a checkpoint; once the file is there, the job ends as usual.
        NonFiniteLoss: the training diverged.
        ExportMismatch: the exported file disagrees with the network.
        DiskFailed: the disk is full or refuses; the last checkpoint is whole.
        NoFit: no network fits the budget; nothing is written.
        BudgetMissed: the finished file, which is there, is over the budget.
    """
    run = RunFolder(out, restart)
    with watch_interrupts() as interrupts:
        job = _fit(data, run, options, interrupts, recheck)
        try:
            while True:
                interrupts.may_raise = True
                event = next(job)
                interrupts.may_raise = False
                run.log(event)
                if interrupts.requested and not (interrupts.is_held or run.is_written):
                    raise KeyboardInterrupt
                yield event
        except StopIteration as stop:
            finished: Finished = stop.value
            return finished
        except KeyboardInterrupt:
            raise interrupted(run) from None
        except OSError as error:
            raise disk_failed(run, error) from error
        finally:
            interrupts.may_raise = False
            job.close()
            run.close()


def _fit(
    data: str | Path, run: RunFolder, options: FitOptions, interrupts: Interrupts, recheck: bool
) -> Generator[Event, None, Finished]:
    """The job itself."""
    began = time.monotonic()
    keep_memory()
    known = read_manifest(run.path).looks() if run.is_begun and not recheck else None
    dataset, parts, seen, checked = yield from read(data, known)
    manifest = make_manifest(checked, parts)
    job = Job(dataset, parts, seen, options, find_device(options.accelerator), _deadline(began, options))
    if run.is_begun:
        require_same(run, manifest, options)
        if run.is_finished:
            yield Note(f"{run.model} is finished; there is nothing left to do. --restart starts over.")
            return read_finished(run, options)
        snapshot = run.resume()
        began -= run.seconds
        job = replace(job, deadline=_deadline(began, options))
        entry, trainer = yield from _go_on(run, snapshot, job)
    else:
        entry, content = yield from _decide(run, job)
        with interrupts.held():
            run.begin(content, manifest, entry.start)
        trainer = entry.make_trainer()
    plan, saved = entry.plan, Saved(run, interrupts, began)
    if plan.elastic is None:
        test = yield from decode(job, parts.test, plan.graph, plan.preprocessing, "test")
    yield from plan.describe()
    yield from saved.train(entry.train_with(trainer), trainer, run.checkpoint)
    if plan.elastic is not None:
        entry, trainer, test = yield from go_on_with_pick(job, entry, trainer.average.network, saved)
    network, share = yield from settle(entry, trainer.average.network.to("cpu"))
    del trainer  # and its moments
    calibrated, on_all = calibrate(network, entry.validation), ""
    if entry.plan.epochs_on_all:
        network, on_all = yield from go_on_with_all(entry, network, share, saved)

    yield Note("Judging the network on images that it was not trained on, measuring it, and writing the file.")
    stored = yield from _store(Stored(network, *judge(network, calibrated, job, test, plan, on_all)), job, entry, test)
    measurement, facts = yield from _finish(
        network, stored, test if len(test) else entry.validation, checked, run, options, interrupts
    )
    minutes = (time.monotonic() - began) / 60
    spent = spent_in(run, network.graph, stored.record, measurement, options)
    yield from _results(stored.evaluation, minutes)
    yield from results(measurement, spent)
    with interrupts.held():
        yield from write_report(run.path, lambda: facts(spent, minutes))
    check_budget(run.model, options.budget, spent)
    return Finished(run.model, stored.name, stored.evaluation, minutes, measurement, spent)


def _decide(run: RunFolder, job: Job) -> Generator[Event, None, tuple[Entry, dict[str, Any]]]:
    """Decide where training starts, which network it is, and how it is trained; return that, and what plan.json says of it."""
    start, found = yield from decide(job)
    weights = start.weights
    entries = yield from enter(job, found, weights)
    yield from check_space(run, entries)
    outcome = yield from hold_contest(entries)
    if weights is not None:
        entry, start = yield from begin_with(outcome.winner, weights, start.sentences)
        outcome = replace(outcome, winner=entry)
    return outcome.winner, _plan_json(job, found, outcome, start)


def _go_on(run: RunFolder, snapshot: Snapshot | None, job: Job) -> Generator[Event, None, tuple[Entry, Trainer]]:
    """Return the network of a run that was begun, and its trainer where it was saved last."""
    content = run.read_plan()
    arrays = None if content["start"]["weights"] is None else run.read_start()
    entry = yield from enter_again(job, content, arrays)
    trainer = entry.make_trainer()
    if snapshot is not None:
        trainer.restore(snapshot)
    yield from clear_damaged(run.checkpoint, snapshot)
    yield Note(f"Going on in {run.path} after epoch {trainer.epoch}, step {trainer.step} of {trainer.steps}.")
    return entry, trainer


def _store(floats: Stored, job: Job, entry: Entry, test: Pixels) -> Generator[Event, None, Stored]:
    """Return the trained network in the precision that was planned, or in floats, where that one is not good enough."""
    plan, options, parts = entry.plan, job.options, job.parts
    train, some = (
        Pixels(job.dataset, rows, plan.graph.image.height, plan.graph.image.channels, plan.preprocessing)
        for rows in (parts.train, spread_out(parts.train))
    )
    if plan.precision == "int8":
        yield Note("The network becomes one in integers, as far as that costs no accuracy.")
        yield from some.decode("decoding images to find ranges with")
    images = PreparedImages(train, some, entry.validation, test, entry.validation.labels, test.labels)
    target = None if options.target is None else read_device_file(Path(options.target))
    return (yield from store(plan.precision, floats, images, options.threads, target, job.deadline))


def _finish(
    network: Network,
    stored: Stored,
    judged: Pixels,
    checked: Checked,
    run: RunFolder,
    options: FitOptions,
    interrupts: Interrupts,
) -> Generator[Event, None, tuple[Measurement, Callable[[Spent, float], Facts]]]:
    """Measure the judged network and write its file; return also what gathers the facts of its report.

    `network` is the trained one, `stored` what the file holds.
    """
    record, dataset = stored.record, checked.dataset
    as_stored, arrays = stored.network, stored.network.arrays()
    limit_ms = options.budget.latency_ms if options.target is None else None
    draft = file_of(as_stored.graph, arrays, record)
    measurement = yield from measure_file(draft, dataset.image(int(judged.indices[0])), options.threads, limit_ms)
    record = replace(record, latencies=(measurement.to_json(),), provenance={**record.provenance, **run.origin()})
    with interrupts.held():
        parity = write_artifact(
            run.model,
            as_stored.graph,
            arrays,
            record,
            judged[:PARITY_IMAGES],
            lambda batch: compute_logits(as_stored, batch),
        )
        yield Note(f"The file and the trained network {parity}.")

    def facts(spent: Spent, minutes: float) -> Facts:
        return gather(
            record=record,
            plan=run.read_plan(),
            epochs=read_epochs((run.path / LOG).read_text(encoding="utf-8")),
            graph=network.graph,
            arrays=network.arrays(),
            dataset=dataset,
            indices=judged.indices,
            logits=stored.logits,
            spent=spent,
            minutes=minutes,
            findings=[finding.to_json() for finding in checked.findings],
            front=front_json(read_cuts(run.path), options.budget) if has_cuts(run.path) else None,
        )

    return measurement, facts


def _deadline(began: float, options: FitOptions) -> float | None:
    return None if options.minutes is None else began + 60 * options.minutes


def _plan_json(job: Job, found: Found, outcome: Outcome, start: Start) -> dict[str, Any]:
    """Return every decision, so that the same command goes on with the same ones."""
    return {
        "data": data_json(job.dataset, job.parts),
        "options": job.options.to_json(),
        "device": job.device.type,
        "target": found.device,
        "start": start.to_json(),
        **outcome.winner.plan.to_json(),
        "candidates": found.to_json(),
        "trials": list(outcome.trials),
    }


def read(
    data: str | Path, known: Mapping[str, Look] | None = None
) -> Generator[Event, None, tuple[Dataset, Split, Survey, Checked]]:
    """Read the data, check every image that is not `known`, leave out what cannot be used, and part the rest.

    Raises:
        InputError: it cannot be used.
    """
    checked = yield from check(data, known=known)
    dataset = checked.dataset
    parts, seen = split(dataset), survey(checked.facts)
    if not len(parts.validation):
        raise BadData(
            f"{dataset.name} has no validation images, as no class has two images (of different groups, where there are "
            "groups); without them nothing can be calibrated or judged.",
            "more images of a class",
        )
    checked = checked.divided(parts)
    yield from _describe(dataset, parts, seen)
    for sentence in checked.sentences():
        yield Note(sentence)
    return dataset, parts, seen, checked


def _describe(dataset: Dataset, parts: Split, seen: Survey) -> Generator[Event, None, None]:
    yield Note(
        f"{dataset.name}: {len(dataset):,} {'grey' if seen.grey else 'colour'} images of {len(dataset.classes)} classes, "
        f"short side {seen.short_side_median} pixels (median)."
    )
    counts = f"{len(parts.train):,} to train, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    yield Note(f"{counts}. {parts.made}")


def _results(evaluation: Evaluation, minutes: float) -> Generator[Event, None, None]:
    yield Measured(f"top-1 on the {evaluation.part} part", evaluation.top1)
    yield Measured("standard error", evaluation.standard_error)
    yield Measured("calibration error before", evaluation.ece_uncalibrated)
    yield Measured("calibration error after", evaluation.ece)
    yield Measured("minutes", minutes)
