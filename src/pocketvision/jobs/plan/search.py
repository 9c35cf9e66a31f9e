"""The search for the network to train: what suits the images, fits the budget on the device and can be trained in time."""

import time
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketvision.choose.candidates import Asked, Candidate, list_candidates, middle
from pocketvision.choose.search import (
    ENOUGH_EPOCHS,
    ENOUGH_WITH_WEIGHTS,
    NO_TIME,
    drop_untrainable,
    finalists,
    screen,
)
from pocketvision.cost.device_file import DeviceFile, Latency, Precision, read_device_file
from pocketvision.cost.probe import probe_each
from pocketvision.data.loader import steps_per_epoch
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.errors import BadDeviceFile
from pocketvision.events import Event, Note, Progress
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.recipe import chosen_recipe
from pocketvision.jobs.plan.sizes import (
    TUNE_RATE_WITH_WEIGHTS,
    TUNE_SHARE_WITH_WEIGHTS,
    ElasticPlan,
    objective_of,
)
from pocketvision.jobs.plan.timetable import FINISH_SECONDS, decode_seconds, probe_seconds, timed_images
from pocketvision.model.rewrite import can_cut
from pocketvision.model.weights.load import Weights
from pocketvision.run.device import this_device
from pocketvision.train.speed import measure_step_seconds

NEAR = (0.5, 1.2)  # of the budget: candidates whose first timing lies there are timed with care
CARE = 8  # of these at most
NOT_MEASURED = "not measured on the device"
NARROWEST_SHARE = (
    0.5  # of the width of trained weights, that sub-networks have, unless the budget allows less: docs/log.md
)


@dataclass(frozen=True)
class Found:
    """What the search came to.

    Attributes:
        candidates: all that were looked at, the likeliest best first, each with its costs and why it is out.
        finalists: one to three of them, the likeliest best first.
        reason: why these, in words.
        device: name of the device that the budget is for.
        is_here: whether that is this machine.
        step_seconds: measured time of one optimizer step, by name.
        elastic: sizes that are trained with the one finalist; None: it is trained alone.
    """

    candidates: tuple[Candidate, ...]
    finalists: tuple[Candidate, ...]
    reason: str
    device: str
    is_here: bool
    step_seconds: dict[str, float]
    elastic: ElasticPlan | None = None

    def to_json(self) -> list[dict[str, Any]]:
        """Return the candidates as JSON values."""
        return [candidate_json(candidate) for candidate in self.candidates]


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """Return one candidate as JSON values."""
    spent, latency = candidate.spent, candidate.latency
    return {
        "name": candidate.name,
        "precision": candidate.precision,
        "expected_imagenet_top1": round(candidate.expected_top1, 1),
        "latency_ms": None if latency is None else round(latency.median_ms, 4),
        "noise_ms": None if latency is None else round(latency.noise_ms, 4),
        "is_predicted": None if latency is None else latency.is_predicted,
        "size_mb": round(spent.size_mb, 3),
        "memory_mb": round(spent.memory_mb, 3),
        "macs": spent.macs,
        "epochs": None if candidate.epochs is None else round(candidate.epochs, 1),
        "dropped": candidate.dropped,
    }


def search(job: Job, weights: Weights | None = None) -> Generator[Event, None, Found]:
    """Find the networks worth a try: of the family of the trained weights, where there are any.

    Raises:
        NoFit: nothing fits the budget.
        BadDeviceFile: the device file holds none of the candidates.
    """
    options, seen = job.options, job.seen
    target = None if options.target is None else read_device_file(Path(options.target))
    asked = Asked(
        labels=job.dataset.classes,
        in_channels=1 if seen.grey else 3,
        families=options.families,
        width=options.width,
        resolution=options.resolution,
        output_stride=options.output_stride,
        is_limited=bool(options.budget) or options.elastic,
        is_elastic=options.elastic,
        precisions=worth_a_look(options, target),
    )
    if weights is not None:
        have = weights.graph.source
        asked = replace(asked, families=(have.family,), conventions=have.conventions, trained_width=have.width)
    candidates = list_candidates(asked, seen.short_side_median)
    name = str(this_device() if target is None else target.device)
    if options.budget.latency_ms is not None or target is not None:
        candidates = yield from _time(candidates, options, target)
    candidates = screen(candidates, options.budget, name)
    if options.elastic:
        return (yield from _find_largest(job, candidates, weights, name))

    steps: dict[str, float] = {}
    if job.deadline is not None:
        candidates = yield from _drop_untrainable(job, candidates, job.deadline, steps, weights is not None)
    chosen, reason = _choose(job, candidates)
    if weights is not None:
        chosen = chosen[:1]  # a trial would take longer than fitting the classifier
    yield from _describe(candidates, chosen, reason)
    return Found(tuple(candidates), tuple(chosen), reason, name, target is None, steps)


