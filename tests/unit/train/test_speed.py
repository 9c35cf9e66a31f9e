import pytest
import torch

from graphs import residual
from pocketvision.train import speed
from pocketvision.train.loop import Trainer
from pocketvision.train.recipe import RECIPES
from pocketvision.train.speed import Workload

RECIPE = RECIPES["modern"]
WORK = Workload(residual(4), RECIPE, torch.device("cpu"), 4)


def clock_of(durations):
    """A clock by which the timed spans last so long; one more than these fails."""
    times = [time for start, d in enumerate(durations) for time in (1000.0 * start, 1000.0 * start + d)]
    return lambda: times.pop(0)


@pytest.mark.parametrize(
    ("durations", "cap", "expected"),
    [
        ([90, 80, 1, 5, 2, 4, 3], float("inf"), 2),  # two to warm up, then the second shortest of five
        ([90, 1, 1, 5], 4, 90),  # the first one was slower than that
        ([1, 2, 1, 5], 4, 5),
    ],
)
def test_the_second_shortest_step_scaled_to_the_batch(monkeypatch, durations, cap, expected):
    monkeypatch.setattr(speed.time, "perf_counter", clock_of(durations))
    monkeypatch.setattr(Trainer, "train_step", lambda *_, **__: 0.0)
    scale = RECIPE.batch_size / 4
    assert WORK.step_seconds(cap=cap * scale) == pytest.approx(expected * scale)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_real_step_takes_time(precision):
    assert WORK.step_seconds(precision, repeats=1) > 0


@pytest.mark.parametrize(
    ("bfloat16", "chosen"), [(0.5, ("bfloat16", 0.5)), (0.95, ("float32", 1.0)), (3.0, ("float32", 1.0))]
)
def test_bfloat16_must_be_measurably_faster(monkeypatch, bfloat16, chosen):
    asked = []

    def measured(self, precision, cap):
        asked.append((precision, cap))
        return bfloat16

    monkeypatch.setattr(Workload, "step_seconds", measured)
    assert WORK.choose_precision(1.0) == chosen
    assert asked == [("bfloat16", speed.TOO_SLOW)]


@pytest.mark.parametrize(("cuda", "mps", "found"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_the_device(monkeypatch, cuda, mps, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert speed.find_device("auto").type == found
    assert speed.find_device("cpu").type == "cpu"


@pytest.mark.parametrize(("threads", "cores", "taken"), [(8, 2, [2]), (2, 2, []), (1, 8, [])])
def test_torch_takes_no_more_threads_than_the_process_may_keep_busy(monkeypatch, threads, cores, taken):
    asked = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(speed, "count_cores", lambda: cores)
    speed.find_device("cpu")
    assert asked == taken
