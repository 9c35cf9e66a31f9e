"""The front of an elastic network, and the pick within a budget."""

from dataclasses import replace

import numpy as np
import pytest

from graphs import small
from pocketvision.choose.candidates import Candidate
from pocketvision.choose.front import Cut, next_better, pareto, pick
from pocketvision.cost.budget import Budget, Spent
from pocketvision.cost.device_file import Latency
from pocketvision.errors import NoFit
from refusals import refused

IMAGES = 1000


def cut(name, right, latency_ms, macs=1_000_000, first=0):
    """A cut that gets so many images right, from the first on."""
    spent = Spent(macs=macs, memory_mb=1.0, size_mb=1.0)
    candidate = Candidate(replace(small("mobilenet_v1"), name=name), 50.0, spent)
    if latency_ms is not None:
        candidate = candidate.time(Latency(latency_ms, 0.01))
    return Cut(candidate, np.isin(np.arange(IMAGES), np.arange(first, first + right)))


CUTS = [
    cut("tiny", 700, 0.1),
    cut("slow", 690, 0.3),
    cut("middle", 850, 0.4),
    cut("large", 851, 0.9, first=3),
    cut("huge", 930, 2.0),
]


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        (0.2, "tiny"),
        (0.39, "tiny"),  # the slow one is no better
        (0.419, "tiny"),  # median and noise, twice: 0.42
        (0.421, "middle"),
        (1.0, "middle"),  # the large one is better by one image: within one standard error
        (None, "huge"),
    ],
)
def test_the_best_within_the_budget_is_picked_and_the_cheapest_of_equals(limit, name):
    assert pick(CUTS, Budget(latency_ms=limit), "here").name == name
    assert pick(CUTS[::-1], Budget(latency_ms=limit), "here").name == name


def test_differences_are_paired():
    """Ten images fewer are clearly worse where all others are the same, and within an error where many differ."""
    dear, same, other = cut("dear", 850, 1.0), cut("same", 840, 0.5), cut("other", 840, 0.5, first=160)
    assert pick([dear, same], Budget(), "here") is dear
    assert pick([dear, other], Budget(), "here") is other


def test_without_latencies_multiply_adds_order_the_cuts():
    cheap, dear = cut("cheap", 800, None, macs=10), cut("dear", 800, None, macs=20)
    assert pick([dear, cheap], Budget(), "here") is cheap


def test_an_impossible_budget_names_the_nearest_cut():
    with refused(NoFit, "latency_ms <= 0.05", "'here'", "of 5: tiny at latency_ms 0.12"):
        pick(CUTS, Budget(latency_ms=0.05), "here")


def test_the_front_rises():
    assert [c.name for c in pareto(CUTS[::-1])] == ["tiny", "middle", "large", "huge"]


def test_what_more_would_buy():
    tiny, _, middle, large, huge = CUTS
    assert next_better(CUTS, tiny) is middle
    assert next_better(CUTS, middle) is huge, "the large one is no clear gain"
    assert next_better(CUTS, large) is huge
    assert next_better(CUTS, huge) is None
