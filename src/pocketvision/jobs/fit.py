"""The main job from top to bottom: images in, one verified file out."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Budget
from pocketvision.data.manifest import make_manifest, read_manifest
from pocketvision.data.pixels import Pixels
from pocketvision.events import Measured, Note, Work
from pocketvision.jobs.finish.file import PARITY_IMAGES, Draft, FinishedFile, write_file
from pocketvision.jobs.finish.int8 import Limits
from pocketvision.jobs.finish.measure import Measuring, check_budget, results
from pocketvision.jobs.finish.parts import PreparedImages, spread_out
from pocketvision.jobs.finish.precision import in_precision
from pocketvision.jobs.finish.record import (
    TRAINED_ON,
    common_record,
    data_json,
    goldens_of,
    make_record,
    metrics_of,
    with_provenance,
)
from pocketvision.jobs.finish.result import Finished, read_finished
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.plan.read import Read, read_images
from pocketvision.jobs.plan.room import check_room
from pocketvision.jobs.plan.search import Found, decide
from pocketvision.jobs.plan.timetable import Timetable
from pocketvision.jobs.runs.checkpointing import Checkpointing
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.runs.interrupts import Interrupts, watch_interrupts
from pocketvision.jobs.runs.log import read_epochs
from pocketvision.jobs.runs.same import disk_failed, interrupted, require_same
from pocketvision.jobs.sizes.pick import train_pick
from pocketvision.jobs.sizes.store import front_json, has_cuts, read_cuts
from pocketvision.jobs.training.interpolate import interpolate
from pocketvision.jobs.training.on_all import learn_all
from pocketvision.jobs.training.prepare import begin_with, decode, prepare, prepare_again
from pocketvision.jobs.training.stages import Stage, run_stage
from pocketvision.jobs.training.training import Training
from pocketvision.jobs.training.trials import Outcome, hold_trials
from pocketvision.model.network import Network
from pocketvision.report.files import write_report
from pocketvision.report.gather import Sources, gather
from pocketvision.run.assess import Assessment, Evaluation, assess
from pocketvision.train.checkpoint import Snapshot
from pocketvision.train.evaluate import outputs
from pocketvision.train.memory import keep_memory


def fit(
    data: str | Path, out: str | Path, options: FitOptions, restart: bool = False, recheck: bool = False
) -> Work[Finished]:
    """Train a network on images and write one verified file.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, be empty, or hold this very run, which is then resumed.
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
) -> Work[Finished]:
    """The job itself: read, decide, train stage by stage, assess, finish, report."""
    began = time.monotonic()
    keep_memory()
    before = None if run.state == "new" else read_manifest(run.path)
    read = yield from read_images(data, None if before is None or recheck else before.looks())
    given = read.given(options, Timetable.of(began, options.minutes))
    manifest = make_manifest(read.checked, read.parts)
    if before is not None:
        require_same(run, before, manifest, options)
        if run.state == "finished":
            yield Note(f"{run.model} is finished; there is nothing left to do. --restart starts over.")
            return read_finished(run, options, given.latencies)
        run.resume()
        began -= run.seconds
        given = replace(given, timetable=Timetable.of(began, options.minutes))
        checkpointing = Checkpointing(run, interrupts, began)
        training, snapshot = yield from _take_up(given, checkpointing)
    else:
        training, content = yield from _decide(run, given)
        with interrupts.held():
            run.begin(content, manifest, training.start)
        checkpointing, snapshot = Checkpointing(run, interrupts, began), None
    plan = training.plan
    trained, training, test = yield from _train(given, training, snapshot, checkpointing)
    network, share = yield from interpolate(training, trained)
    validated = yield from assess(outputs(network, training.validation), training.validation.labels)
    network, on_all = yield from learn_all(training, network, share, checkpointing)
    draft = yield from _draft(given, plan, network, validated, test, on_all)
    draft = yield from _in_precision(given, training, draft, test)
    file = yield from _write(given, run, draft, test if len(test) else training.validation, interrupts)
    minutes = (time.monotonic() - began) / 60
    finished = _finished(run, file, network, given, minutes)
    yield from _say(finished)
    with interrupts.held():
        judged = test if len(test) else training.validation
        yield from write_report(run.path, lambda: gather(_sources(run, file.draft, network, judged, finished, read)))
    check_budget(run.model, options.budget, finished.spent, finished)
    return finished


def _decide(run: RunFolder, given: Given) -> Work[tuple[Training, dict[str, Any]]]:
    """Decide where training starts, which network it is, and how it is trained; return that, and what plan.json says of it."""
    given, found = yield from decide(given)
    start = given.start
    trainings = yield from prepare(given, found)
    yield from check_room(run.path, [training.plan for training in trainings])
    outcome = yield from hold_trials(trainings)
    if start.weights is not None:
        training, start = yield from begin_with(outcome.winner, start.weights, start.sentences)
        outcome = replace(outcome, winner=training)
    return outcome.winner, _plan_json(replace(given, start=start), found, outcome)


def _plan_json(given: Given, found: Found, outcome: Outcome) -> dict[str, Any]:
    """Return every decision, so that the same command resumes with the same ones."""
    return {
        "data": data_json(given.dataset, given.parts),
        "options": given.options.to_json(),
        "device": given.device.type,
        "target": str(given.latencies.device),
        "start": given.start.to_json(),
        **outcome.winner.plan.to_json(),
        "candidates": found.to_json(),
        "trials": list(outcome.trials),
    }


