"""A look at the images themselves: how large they are, and whether any has colour."""

from dataclasses import dataclass

import numpy as np

from pocketvision.data.dataset import Dataset
from pocketvision.run.images import image_size, is_grey


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


def survey(dataset: Dataset, limit: int = 2000) -> Survey:
    """Measure the images of a data set.

    Args:
        dataset: its images are read, not its samples.
        limit: read the sizes of at most so many (at least 1), evenly spaced; all are looked at for colour, until one has it.

    Raises:
        BadImage: an image cannot be decoded.

    >>> from pocketvision.data.dataset import Sample
    >>> pixels = np.zeros((2, 28, 20), np.uint8)
    >>> survey(Dataset("digits", ("0", "1"), (Sample("a", 0), Sample("b", 1)), pixels))
    Survey(short_side_median=20, grey=True, smallest=(20, 28), largest=(20, 28))
    """
    # Neighbours are at least 1 apart, so no image is measured twice.
    picked = np.linspace(0, len(dataset) - 1, max(1, min(limit, len(dataset)))).astype(int)
    sizes = sorted((image_size(dataset.image(int(index))) for index in picked), key=lambda size: (min(size), max(size)))
    return Survey(
        short_side_median=int(np.median([min(size) for size in sizes])),
        grey=_all_grey(dataset),
        smallest=sizes[0],
        largest=sizes[-1],
    )


def _all_grey(dataset: Dataset) -> bool:
    """Tell whether no image has colour; an array (N, H, W) needs no look."""
    if isinstance(dataset.images, np.ndarray) and dataset.images.ndim == 3:
        return True
    return all(is_grey(dataset.image(index)) for index in range(len(dataset)))
