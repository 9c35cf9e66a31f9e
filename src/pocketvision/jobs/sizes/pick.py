"""The elastic part of a job: after the training every cut is judged and timed, the best within the budget is taken further."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketvision.choose.candidates import describe_candidate
from pocketvision.choose.front import Cut, next_better, pick
from pocketvision.cost.budget import written
from pocketvision.cost.device_file import read_device_file
from pocketvision.data.loader import Pixels
from pocketvision.elastic.train import Distillation
from pocketvision.errors import BadData, NoFit, NonFiniteLoss
from pocketvision.events import Event, Note, Progress, drain
from pocketvision.export.evaluate import score
from pocketvision.jobs.finish.int8 import PreparedImages, climb, score_integers, spread_out
from pocketvision.jobs.finish.record import calibrate, common_record
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.plan import pick_json, plan_of_pick
from pocketvision.jobs.plan.search import time_graphs, worth_a_look
from pocketvision.jobs.plan.timetable import probe_seconds
from pocketvision.jobs.runs.checkpointing import Saved, digest, take_up
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.sizes.store import Cuts, Judged, has_cuts, read_cuts, write_cuts
from pocketvision.jobs.training.prepare import decode
from pocketvision.jobs.training.trials import Entry, look_at_nothing, retold
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network, build
from pocketvision.model.rewrite import Arrays, cut, leading_indices
from pocketvision.run.device import Device
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
from pocketvision.train.statistics import evenly, images_needed, recalibrate


def go_on_with_pick(
    job: Job, entry: Entry, large: Network, saved: Saved
) -> Generator[Event, None, tuple[Entry, Trainer, Pixels]]:
    """Pick the cut of the trained elastic network that is best within the budget, and train it further.

    Return it, its trainer, and the test images at its resolution.
    """
    run = saved.run
    cuts = yield from find_cuts(job, entry, large.to("cpu"), run.path, run.origin())
    picked, test = yield from enter_pick(job, entry, cuts, run)
    trainer, cut_digest = picked.make_trainer(), digest(picked.network().arrays())
    snapshot = yield from take_up(run.checkpoint_of_pick, cut_digest)
    if snapshot is None:
        saved.save(trainer, run.checkpoint_of_pick, cut_digest)  # with the time that judging all cuts took
    else:
        trainer.restore(snapshot)
        yield Note(f"Going on with the pick after step {trainer.done} of {trainer.total}.")
    try:
        yield from saved.train(tune(picked, trainer), trainer, run.checkpoint_of_pick, cut_digest)
    except NonFiniteLoss as error:
        yield Note(f"The pick stays as it was cut: {error.problem}")
        trainer = picked.make_trainer()
    return picked, trainer, test


def find_cuts(
    job: Job, entry: Entry, large: Network, run: Path, origin: Mapping[str, Any]
) -> Generator[Event, None, Cuts]:
    """Return all cuts of a trained elastic network, judged and timed; from the run folder, where they are there already.

    `origin` is what the files say of where they come from: the target and the weights that training started from.
    """
    if has_cuts(run):
        try:
            return read_cuts(run)
        except BadData as error:
            yield Note(f"{error.problem} All cuts are judged again.")
    cuts = yield from judge_cuts(job, entry, large)
    cuts.record["provenance"].update(origin)
    write_cuts(run, cuts)
    return cuts


def judge_cuts(job: Job, entry: Entry, large: Network) -> Generator[Event, None, Cuts]:
    """Give every cut statistics of its own, judge it on validation and test images, and time it on the target."""
    space, graph = entry.plan.space, entry.plan.graph
    target = None if job.options.target is None else Path(job.options.target)
    measured = None if target is None else read_device_file(target)
    precisions, device_of = worth_a_look(job.options, measured), None if measured is None else measured.device
    weights, statistics, judged = large.arrays(), {}, []
    for side in space.resolutions:
        parts = yield from _images(job, entry, side)
        for width in space.widths:
            one = space.cut(width, side)
            arrays = cut(weights, graph, one, leading_indices(graph, one))
            if one.name != graph.name or entry.plan.recipe.batch_norm_momentum is not None:
                arrays = yield from recalibrate(one, arrays, parts["train"])
            network = build(one)
            network.load_arrays(arrays)
            floats = "fp16-storage" if "fp16-storage" in precisions else "fp32"
            judged.append(_judge(network, parts, job.dataset.classes, floats))
            if "int8" in precisions:
                judged.append(_judge_integers(network, parts, job.dataset.classes, device_of))
            statistics[one.name] = _statistics(one, arrays)
            yield Progress("judging all cuts", len(statistics), len(space.graphs))
    if entry.plan.recipe.batch_norm_momentum is not None:
        weights = {**weights, **statistics[graph.name]}
    options = job.options
    timed, device = yield from time_graphs(
        [each.cut.candidate for each in judged],
        target,
        options.threads,
        options.budget.latency_ms,
        probe_seconds(options.minutes),
    )
    judged = [replace(each, cut=replace(each.cut, candidate=one)) for each, one in zip(judged, timed, strict=True)]
    record = common_record(job, entry.plan)
    return Cuts(graph, weights, statistics, judged, device, record)


def _images(job: Job, entry: Entry, side: int) -> Generator[Event, None, dict[str, Any]]:
    """Return images at one resolution: some to take statistics from, and those that judge."""
    plan = entry.plan
    graph = plan.space.cut(plan.space.widths[0], side)
    train = job.parts.train
    some = train[evenly(len(train), images_needed(graph))]
    found = {}
    for part, indices in (("train", some), ("validation", job.parts.validation), ("test", job.parts.test)):
        found[part] = yield from decode(job, indices, graph, plan.preprocessing, f"{part} at {side} pixels")
    return found


def _judge(network: Network, parts: dict[str, Any], labels: tuple[str, ...], precision: str) -> Judged:
    validation, test = parts["validation"], parts["test"]
    calibrated = calibrate(network, validation)
    scores = {"validation": calibrated.score}
    if len(test):
        logits = compute_logits(network, test)
        scores["test"] = score(logits, test.labels, "test", calibrated.temperature, calibrated.threshold)
    right = calibrated.logits.argmax(1) == validation.labels
    candidate = describe_candidate(network.graph, labels, network.graph.image.height, precision)
    return Judged(Cut(candidate, right), calibrated.temperature, calibrated.threshold, scores)


def _judge_integers(network: Network, parts: dict[str, Any], labels: tuple[str, ...], device: Device | None) -> Judged:
    """Judge a cut in integers, by ranges alone: what rung 1 gives, without a choice among its methods."""
    train, validation, test = parts["train"], parts["validation"], parts["test"]
    some = train[spread_out(np.arange(len(train)))]
    images = PreparedImages(None, some, validation, test, validation.labels, test.labels)
    graph = network.graph
    climbed = drain(climb(graph, network.arrays(), images, highest=1, device=device, methods=("mse",)))
    temperature, threshold, scores, _ = drain(score_integers(climbed, images))
    candidate = describe_candidate(graph, labels, graph.image.height, "int8")
    return Judged(Cut(candidate, climbed.logits.argmax(1) == validation.labels), temperature, threshold, scores)


def _statistics(graph: Graph, arrays: Arrays) -> dict[str, Any]:
    return {p.name: arrays[p.name] for p in graph.parameters() if not p.is_trained}


def enter_pick(job: Job, entry: Entry, cuts: Cuts, run: RunFolder) -> Generator[Event, None, tuple[Entry, Pixels]]:
    """Return the best cut within the budget, ready to be trained further with the largest network's answers; and test images.

    Raises:
        NoFit: no cut is within the budget, timed again after the training; `cut` writes one for a wider budget.
    """
    try:
        chosen = pick(cuts.eligible(), job.options.budget, cuts.device)
    except NoFit as error:
        raise NoFit(error.problem, f"pocketvision cut {run.path} {error.attempt} -o small.onnx") from error
    yield from describe_pick(cuts, chosen)
    graph = chosen.candidate.graph
    teacher = build(cuts.graph)
    teacher.load_arrays(cuts.arrays(cuts.graph))
    objective = Distillation(teacher.to(entry.device), graph.image.height)
    preprocessing = entry.plan.preprocessing
    validation = yield from decode(job, job.parts.validation, graph, preprocessing, "validation")
    test = yield from decode(job, job.parts.test, graph, preprocessing, "test")
    precision = chosen.candidate.precision
    made, has_weights = run.read_pick(graph.name), entry.start is not None
    plan = plan_of_pick(job, entry.plan, graph, precision, objective, made, has_weights)
    run.keep_pick(graph.name, pick_json(plan))
    start, held_back = cuts.arrays(graph), entry.validation
    return replace(entry, plan=plan, validation=validation, start=start, objective=objective, held_back=held_back), test


def describe_pick(cuts: Cuts, chosen: Cut) -> Iterator[Note]:
    """Say what was picked, what the budget cost, and what more would buy."""
    all_cuts = [each.cut for each in cuts.judged]
    best = max(all_cuts, key=lambda each: each.top1)
    yield Note(
        f"Pick of {len(all_cuts)} cuts: {chosen.name}, validation top-1 {chosen.top1:.4f}; the best of all, {best.name}, "
        f"has {best.top1:.4f}."
    )
    better = next_better(all_cuts, chosen)
    if better is not None:
        yield Note(f"More would buy: {better.name}, {what_more_buys(chosen, better)}.")


def what_more_buys(chosen: Cut, better: Cut) -> str:
    """Return in words what a dearer cut takes more, and gives."""
    one, other = chosen.candidate.spent, better.candidate.spent
    costs = [f"{written('size_mb', max(0.0, other.size_mb - one.size_mb))} MB more"]
    if one.latency_ms is not None and other.latency_ms is not None:
        costs.insert(0, f"{other.latency_ms - one.latency_ms:.3f} ms more")
    return f"{', '.join(costs)}, for {100 * (better.top1 - chosen.top1):+.1f} points"


def tune(entry: Entry, trainer: Trainer) -> Iterator[Event]:
    """Train the pick further, to the end of its plan."""
    return retold(
        trainer.run(entry.batches, look_at_nothing), f"training {entry.plan.graph.name} further", "of the pick"
    )
