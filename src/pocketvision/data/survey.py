"""A data set in two figures: how large its images are, and whether any has colour."""

from dataclasses import dataclass

import numpy as np

from pocketvision.data.looks import Facts


@dataclass(frozen=True)
class Survey:
    """What the images of a data set look like.

    Args:
        short_side_median: median of the shorter side, in pixels, rounded down.
        grey: no image has colour.
    """

    short_side_median: int
    grey: bool


def survey(facts: Facts) -> Survey:
    """Return the figures of a data set.

    Args:
        facts: of at least one image.
    """
    return Survey(
        short_side_median=int(np.median(np.minimum(facts.widths, facts.heights))), grey=bool(facts.grey.all())
    )
