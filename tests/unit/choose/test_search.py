import re
from dataclasses import replace

import pytest

from pocketvision.choose.candidates import Asked, list_candidates
from pocketvision.choose.search import ENOUGH_EPOCHS, FINALISTS, NO_TIME, drop_untrainable, finalists, screen
from pocketvision.cost.budget import Budget
from pocketvision.cost.device_file import Latency
from pocketvision.errors import NoFit
from refusals import refused

CANDIDATES = list_candidates(Asked(tuple("abcdefghij"), in_channels=1, is_limited=True), 28)
RISING = sorted(CANDIDATES, key=lambda candidate: candidate.spent.macs)
STEPS = 5


def timed(ms_per_mega=1.0, noise=0.05):
    """All candidates, with a latency that goes with their multiply-adds."""
    median = [ms_per_mega * candidate.spent.macs / 1e6 for candidate in CANDIDATES]
    return [c.time(Latency(ms, noise * ms)) for c, ms in zip(CANDIDATES, median, strict=True)]


def kept(candidates):
    return [candidate for candidate in candidates if not candidate.dropped]


@pytest.mark.parametrize(
    "budget",
    [
        Budget(size_mb=0.3),
        Budget(memory_mb=0.5),
        Budget(macs=2e6),
        Budget(latency_ms=1.5),
        Budget(latency_ms=1.5, size_mb=0.3),
    ],
    ids=str,
)
def test_what_is_left_fits_and_what_is_out_does_not(budget):
    screened = screen(timed(), budget, "here")
    assert [candidate.name for candidate in screened] == [candidate.name for candidate in CANDIDATES]
    assert 0 < len(kept(screened)) < len(screened)
    for candidate in screened:
        assert bool(candidate.dropped) == any(candidate.spent.of(name) > limit for name, limit in budget.limits()), (
            candidate.name
        )


def test_the_reason_names_the_limit_and_both_values():
    size, macs = screen(timed(), Budget(macs=2e6, size_mb=0.3), "here")[0].dropped.split(", ")
    assert re.fullmatch(r"[0-9.]+ > 0.3 MB", size) and re.fullmatch(r"[0-9.]+M > 2M multiply-adds", macs)


def test_without_limits_nothing_is_dropped():
    assert screen(CANDIDATES, Budget(), "here") == CANDIDATES


def test_what_was_out_before_stays_out_with_its_first_reason():
    first, *others = CANDIDATES
    screened = screen([first.drop("not measured"), *others], Budget(macs=1e9), "here")
    assert screened[0].dropped == "not measured" and len(kept(screened)) == len(others)


@pytest.mark.parametrize("name", ["latency_ms", "size_mb", "memory_mb", "macs"])
def test_no_fit_names_the_nearest_and_a_limit_that_it_would_fit(name):
    candidates = timed()
    nearest = min(candidates, key=lambda candidate: candidate.spent.of(name))
    with refused(NoFit, "'a small board'", f"of {len(CANDIDATES)}: {nearest.name} at {name} ") as caught:
        screen(candidates, Budget(**{name: nearest.spent.of(name) / 2}), "a small board")
    option, value = caught.value.attempt.split()
    assert option == f"--{name.replace('_', '-')}"
    relaxed = float(value.removesuffix("M")) * (1e6 if name == "macs" else 1)
    assert kept(screen(candidates, Budget(**{name: relaxed}), "a small board")), "what is advised works"


def test_the_message_of_no_fit():
    board = [replace(c, spent=replace(c.spent, macs=1_230_000, size_mb=0.41)) for c in RISING[:1]]
    named = ("size_mb <= 0.4", "macs <= 1M", "'a small board'", board[0].name, "size_mb 0.41", "macs 1.23M")
    with refused(NoFit, *named, attempt="--size-mb 0.41 --macs 1.23M"):
        screen(board, Budget(macs=1e6, size_mb=0.4), "a small board")


def test_networks_without_time_are_dropped_and_few_are_measured():
    for enough_for in range(len(CANDIDATES) + 1):
        check_untrainable(enough_for)


def check_untrainable(enough_for):
    limit = RISING[enough_for - 1].spent.macs if enough_for else 0
    asked = []

    def measure(candidate):
        asked.append(candidate.name)
        return 1.0 if candidate.spent.macs <= limit else 1.01

    found = drop_untrainable(CANDIDATES, measure, STEPS, ENOUGH_EPOCHS * STEPS)
    assert [candidate.name for candidate in found] == [candidate.name for candidate in CANDIDATES]
    in_time = {candidate.name for candidate in RISING if candidate.spent.macs <= limit}
    assert {candidate.name for candidate in kept(found)} == (in_time or {RISING[0].name})
    assert {candidate.dropped for candidate in found} <= {"", f"{NO_TIME}8 epochs"}
    assert len(asked) == len(set(asked)) <= 5, "bisection over 21"
    assert {candidate.name for candidate in found if candidate.epochs} == set(asked)


def test_what_was_dropped_is_not_measured_and_keeps_its_reason():
    first, *others = RISING[:3]
    found = drop_untrainable([first.drop("over"), *others], lambda _: 1.0, STEPS, 1.0)
    assert [candidate.dropped for candidate in found] == ["over", "", f"{NO_TIME}8 epochs"]


def test_of_each_resolution_only_the_widest_is_tried():
    chosen = finalists(CANDIDATES)
    assert len(chosen) == FINALISTS == len({candidate.graph.options.resolution for candidate in chosen})
    assert {candidate.graph.options.width for candidate in chosen} == {1.0}
    assert chosen == sorted(chosen, key=lambda candidate: -candidate.expected_top1)


def test_of_more_resolutions_the_three_likeliest_are_tried():
    photographs = list_candidates(Asked(tuple("abc"), in_channels=3), 300)
    assert len({candidate.graph.image.height for candidate in photographs}) > FINALISTS
    assert [candidate.graph.image.height for candidate in finalists(photographs)] == [224, 192, 160]


def test_what_is_out_is_not_tried():
    chosen = finalists([candidate.drop("out") for candidate in CANDIDATES[:-1]] + CANDIDATES[-1:])
    assert chosen == CANDIDATES[-1:]
