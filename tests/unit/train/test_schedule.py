from dataclasses import replace

import numpy as np
import pytest

from pocketvision.train.recipe import RECIPES
from pocketvision.train.schedule import rate

COSINE = replace(RECIPES["modern"], schedule="cosine", lr=0.4, warmup=0.2)
EXPONENTIAL = replace(COSINE, schedule="exponential")


@pytest.mark.parametrize("recipe", [COSINE, EXPONENTIAL], ids=["cosine", "exponential"])
def test_the_rate_rises_in_a_line_then_falls(recipe):
    assert [rate(recipe, progress) for progress in (0, 0.05, 0.1, 0.2)] == pytest.approx([0, 0.1, 0.2, 0.4])
    falling = [rate(recipe, progress) for progress in np.linspace(0.2, 1, 50)]
    assert falling == sorted(falling, reverse=True)


def test_cosine_ends_at_zero():
    assert rate(COSINE, 0.6) == pytest.approx(0.2)  # half way behind the warm-up
    assert rate(COSINE, 0.4) == pytest.approx(0.2 * (1 + np.cos(np.pi / 4)))
    assert rate(COSINE, 1.0) == pytest.approx(0)
    assert rate(COSINE, 1 + 1e-12) == pytest.approx(0)  # sums of many steps


def test_exponential_ends_at_a_hundredth():
    assert rate(EXPONENTIAL, 0.6) == pytest.approx(0.04)
    assert rate(EXPONENTIAL, 1.0) == pytest.approx(0.004)


@pytest.mark.parametrize("schedule", ["cosine", "exponential"])
def test_without_warm_up_the_first_rate_is_the_largest(schedule):
    assert rate(replace(COSINE, schedule=schedule, warmup=0.0), 0.0) == 0.4
