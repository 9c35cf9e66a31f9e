"""The images in a few figures: how large they are, and whether any has colour."""

from dataclasses import dataclass

import numpy as np

from pocketvision.data.looks import Facts


@dataclass(frozen=True)
class Survey:
    """What the images of a data set look like.

    Args:
        short_side_median: median of the shorter side, in pixels, rounded down.
        grey: no image has colour.
        smallest: (width, height) in pixels of the image with the shortest shorter side.
        largest: (width, height) in pixels of the image with the longest shorter side.
    """

    short_side_median: int
    grey: bool
    smallest: tuple[int, int]
    largest: tuple[int, int]


def survey(facts: Facts) -> Survey:
    """Return the figures of images that were looked at.

    Args:
        facts: of one image at least.
    """
    short, long = np.minimum(facts.widths, facts.heights), np.maximum(facts.widths, facts.heights)
    order = np.lexsort((long, short))  # by the short side, then by the long one
    sizes = [(int(facts.widths[index]), int(facts.heights[index])) for index in (order[0], order[-1])]
    return Survey(
        short_side_median=int(np.median(short)), grey=bool(facts.grey.all()), smallest=sizes[0], largest=sizes[1]
    )
