"""The search for the network to train: what suits the images, fits the budget on the device and can be trained in time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pocketvision.choose.candidates import Asked, Candidate, list_candidates, middle
from pocketvision.choose.search import NO_TIME, finalists, screen
from pocketvision.events import Note, Work
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.initial_weights import Start, choose_start
from pocketvision.jobs.plan.largest import find_largest
from pocketvision.jobs.plan.latencies import NOT_MEASURED, Latencies
from pocketvision.jobs.plan.sizes import ElasticPlan
from pocketvision.jobs.plan.timetable import probe_seconds
from pocketvision.jobs.plan.trainable import Trainable

# Of the width of weights that nobody asked for by name; with less, training from scratch ends better in minutes: docs/log.md.
LEAST_SHARE = 0.75


@dataclass(frozen=True)
class Found:
    """What the search came to.

    Attributes:
        candidates: all that were looked at, the likeliest best first, each with its costs and why it is out.
        finalists: one to three of them, the likeliest best first.
        reason: why these, in words.
        step_seconds: measured time of one optimizer step, by name.
        elastic: sizes that are trained with the one finalist; None: it is trained alone.
    """

    candidates: tuple[Candidate, ...]
    finalists: tuple[Candidate, ...]
    reason: str
    step_seconds: dict[str, float] = field(default_factory=dict)
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


def decide(given: Given) -> Work[tuple[Given, Found]]:
    """Decide where training starts; return that with all else that is given, and what the search came to from there.

    Weights that nobody asked for by name are given up where the budget leaves too little of their width.

    Raises:
        BadWeights, UnknownWeights: weights were asked for by name, and cannot be had or used.
        NoFit: nothing fits the budget.
        BadDeviceFile: the device file holds none of the candidates.
    """
    start = yield from choose_start(given.options, given.seen)
    given = replace(given, start=start)
    found = yield from search(given)
    if start.weights is None or str(given.options.weights) != "auto":
        return given, found
    width, trained = found.finalists[0].options.width, start.weights.graph.source
    if width >= LEAST_SHARE * trained.width:
        return given, found
    sentence = (
        f"Training starts from scratch: the budget leaves width {width:g} of {start.weights.name}, which keeps little of what "
        f"that knows. --weights {start.weights.name} starts from it all the same."
    )
    yield Note(sentence)
    given = replace(given, start=Start(sentences=(sentence,)))
    return given, (yield from search(given))


def search(given: Given) -> Work[Found]:
    """Find the networks worth a try: of the family of the trained weights, where there are any.

    Raises:
        NoFit: nothing fits the budget.
        BadDeviceFile: the device file holds none of the candidates.
    """
    options, latencies = given.options, given.latencies
    candidates = list_candidates(_asked(given), given.seen.short_side_median)
    if options.budget.latency_ms is not None or not latencies.is_here:
        candidates = yield from _time(candidates, options, latencies)
    candidates = screen(candidates, options.budget, str(latencies.device))
    if options.elastic:
        largest = yield from find_largest(given, candidates)
        yield from _describe(candidates, largest.candidate, largest.reason)
        return Found(tuple(candidates), (largest.candidate,), largest.reason, largest.step_seconds, largest.elastic)
    trainable = Trainable(given)
    candidates = yield from trainable.drop(candidates)
    chosen, reason = _choose(given, candidates)
    if given.start.has_weights:
        chosen = chosen[:1]  # a trial would take longer than fitting the classifier
    yield from _describe(candidates, chosen[0], reason)
    return Found(tuple(candidates), tuple(chosen), reason, trainable.step_seconds)


def _asked(given: Given) -> Asked:
    """Return what the candidates must be."""
    options, start = given.options, given.start
    asked = Asked(
        labels=given.dataset.classes,
        in_channels=1 if given.seen.grey else 3,
        families=options.families,
        width=options.width,
        resolution=options.resolution,
        output_stride=options.output_stride,
        is_limited=bool(options.budget) or options.elastic,
        is_elastic=options.elastic,
        precisions=worth_a_look(options, given.latencies),
    )
    if start.weights is None:
        return asked
    have = start.weights.graph.source
    return replace(asked, families=(have.family,), conventions=have.conventions, trained_width=have.width)


def worth_a_look(options: FitOptions, latencies: Latencies) -> tuple[str, ...]:
    """Return the precisions to look at: no int8 where its latency must be known, and the device file has none."""
    must_be_known = options.elastic or options.budget.latency_ms is not None
    if not latencies.has_int8 and must_be_known and options.precision == "auto":
        return ("fp32",)
    return options.precisions


def _time(candidates: list[Candidate], options: FitOptions, latencies: Latencies) -> Work[list[Candidate]]:
    """Return the candidates with their latencies; on this machine only of those that no other limit drops."""
    yield from latencies.warnings()
    limit = options.budget.latency_ms
    if not latencies.is_here:
        return latencies.read(candidates, must_be_known=options.elastic or limit is not None)
    others = options.budget.without_latency()
    waiting = [candidate for candidate in candidates if not others.missed(candidate.spent)]
    timed = yield from latencies.time(waiting, limit, (0.0, probe_seconds(options.minutes)))
    known = {candidate.name: candidate for candidate in timed}
    return [known.get(candidate.name, candidate) for candidate in candidates]


def _choose(given: Given, candidates: list[Candidate]) -> tuple[list[Candidate], str]:
    """Return the finalists, and why they were chosen."""
    left = [candidate for candidate in candidates if not candidate.dropped]
    if len(candidates) == 1:
        return left, "the only one that was asked for"
    limits = [*["within the budget"] * bool(given.options.budget), *["in time"] * given.timetable.is_limited]
    if not limits:
        reason = f"the middle one of {len(left)} sizes: neither a budget nor a time says how large it may be"
        return [middle(left)], reason
    reason = f"the likeliest best of {len(left)} {' and '.join(limits)}, of {len(candidates)} that suit the images"
    return finalists(left), reason


def _describe(candidates: list[Candidate], first: Candidate, reason: str) -> Iterator[Note]:
    """Say how many candidates are out, and which network it is."""
    reasons = Counter(
        candidate.dropped if candidate.dropped.startswith((NOT_MEASURED, NO_TIME)) else "over the budget"
        for candidate in candidates
        if candidate.dropped
    )
    if reasons:
        words = ", ".join(f"{number} {why}" for why, number in reasons.items())
        yield Note(f"{sum(reasons.values())} of {len(candidates)} networks are out: {words}.")
    latency = "" if first.latency is None else f", {first.latency.median_ms:.3f} +- {first.latency.noise_ms:.3f} ms"
    yield Note(f"Network: {first.name}, {reason}{latency}.")
