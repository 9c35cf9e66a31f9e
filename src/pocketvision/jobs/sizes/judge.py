"""After an elastic training: every size gets statistics of its own, is judged on validation and test images, and timed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketvision.choose.candidates import describe_candidate
from pocketvision.choose.front import Cut
from pocketvision.data.pixels import Pixels
from pocketvision.errors import BadData
from pocketvision.events import Note, Progress, Work, drain
from pocketvision.jobs.finish.file import network_with
from pocketvision.jobs.finish.int8 import Limits, assess_int8, climb
from pocketvision.jobs.finish.parts import PreparedImages, assess_parts, spread_out
from pocketvision.jobs.finish.record import common_record
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.search import worth_a_look
from pocketvision.jobs.plan.timetable import probe_seconds
from pocketvision.jobs.sizes.store import Cuts, Judged, has_cuts, read_cuts, write_cuts
from pocketvision.jobs.training.prepare import decode
from pocketvision.jobs.training.training import Training
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network
from pocketvision.model.rewrite import Arrays, cut, leading_indices
from pocketvision.run.assess import Assessment
from pocketvision.run.device import Device
from pocketvision.train.evaluate import outputs
from pocketvision.train.statistics import evenly, images_needed, recalibrate

Parts = Mapping[str, Pixels]


def find_cuts(given: Given, training: Training, large: Network, run: Path, origin: Mapping[str, Any]) -> Work[Cuts]:
    """Return all cuts of a trained elastic network, judged and timed; from the run folder, where they are there already.

    `origin` is what the files say of where they come from: the target and the weights that training started from.
    """
    if has_cuts(run):
        try:
            return read_cuts(run)
        except BadData as error:
            yield Note(f"{error.problem} All cuts are judged again.")
    cuts = yield from judge_cuts(given, training, large)
    cuts.record["provenance"].update(origin)
    write_cuts(run, cuts)
    return cuts


def judge_cuts(given: Given, training: Training, large: Network) -> Work[Cuts]:
    """Give every cut statistics of its own, judge it on validation and test images, and time it on the target."""
    plan, latencies = training.plan, given.latencies
    space, graph, moves = plan.space, plan.graph, plan.recipe.batch_norm_momentum is not None
    precisions = worth_a_look(given.options, latencies)
    weights, statistics, judged = large.arrays(), {}, []
    for side in space.resolutions:
        parts = yield from _images(given, training, side)
        for width in space.widths:
            one = space.cut(width, side)
            arrays = cut(weights, graph, one, leading_indices(graph, one))
            if one.name != graph.name or moves:
                arrays = yield from recalibrate(one, arrays, parts["train"])
            network = network_with(one, arrays)
            judged.append(_judge(network, parts, given, precisions))
            if "int8" in precisions:
                judged.append(_judge_int8(network, parts, given, latencies.device))
            statistics[one.name] = _statistics(one, arrays)
            yield Progress("judging all cuts", len(statistics), len(space.graphs))
    if moves:
        weights = {**weights, **statistics[graph.name]}
    seconds = probe_seconds(given.options.minutes)
    candidates = [each.cut.candidate for each in judged]
    timed = yield from latencies.time(candidates, given.options.budget.latency_ms, (seconds, seconds))
    judged = [replace(each, cut=replace(each.cut, candidate=one)) for each, one in zip(judged, timed, strict=True)]
    return Cuts(graph, weights, statistics, judged, str(latencies.device), common_record(given, plan))


def _images(given: Given, training: Training, side: int) -> Work[Parts]:
    """Return images at one resolution: some to take statistics from, and those that judge."""
    plan, train = training.plan, given.parts.train
    graph = plan.space.cut(plan.space.widths[0], side)
    some = train[evenly(len(train), images_needed(graph))]
    found = {}
    for part, indices in (("train", some), ("validation", given.parts.validation), ("test", given.parts.test)):
        found[part] = yield from decode(given, indices, graph, plan.preprocessing, f"{part} at {side} pixels")
    return found


def _judge(network: Network, parts: Parts, given: Given, precisions: tuple[str, ...]) -> Judged:
    """Judge a cut in fp32; its file stores fp16 where that was asked for."""
    found = drain(assess_parts(lambda pixels: outputs(network, pixels), parts["validation"], parts["test"]))
    return _judged(network.graph, found, given, "fp16-storage" if "fp16-storage" in precisions else "fp32")


def _judge_int8(network: Network, parts: Parts, given: Given, device: Device) -> Judged:
    """Judge a cut in int8, by ranges alone: what rung 1 gives, without a choice among its methods."""
    train = parts["train"]
    some = train[spread_out(np.arange(len(train)))]
    images = PreparedImages(None, some, parts["validation"], parts["test"])
    limits = Limits(highest=1, methods=("mse",))
    climbed = drain(climb(network.graph, network.arrays(), images, limits, device))
    return _judged(network.graph, drain(assess_int8(climbed, images)), given, "int8")


def _judged(graph: Graph, found: Mapping[str, Assessment], given: Given, precision: str) -> Judged:
    candidate = describe_candidate(graph, given.dataset.classes, graph.image.height, precision)
    scores = {part: one.evaluation for part, one in found.items()}
    validation = found["validation"]
    return Judged(Cut(candidate, validation.each), validation.calibration, scores)


def _statistics(graph: Graph, arrays: Arrays) -> dict[str, Any]:
    return {p.name: arrays[p.name] for p in graph.parameters() if not p.is_trained}
