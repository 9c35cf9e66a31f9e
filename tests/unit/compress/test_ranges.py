import numpy as np
import pytest

from pocketvision.compress.ranges import BINS, Values, chosen_range


def values(samples):
    samples = np.asarray(samples, np.float64)
    counts, _ = np.histogram(samples, BINS, (samples.min(), samples.max()))
    return Values(samples.min(), samples.max(), counts, np.abs(samples).max(keepdims=True), samples.mean(keepdims=True))


def error(samples, low, high):
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    rounded = ((np.rint(samples / scale) + zero).clip(0, 255) - zero) * scale
    return np.square(samples - rounded).mean()


def test_zero_is_always_within():
    assert chosen_range(values(np.linspace(2.0, 3.0, 1000)), "largest") == (0.0, 3.0)
    assert chosen_range(values(np.linspace(-3.0, -2.0, 1000)), "largest") == (-3.0, 0.0)


def test_percentile_leaves_outliers_out():
    samples = np.concatenate([np.random.default_rng(0).uniform(-1, 1, 99_999), [1000.0]])
    assert chosen_range(values(samples), "largest")[1] == 1000.0
    low, high = chosen_range(values(samples), "percentile")
    assert high < 2.0 and low == pytest.approx(-1.0, abs=1.0)


def test_percentile_keeps_all_but_a_few_of_even_values():
    low, high = chosen_range(values(np.linspace(-1, 1, 100_000)), "percentile")
    assert (low, high) == pytest.approx((-1, 1), abs=0.002)


def test_the_least_squared_error_is_less_than_that_of_the_whole_range():
    samples = np.random.default_rng(0).normal(0, 1, 100_000)
    whole, chosen = (chosen_range(values(samples), method) for method in ("largest", "mse"))
    assert error(samples, *chosen) < error(samples, *whole)
    assert chosen[1] < whole[1]


def test_even_values_are_covered_whole():
    low, high = chosen_range(values(np.random.default_rng(0).uniform(-1, 1, 100_000)), "mse")
    assert (low, high) == pytest.approx((-1, 1), abs=0.02)


def test_a_tensor_of_one_value():
    assert chosen_range(Values(0.0, 0.0, np.zeros(BINS, np.int64), np.zeros(1), np.zeros(1)), "mse") == (0.0, 0.0)
