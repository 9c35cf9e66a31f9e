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
    """

    flip: bool = False
    shift: float = 0.0
    scale: float = 1.0


def draws(seed: int, epoch: int, count: int) -> NDArray[np.float64]:
    """Return (count, 8) numbers in [0, 1): the row of an image depends on (seed, epoch, its index) alone.

    Columns 0 and 1 shift, 2 mirrors, 3 to 5 crop; two are spare, as with another number of columns all rows would change.
    """
    return np.random.default_rng([seed, epoch, 1]).random((count, 8))


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order in which an epoch visits the images, from (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)
