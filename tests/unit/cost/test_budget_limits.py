import random
from math import inf, nan

import pytest

from pocketvision.cost.budget import Budget, Spent, read_macs, rounded_up, written
from pocketvision.errors import BadOption
from refusals import refused

SPENT = Spent(macs=40_000_000, memory_mb=8.0, size_mb=1.5, latency_ms=4.0, noise_ms=0.2)
UNTIMED = Spent(macs=40_000_000, memory_mb=8.0, size_mb=1.5)


def test_no_limit():
    budget = Budget()
    assert not budget
    assert list(budget.limits()) == [] and str(budget) == "no limit"
    assert budget.missed(SPENT) == [] and budget.excess(SPENT) == 0


def test_limits_in_order():
    budget = Budget(macs=5e7, latency_ms=3, size_mb=0.5)
    assert budget
    assert list(budget.limits()) == [("latency_ms", 3), ("size_mb", 0.5), ("macs", 5e7)]
    assert str(budget) == "latency_ms <= 3, size_mb <= 0.5, macs <= 50M"
    assert str(Budget(latency_ms=3.14159, macs=1_234_567)) == "latency_ms <= 3.14159, macs <= 1.234567M"


def test_without_latency():
    budget = Budget(latency_ms=3, size_mb=0.5)
    assert budget.without_latency() == Budget(size_mb=0.5) and budget.latency_ms == 3
    assert not Budget(latency_ms=3).without_latency()


@pytest.mark.parametrize(
    ("limits", "option", "value"),
    [
        ({"latency_ms": 0}, "latency-ms", 0),
        ({"size_mb": -1.5}, "size-mb", -1.5),
        ({"memory_mb": nan}, "memory-mb", nan),
        ({"macs": inf, "size_mb": 1}, "macs", inf),
    ],
)
def test_a_limit_is_above_0(limits, option, value):
    with refused(BadOption, option, f"got {value}", attempt=f"--{option}"):
        Budget(**limits)


@pytest.mark.parametrize(
    ("limits", "spent", "missed", "excess"),
    [
        pytest.param({"size_mb": 2, "macs": 5e7}, SPENT, [], 0.8, id="fits; the tighter limit says how well"),
        pytest.param({"size_mb": 1.5, "memory_mb": 8, "macs": 4e7}, SPENT, [], 1, id="equal fits"),
        pytest.param({"latency_ms": 4.2}, SPENT, [], 1, id="latency is median plus noise"),
        pytest.param({"latency_ms": 4.1}, SPENT, ["latency_ms"], 4.2 / 4.1, id="noise alone can miss it"),
        pytest.param({"latency_ms": 2, "size_mb": 1, "macs": 5e7}, SPENT, ["latency_ms", "size_mb"], 2.1, id="two"),
        pytest.param({"latency_ms": 0.1, "memory_mb": 16}, UNTIMED, [], 0.5, id="what is not known breaks nothing"),
    ],
)
def test_what_is_missed_and_by_how_much(limits, spent, missed, excess):
    budget = Budget(**limits)
    assert budget.missed(spent) == missed
    assert budget.excess(spent) == pytest.approx(excess)


def test_macs_as_people_write_them():
    texts = ("50M", "50 m", "1.2G", "300k", " 49000000 ", "1e6", "1E+6")
    assert [read_macs(text) for text in texts] == pytest.approx([5e7, 5e7, 1.2e9, 3e5, 4.9e7, 1e6, 1e6])


@pytest.mark.parametrize("text", ["", "M", "50 million", "-5M", "nan", "1.2.3", "50MM", "."])
def test_macs_that_are_no_number(text):
    with refused(BadOption, repr(text), attempt="--macs"):
        read_macs(text)


def test_rounded_up_to_three_digits():
    values = (3.0, 3.78123, 0.12345, 0.1, 999.5, 123456, 7, 0, -1)
    assert [rounded_up(value) for value in values] == [3.0, 3.79, 0.124, 0.1, 1000, 124000, 7.0, 0, 0]


def test_rounded_up_is_never_below_and_never_far_above():
    rng = random.Random(0)
    values = [rng.uniform(1, 10) * 10.0 ** rng.randint(-6, 9) for _ in range(2000)]
    values += [1000.000001, 100.00000001, 3.1 + 0.1, 2.0000000000000004]
    for value in values:
        assert value <= rounded_up(value) <= value * 1.0101
        assert rounded_up(rounded_up(value)) == rounded_up(value)


def test_macs_as_written_can_be_asked_for():
    """The number in a message, given back as a limit, is met."""
    counted = [323_303, 1_088_128, 49_012_345, 568_740_352, 1_000_000_001]
    round_ones = [digits * 10**zeros for digits in range(100, 1000) for zeros in range(3, 9)]
    for macs in counted + round_ones:
        limit = read_macs(written("macs", macs))
        assert macs <= limit <= macs * 1.0101
        assert not Budget(macs=limit).missed(Spent(macs=macs, memory_mb=1, size_mb=1))
    assert all(read_macs(written("macs", macs)) == macs for macs in round_ones)


def test_values_as_people_write_them():
    assert written("latency_ms", 3.78123) == "3.79"
    assert written("size_mb", 16) == "16"
    assert written("macs", 49_012_345) == "49.1M"
