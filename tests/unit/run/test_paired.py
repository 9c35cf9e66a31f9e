"""Paired differences on the same images."""

import numpy as np
import pytest

from pocketvision.run.paired import difference, is_as_good, is_better

HALF, MORE = np.arange(100) % 2 == 0, np.arange(100) % 5 > 0


def test_the_error_is_that_of_the_images_on_which_only_one_is_right():
    """As McNemar's test has it: its variance is that of lost minus won."""
    lost, won = (HALF & ~MORE).sum(), (MORE & ~HALF).sum()
    expected = np.sqrt(lost + won - (lost - won) ** 2 / 100) / 100
    assert difference(MORE, HALF) == (pytest.approx(0.3), pytest.approx(expected))


def test_better_is_beyond_the_error_and_as_good_is_within():
    mean, error = difference(MORE, HALF)
    assert is_better(MORE, HALF, mean / error - 0.01) and not is_better(MORE, HALF, mean / error + 0.01)
    assert is_as_good(MORE, HALF) and not is_as_good(HALF, MORE)
    assert is_as_good(HALF, HALF) and not is_better(HALF, HALF, 0.0)


def test_what_is_no_number_is_never_as_good():
    losses = np.array([1.0, 2.0], np.float32)
    assert not is_as_good(-losses * np.nan, -losses)
