"""How two looks at one training image may differ, and the order of an epoch: drawn from (seed, epoch, index) alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a training image may be changed.

    Attributes:
        flip: mirror every second image left to right.
        shift: move by up to this share of the side, in whole pixels; the border is repeated.
        scale: smallest share of the area that a random crop keeps; 1 = no crop. The paper limits small crops for small
            networks (MobileNets, arXiv:1704.04861, section 3.2).
        erase: chance that a rectangle of up to a third of each side is set to grey (Zhong et al. 2017, arXiv:1708.04896).
    """

    flip: bool = False
    shift: float = 0.0
    scale: float = 1.0
    erase: float = 0.0


def draws(seed: int, epoch: int, count: int) -> NDArray[np.float64]:
    """Return (count, 8) numbers in [0, 1): the row of an image depends on (seed, epoch, its index) alone."""
    return np.random.default_rng([seed, epoch, 1]).random((count, 8))


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order in which an epoch visits the images, from (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)
