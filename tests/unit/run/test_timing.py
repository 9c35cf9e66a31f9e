"""The clock, with hand-made bursts and with a clock that the contestants themselves put forward."""

import math
from types import SimpleNamespace

import pytest

from pocketvision.run import timing
from pocketvision.run.timing import (
    BURST_CALLS,
    BURST_SECONDS,
    FEWEST_ROUNDS,
    NOISE_ROUNDS,
    REST_SECONDS,
    WARM_UP_CALLS,
    Timing,
    summarize,
    time_interleaved,
)


def rounds_of(*medians):
    return [[median] * 5 for median in medians]


@pytest.mark.parametrize(
    ("medians", "noise"),
    [
        pytest.param([2.0] * 12, 0.05 * 2.0, id="nothing is quieter than 5 % of the median"),
        pytest.param([1.0, 1.2] * 6, 0.2, id="A/A pair: even rounds against odd ones"),
        pytest.param([1.0] * 12 + [1.2] * 12, 0.2, id="drift: even and odd are alike, early and late are not"),
        pytest.param([1.0] * 9 + [1.3] * 3 + [1.0] * 12, 0.3, id="drift for a while"),
        pytest.param(
            [1.0, 1.0, 2.0, 2.0] * 2, 1.57 * 1.0 / math.sqrt(8), id="spread: both pairs alike, quartiles 1 and 2"
        ),
        pytest.param([1.0] * 11 + [50.0], 0.05, id="one disturbed round is no noise of the median"),
        pytest.param([1.0, 3.0], 2.0, id="two rounds are a pair"),
        pytest.param([1.0], math.inf, id="one round says nothing"),
    ],
)
def test_noise_is_the_largest_of_its_signs(medians, noise):
    assert summarize(rounds_of(*medians)).noise_ms == pytest.approx(noise, abs=1e-4)


def test_noise_is_also_given_relative_to_the_median():
    assert Timing(median_ms=2.0, p95_ms=2.0, noise_ms=0.1, rounds=10).noise == 0.05


def test_the_median_is_that_of_the_rounds_medians():
    bursts = [[1.0, 1.0, 9.0], [2.0] * 99, [3.0, 3.0, 0.1]]  # the many calls of the second count once
    found = summarize(bursts)
    assert (found.median_ms, found.rounds) == (2.0, 3)


def test_p95_is_that_of_all_calls():
    calls = [float(ms) for ms in range(101)]  # 0, 1 ... 100
    assert summarize([calls[::2], calls[1::2]]).p95_ms == 95


class Race:
    """Contestants that take a given time for one call, by a clock that only they put forward."""

    def __init__(self, monkeypatch, **milliseconds):
        """`milliseconds`: by name, those of a call in the first, second ... round; the last holds for all later ones."""
        self.now = 0.0
        self.made: list[str] = []
        self.calls: list[int] = []  # in each burst
        self.contestants = {name: lambda name=name: self.make(name) for name in milliseconds}
        self.milliseconds = milliseconds
        self.rests: list[float] = []
        clock = SimpleNamespace(perf_counter=lambda: self.now, sleep=self.rests.append)
        monkeypatch.setattr(timing, "time", clock)

    def make(self, name):
        times = self.milliseconds[name]
        taken = times[min(self.made.count(name), len(times) - 1)]
        self.made.append(name)
        self.calls.append(0)

        def call():
            self.calls[-1] += 1
            slowly = 10 if self.calls[-1] <= WARM_UP_CALLS else 1  # the first calls take longer
            self.now += slowly * taken / 1000

        return call

    def run(self, seconds, **options):
        """Return what was yielded and what was returned."""
        rounds, yielded = time_interleaved(self.contestants, seconds, **options), []
        while True:
            try:
                yielded.append(next(rounds))
            except StopIteration as stop:
                return yielded, stop.value


def test_all_are_made_anew_each_round_and_take_turns(monkeypatch):
    race = Race(monkeypatch, fast=[1.0], slow=[20.0], medium=[5.0])
    yielded, found = race.run(seconds=1e6)
    assert race.made == ["fast", "slow", "medium"] * FEWEST_ROUNDS
    assert race.rests == [REST_SECONDS] * len(race.made)
    assert [name for name, _ in yielded] == race.made
    assert dict(yielded[-3:]) == found
    assert [known.rounds for name, known in yielded if name == "slow"] == list(range(1, FEWEST_ROUNDS + 1))
    assert {name: known.median_ms for name, known in found.items()} == {"fast": 1.0, "slow": 20.0, "medium": 5.0}


@pytest.mark.parametrize(("milliseconds", "calls"), [(0.25, 1000 * BURST_SECONDS / 0.25), (1000.0, BURST_CALLS)])
def test_a_burst_takes_its_time_and_at_least_some_calls(milliseconds, calls, monkeypatch):
    race = Race(monkeypatch, one=[milliseconds])
    race.run(seconds=0)
    assert race.calls == [WARM_UP_CALLS + calls] * NOISE_ROUNDS


def test_warm_up_calls_do_not_count(monkeypatch):
    _, found = Race(monkeypatch, one=[2.0]).run(seconds=1e6)
    assert found["one"] == Timing(median_ms=2.0, p95_ms=2.0, noise_ms=0.1, rounds=FEWEST_ROUNDS)


def test_quiet_ones_need_no_more_than_the_fewest_rounds(monkeypatch):
    _, found = Race(monkeypatch, a=[1.0], b=[3.0]).run(seconds=1e6)
    assert [known.rounds for known in found.values()] == [FEWEST_ROUNDS] * 2


@pytest.mark.parametrize("seconds", [3.0, 10.0])
def test_a_noisy_one_goes_on_until_the_time_is_over_and_all_with_it(seconds, monkeypatch):
    race = Race(monkeypatch, quiet=[1.0], noisy=[1.0, 2.0] * 500)
    _, found = race.run(seconds)
    rounds = found["noisy"].rounds
    assert found["quiet"].rounds == rounds > FEWEST_ROUNDS // 2
    assert found["noisy"].noise > timing.QUIET
    assert race.now <= seconds < race.now * (1 + 2 / rounds)  # one more round would have been too late


def test_a_noisy_one_ends_once_it_is_quiet(monkeypatch):
    race = Race(monkeypatch, one=[2.0] * 2 + [1.0])  # disturbed only in the beginning
    _, found = race.run(seconds=1e6)
    assert (
        found["one"].rounds == 33
    )  # when the first of eight blocks has five rounds, of which two do not move the median


def test_how_quiet_is_enough_can_be_said(monkeypatch):
    _, found = Race(monkeypatch, one=[1.0, 1.5] * 15).run(seconds=1e6, quiet=0.5)
    assert found["one"].rounds == FEWEST_ROUNDS and timing.QUIET < found["one"].noise < 0.5


@pytest.mark.parametrize("seconds", [0, 1e-9, 0.5])
def test_however_short_the_time_the_noise_is_known(seconds, monkeypatch):
    _, found = Race(monkeypatch, slow=[5000.0], fast=[1.0]).run(seconds)
    for known in found.values():
        assert known.rounds == NOISE_ROUNDS and math.isfinite(known.noise_ms)


def test_nobody_to_time_takes_no_time(monkeypatch):
    assert Race(monkeypatch).run(seconds=1e6) == ([], {})