def worth_a_look(options: FitOptions, target: DeviceFile | None) -> tuple[str, ...]:
    """Return the precisions to look at: no integers where their latency must be known, and the device file has none."""
    is_unknown = target is not None and all(row.precision != "int8" for row in target.rows)
    must_be_known = options.elastic or options.budget.latency_ms is not None
    if is_unknown and must_be_known and options.precision == "auto":
        return ("fp32",)
    return options.precisions


def _find_largest(
    job: Job, candidates: list[Candidate], weights: Weights | None, device: str
) -> Generator[Event, None, Found]:
    """Return the network whose cuts all are trained, whatever its own costs.

    One of its cuts is what the prior would train alone within budget and time; of those that hold it, it is the likeliest best
    that can be trained in time, or else the cheapest.

    Args:
        job: options, images and time.
        candidates: with those over the budget marked; one at least is within it.
        weights: that training starts from, so that the largest has their width.
        device: name of the device that the budget is for.
    """
    sizes = yield from _choose_sizes(candidates, weights is not None)
    fitting = [
        candidate for candidate in candidates if not candidate.dropped and candidate.options.width in sizes.widths
    ]
    if job.deadline is not None:
        fitting = yield from _drop_untrainable(job, fitting, job.deadline, {}, weights is not None)
    picked = next(candidate for candidate in fitting if not candidate.dropped)
    alone = picked.options
    is_fixed = weights is not None or job.options.width is not None
    least_width = max(sizes.widths) if is_fixed else alone.width
    least_resolution = job.options.resolution or alone.resolution

    def holds_it(one: Candidate) -> bool:
        """Whether it can be cut out of that network, which is as large as was asked for."""
        large = one.options
        is_large = large.width >= least_width and large.resolution >= least_resolution
        return large.family == alone.family and is_large and can_cut(one.graph, picked.graph)

    able = [
        replace(candidate, dropped="", precision="fp32")
        for candidate in candidates
        if holds_it(candidate) and candidate.precision == job.options.precisions[0]
    ]
    steps: dict[str, float] = {}
    if job.deadline is not None:
        able = yield from _drop_untrainable(job, able, job.deadline, steps, weights is not None, sizes)
    chosen = next(candidate for candidate in able if not candidate.dropped)
    below = ElasticSpace.below(chosen.graph, sizes.widths, sizes.resolutions)
    sizes = replace(sizes, widths=below.widths, resolutions=below.resolutions)
    reason = f"the largest of {len(below.graphs)} sizes that are trained together"
    yield from _describe(candidates, [chosen], reason)
    return Found(tuple(candidates), (chosen,), reason, device, job.options.target is None, steps, sizes)


def _choose_sizes(candidates: list[Candidate], has_weights: bool) -> Generator[Event, None, ElasticPlan]:
    """Return all widths and resolutions of the candidates, and how they are trained.

    Of trained weights little is left with fewer channels: widths are half of theirs at least, or what the budget needs, with one
    more to spare.
    """
    resolutions = tuple(sorted({candidate.options.resolution for candidate in candidates}))
    widths = sorted({candidate.options.width for candidate in candidates})
    if not has_weights:
        return ElasticPlan(tuple(widths), resolutions)
    needed = sorted({c.options.width for c in candidates if not c.dropped}, reverse=True)[:2]
    widths = [width for width in widths if width >= min(NARROWEST_SHARE * max(widths), *needed)]
    yield Note(f"Sub-networks have width {widths[0]:g} at least; narrower ones keep little of the weights.")
    return ElasticPlan(tuple(widths), resolutions, TUNE_SHARE_WITH_WEIGHTS, TUNE_RATE_WITH_WEIGHTS)