def _take_up(given: Given, checkpointing: Checkpointing) -> Work[tuple[Training, Snapshot | None]]:
    """Return the main training of a run that was begun, and where it was saved last."""
    run = checkpointing.run
    content = run.read_plan()
    arrays = None if content["start"]["weights"] is None else run.read_start()
    try:
        plan = Plan.from_json(content, given.timetable)
    except (KeyError, TypeError, ValueError) as error:
        raise run.damaged(f"it has no {error}" if isinstance(error, KeyError) else str(error)) from error
    training = yield from prepare_again(given, content, plan, arrays)
    snapshot = yield from checkpointing.take_up("main")
    if snapshot is None:
        yield Note(f"Resuming in {run.path}, which has no checkpoint yet.")
    return training, snapshot


def _train(
    given: Given, training: Training, snapshot: Snapshot | None, checkpointing: Checkpointing
) -> Work[tuple[Network, Training, Pixels]]:
    """Run the main stage, and the pick's in an elastic run; return the network, its training, and test images for it."""
    plan = training.plan
    if plan.elastic is None:
        test = yield from decode(given, given.parts.test, plan.graph, plan.preprocessing, "test")
    yield from plan.describe()
    trainer = training.make_trainer()
    yield from run_stage(Stage("main", training), trainer, snapshot, checkpointing)
    if plan.elastic is None:
        return trainer.average.network.to("cpu"), training, test
    pick = yield from train_pick(given, training, trainer.average.network, checkpointing)
    return pick.network.to("cpu"), pick.training, pick.test


def _draft(given: Given, plan: Plan, network: Network, validated: Assessment, test: Pixels, on_all: str) -> Work[Draft]:
    """Score the test part once; return the network with its record.

    Without a test part the score is the validation part's, and says so.

    Args:
        given: images and options.
        plan: of the main training that the network comes from, perhaps as a cut.
        network: as it will be stored.
        validated: what validation said of it, before it learnt from these images.
        test: images at its resolution.
        on_all: what was done with the validation images, too; empty: nothing.
    """
    found, calibration = {"validation": validated}, validated.calibration
    yield Note("Judging the network on images that it was not trained on, measuring it, and writing the file.")
    if len(test):
        found["test"] = yield from assess(outputs(network, test), test.labels, "test", calibration)
    common = common_record(given, plan)
    common["data"]["trained_on"] = TRAINED_ON[: 2 if on_all else 1]
    scores = {part: one.evaluation for part, one in found.items()}
    metrics = {"data": common["data"], **metrics_of(scores)}
    record = make_record(network.graph, common, metrics, calibration, goldens_of(network))
    return Draft(network, with_provenance(record, on_all=on_all), scores, found.get("test", validated))


def _in_precision(given: Given, training: Training, draft: Draft, test: Pixels) -> Work[Draft]:
    """Return the trained network in the precision that was planned, or in fp32, where that one is not good enough."""
    plan, parts = training.plan, given.parts
    train, some = (
        Pixels(given.dataset, rows, plan.graph.image.height, plan.graph.image.channels, plan.preprocessing)
        for rows in (parts.train, spread_out(parts.train))
    )
    if plan.precision == "int8":
        yield Note("The network becomes int8, as far as that costs no accuracy.")
        yield from some.decode("decoding images to find ranges with")
    images = PreparedImages(train, some, training.validation, test)
    limits = Limits(stop_by=plan.timetable.stop("int8"))
    return (yield from in_precision(plan.precision, draft, images, given.latencies, limits))


def _write(given: Given, run: RunFolder, draft: Draft, judged: Pixels, interrupts: Interrupts) -> Work[FinishedFile]:
    """Measure the draft on one of the user's images, prove it on some, and write it."""
    draft = replace(draft, record=with_provenance(draft.record, **run.origin()))
    limit = given.options.budget.latency_ms if given.latencies.is_here else None
    measuring = Measuring(given.dataset.image(int(judged.indices[0])), given.options.threads, limit)
    file = yield from write_file(draft, run.model, judged[:PARITY_IMAGES], measuring, interrupts.held)
    yield Note(f"The file and the trained network {file.parity}.")
    return file


def _finished(run: RunFolder, file: FinishedFile, network: Network, given: Given, minutes: float) -> Finished:
    assert file.measurement is not None
    spent = file.spent(network.graph, given.latencies)
    return Finished(run.model, file.draft.name, file.draft.evaluation, minutes, file.measurement, spent)


def _sources(run: RunFolder, draft: Draft, network: Network, judged: Pixels, finished: Finished, read: Read) -> Sources:
    """Return what the report is made of; `network` is the trained one, `draft` what the file holds."""
    assert draft.assessment is not None
    budget = Budget(**draft.record.provenance["options"]["budget"])
    return Sources(
        record=draft.record,
        plan=run.read_plan(),
        epochs=read_epochs(run.path),
        graph=network.graph,
        arrays=network.arrays(),
        dataset=read.checked.dataset,
        indices=judged.indices,
        assessment=draft.assessment,
        spent=finished.spent,
        minutes=finished.minutes,
        findings=[finding.to_json() for finding in read.checked.findings],
        front=front_json(read_cuts(run.path), budget) if has_cuts(run.path) else None,
    )


def _say(finished: Finished) -> Iterator[Measured]:
    """Say what was measured."""
    evaluation: Evaluation = finished.evaluation
    yield Measured(f"top-1 on the {evaluation.part} part", evaluation.top1)
    yield Measured("standard error", evaluation.standard_error)
    yield Measured("calibration error before", evaluation.ece_uncalibrated)
    yield Measured("calibration error after", evaluation.ece)
    yield Measured("minutes", finished.minutes)
    yield from results(finished.measurement, finished.spent)
