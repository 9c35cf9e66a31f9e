"""Interleaved timing: contestants take turns, so that other load on the machine affects all of them alike."""

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import numpy as np

BURST_SECONDS = 0.04  # of calls in a row, in each round
BURST_CALLS = 5  # at least
WARM_UP_CALLS = 2  # the first calls allocate
REST_SECONDS = 0.02  # before a burst: threads of the previous contestant may still spin and take a core
FEWEST_ROUNDS = 24  # three in each of the blocks
NOISE_ROUNDS = 2  # at least, however short the time: the noise of one round is unknown
BLOCKS = 8  # of consecutive rounds, which show drift
QUIET = 0.1  # share of the median: with less noise than that, no more rounds are needed
UNSEEN = 0.05  # share of the median: drift that is too slow to be seen in one run: docs/log.md

Call = Callable[[], object]
Open = Callable[[], Call]  # makes a fresh instance of what is timed, and returns what to call


@dataclass(frozen=True)
class Timing:
    """How long one call takes.

    Attributes:
        median_ms: median over the rounds of each round's median.
        p95_ms: 95 of 100 calls took no longer.
        noise_ms: how far the median of another run may be from this one, see `summarize`.
        rounds: bursts of calls.
    """

    median_ms: float
    p95_ms: float
    noise_ms: float
    rounds: int

    @property
    def noise(self) -> float:
        """The noise relative to the median."""
        return self.noise_ms / self.median_ms


def time_interleaved(
    contestants: Mapping[str, Open], seconds: float, quiet: float = QUIET
) -> Generator[tuple[str, Timing], None, dict[str, Timing]]:
    """Time all contestants in rounds: each is made anew, warmed up and called a few times, then the next one.

    It ends when the noise of all is known and small, or the time is over; each has two rounds at least.

    Args:
        contestants: name -> function that makes a fresh instance, so that the place of its memory is part of the noise.
        seconds: after which no further round starts.
        quiet: noise, relative to the median, below which no more rounds are needed.

    Yields:
        A name, and its timing so far.

    Returns:
        The timing of each.
    """
    began = time.perf_counter()
    bursts: dict[str, list[list[float]]] = {name: [] for name in contestants}
    known: dict[str, Timing] = {}
    rounds = 0
    while contestants:
        rounds += 1
        for name, make in contestants.items():
            bursts[name].append(_burst(make()))
            known[name] = summarize(bursts[name])
            yield name, known[name]
        is_known = rounds >= FEWEST_ROUNDS and all(timing.noise <= quiet for timing in known.values())
        is_late = (time.perf_counter() - began) * (1 + 1 / rounds) > seconds
        if is_known or (is_late and rounds >= NOISE_ROUNDS):
            break
    return known


def always(call: Call) -> Open:
    """Return a contestant that is one instance in all rounds, if making it takes long."""
    return lambda: call


def _burst(call: Call) -> list[float]:
    """Return the milliseconds of each of several calls in a row."""
    time.sleep(REST_SECONDS)
    for _ in range(WARM_UP_CALLS):
        call()
    taken: list[float] = []
    total = 0.0
    while len(taken) < BURST_CALLS or total < 1000 * BURST_SECONDS:
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
        total += taken[-1]
    return taken


def summarize(bursts: list[list[float]]) -> Timing:
    """Return median, 95th percentile and noise of bursts of calls, in milliseconds.

    The noise is the largest of: an A/A pair, which is one thing measured twice, its even rounds against its odd ones; the range
    of the medians of up to eight blocks of consecutive rounds, which shows drift; the 95 % interval of the median by the
    quartiles (McGill, Tukey and Larsen 1978, The American Statistician 32(1): 1.57 interquartile ranges over the root of the
    rounds); and 5 % of the median, for drift that is too slow to be seen. One round alone has infinite noise.

    >>> summarize([[2.0], [2.1], [2.0], [2.2], [2.2], [2.2]])
    Timing(median_ms=2.15, p95_ms=2.2, noise_ms=0.2, rounds=6)
    """
    medians = np.array([np.median(burst) for burst in bursts])
    lower, median, upper = np.quantile(medians, (0.25, 0.5, 0.75))
    noise = math.inf
    if len(medians) > 1:
        pair = abs(float(np.median(medians[::2]) - np.median(medians[1::2])))
        blocks = np.array_split(medians, max(2, min(BLOCKS, len(medians) // 3)))
        drift = float(np.ptp([np.median(block) for block in blocks]))
        noise = max(pair, drift, 1.57 * float(upper - lower) / math.sqrt(len(medians)), UNSEEN * float(median))
    p95 = float(np.quantile(np.concatenate(bursts), 0.95))
    return Timing(round(float(median), 4), round(p95, 4), round(noise, 4), len(medians))