def time_graphs(
    candidates: list[Candidate], target: Path | None, threads: int, limit_ms: float | None, seconds: float
) -> Generator[Event, None, tuple[list[Candidate], str]]:
    """Return networks with their latencies, all timed alike, and the name of the device: the target, or this machine.

    Args:
        candidates: the networks.
        target: a device file; None: they are timed here.
        threads: of the engine.
        limit_ms: those near it are timed again, with care.
        seconds: for timing all, and once more for those near the limit.

    Raises:
        BadDeviceFile: the device file holds none of them.
    """
    if target is not None:
        measured = read_device_file(target)
        return _read_latencies(candidates, measured, str(target), must_be_known=True), str(measured.device)
    timed = yield from _measure(candidates, threads, limit_ms, (seconds, seconds))
    return [candidate.time(timed[candidate.name]) for candidate in candidates], str(this_device())


def _measure(
    candidates: list[Candidate], threads: int, limit_ms: float | None, seconds: tuple[float, float]
) -> Generator[Event, None, dict[str, Latency]]:
    """Return the latencies by name: of all, then again, with care, of the few that are nearest to the limit."""
    timed: dict[str, Latency] = {}
    for share in seconds:
        if candidates:
            networks = [(candidate.graph, _as_run(candidate.precision)) for candidate in candidates]
            found = yield from probe_each(networks, threads, max(0.001, share), footprints=False)
            rows = zip(candidates, found.rows, strict=True)
            timed |= {candidate.name: Latency(row.latency_ms, row.noise_ms) for candidate, row in rows}
        limit = limit_ms or 0.0
        near = [each for each in candidates if NEAR[0] * limit < timed[each.name].median_ms < NEAR[1] * limit]
        candidates = sorted(near, key=lambda each: abs(timed[each.name].median_ms - limit))[:CARE]
    return timed


def _as_run(precision: str) -> Precision:
    """Return how a file of that precision is run: halves are stored only."""
    return "int8" if precision == "int8" else "fp32"


def _time(
    candidates: list[Candidate], options: FitOptions, target: DeviceFile | None
) -> Generator[Event, None, list[Candidate]]:
    """Return the candidates with their latencies: read from the device file, or measured on this machine."""
    if target is not None:
        yield from warn_of(target, options.target, options.threads)
        is_limited = options.elastic or options.budget.latency_ms is not None
        return _read_latencies(candidates, target, str(options.target), must_be_known=is_limited)
    limits = options.budget.without_latency()
    waiting = [candidate for candidate in candidates if not limits.missed(candidate.spent)]
    seconds = probe_seconds(options.minutes)
    timed = yield from _measure(waiting, options.threads, options.budget.latency_ms, (0.0, seconds))
    return [candidate.time(timed[candidate.name]) if candidate.name in timed else candidate for candidate in candidates]


def warn_of(target: DeviceFile, path: str | Path | None, threads: int) -> Generator[Note, None, None]:
    """Say what is doubtful about a device file."""
    for warning in target.warnings():
        yield Note(f"{path}: {warning}")
    if target.threads != threads:
        yield Note(f"{path} was measured with {target.threads} threads; its latencies are of these.")


def _read_latencies(candidates: list[Candidate], target: DeviceFile, path: str, must_be_known: bool) -> list[Candidate]:
    """Return the candidates with latencies of a device file; those that it does not hold are out.

    Where latency need not be known, files of a precision that was not measured at all stay in, for their size.
    """
    latencies = [(candidate, target.latency_of(candidate.graph, candidate.precision)) for candidate in candidates]
    if all(latency is None for _, latency in latencies):
        options = candidates[0].options
        same = [candidate.options for candidate in candidates]
        alike = [o for o in same if o.output_stride == options.output_stride]
        widths, resolutions = ({getattr(o, what) for o in alike} for what in ("width", "resolution"))
        raise BadDeviceFile(
            f"{path!r} holds none of the {len(candidates)} networks that suit these images, such as {candidates[0].name}.",
            f"on the device: pocketvision probe {options.family} --widths {_listed(widths)} "
            f"--resolutions {_listed(resolutions)} --output-stride {options.output_stride} --classes {options.classes} "
            f"--in-channels {options.in_channels} -o {path}",
        )
    known = {row.precision for row in target.rows}
    return [
        candidate.time(latency)
        if latency is not None
        else candidate.drop(NOT_MEASURED)
        if must_be_known or _as_run(candidate.precision) in known
        else candidate
        for candidate, latency in latencies
    ]


