"""Which of two networks is better, judged image by image: the mean difference on the same images, and its standard error."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def difference(one: NDArray[Any], other: NDArray[Any]) -> tuple[float, float]:
    """Return the mean of `one - other`, and its standard error.

    Args:
        one: (N,) a value for each image: whether the answer is right, or minus the loss.
        other: (N,) the same of another network, for the same images.

    >>> difference(np.array([True, True, False]), np.array([True, False, False]))
    (0.3333333333333333, 0.2721655269759087)
    """
    each = one.astype(np.float64) - other
    return float(each.mean()), float(each.std()) / math.sqrt(len(each))


def is_better(one: NDArray[Any], other: NDArray[Any], errors: float) -> bool:
    """Whether `one` is above `other` by more than so many standard errors."""
    mean, error = difference(one, other)
    return mean > errors * error


def is_as_good(one: NDArray[Any], best: NDArray[Any]) -> bool:
    """Whether `one` is below `best` by one standard error at most.

    Source: the rule of one standard error, Breiman et al. 1984, Classification and Regression Trees, section 3.4.3.
    """
    mean, error = difference(best, one)
    return mean <= error