def _listed(numbers: set[float]) -> str:
    return ",".join(f"{number:g}" for number in sorted(numbers))


def _drop_untrainable(
    job: Job,
    candidates: list[Candidate],
    deadline: float,
    steps: dict[str, float],
    has_weights: bool,
    elastic: ElasticPlan | None = None,
) -> Generator[Event, None, list[Candidate]]:
    """Return the candidates, those marked that the time is too short for; `steps` takes the seconds of a step by name."""
    recipe = chosen_recipe(job.options, len(job.labels), has_weights, elastic is not None)
    enough = ENOUGH_WITH_WEIGHTS if has_weights else ENOUGH_EPOCHS

    def measure(candidate: Candidate) -> float:
        timed = timed_images(candidate.graph, recipe)
        objective = objective_of(candidate.graph, elastic)
        name = candidate.graph.name  # as it is trained
        if name not in steps:
            steps[name] = measure_step_seconds(candidate.graph, recipe, job.device, timed, objective=objective)
        return steps[name]

    yield Progress("measuring how fast networks train here", 0, 1)
    largest = max((c.graph for c in candidates if not c.dropped), key=lambda graph: graph.image.height)
    seconds = max(1.0, deadline - time.monotonic() - FINISH_SECONDS - decode_seconds(job.dataset, largest))
    if elastic is not None:
        seconds = max(
            1.0, (seconds - probe_seconds(job.options.minutes)) * (1 - elastic.tune_share)
        )  # the rest is for the front and the pick
    found = drop_untrainable(candidates, measure, steps_per_epoch(len(job.labels), recipe.batch_size), seconds, enough)
    what = "in training" if elastic is None else "in training all sizes"
    for name, step in steps.items():
        yield Note(f"{name}: {recipe.batch_size / step:,.0f} images/s {what}.")
    if not job.options.elastic or elastic is not None:
        yield from _say_if_short(found, enough, elastic is not None)
    return found


def _say_if_short(found: list[Candidate], enough: int, is_elastic: bool) -> Iterator[Note]:
    """Say where no network has time for enough epochs."""
    first = finalists(found)[0]
    if any(candidate.epochs is None or candidate.epochs >= enough for candidate in finalists(found)):
        return
    none = f"with all its sizes no network has {enough} epochs; {first.name}"
    if not is_elastic:
        none = f"no network has {enough} epochs; {first.name} is the cheapest and"
    yield Note(f"The time is short: {none} trains what it can. More --minutes will give a better one.")


def _choose(job: Job, candidates: list[Candidate]) -> tuple[list[Candidate], str]:
    """Return the finalists, and why these."""
    left = [candidate for candidate in candidates if not candidate.dropped]
    if len(candidates) == 1:
        return left, "the only one that was asked for"
    given = (("within the budget", job.options.budget), ("in time", job.deadline))
    limits = [words for words, is_set in given if is_set]
    if not limits:
        return [
            middle(left)
        ], f"the middle one of {len(left)} sizes: neither a budget nor a time says how large it may be"
    chosen = finalists(left)
    return (
        chosen,
        f"the likeliest best of {len(left)} {' and '.join(limits)}, of {len(candidates)} that suit the images",
    )


def _describe(candidates: list[Candidate], chosen: list[Candidate], reason: str) -> Generator[Event, None, None]:
    reasons = Counter(
        candidate.dropped if candidate.dropped.startswith((NOT_MEASURED, NO_TIME)) else "over the budget"
        for candidate in candidates
        if candidate.dropped
    )
    if reasons:
        words = ", ".join(f"{number} {why}" for why, number in reasons.items())
        yield Note(f"{sum(reasons.values())} of {len(candidates)} networks are out: {words}.")
    first = chosen[0]
    latency = "" if first.latency is None else f", {first.latency.median_ms:.3f} +- {first.latency.noise_ms:.3f} ms"
    yield Note(f"Network: {first.name}, {reason}{latency}.")
