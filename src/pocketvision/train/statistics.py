"""Batch-norm statistics of a cut: taken anew, as the channels that were dropped have changed what every later layer sees."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.pixels import Images
from pocketvision.events import Progress
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.model.rewrite import Arrays
from pocketvision.train.batches import to_tensor

PIXELS = 4096 * 32 * 32  # that statistics are taken from: the larger the images, the fewer of them
FEWEST = 512  # images
BATCH = 128


def images_needed(graph: Graph) -> int:
    """Return how many images the statistics of a network are taken from, where there are as many.

    With a quarter of them cuts at 32 pixels lost 0.1 to 0.3 points: docs/log.md.
    """
    return max(FEWEST, PIXELS // (graph.image.height * graph.image.width))


def evenly(number: int, most: int) -> NDArray[np.int64]:
    """Return the indices of at most so many of a number of rows, evenly spaced.

    >>> evenly(100, 5), evenly(3, 5)
    (array([ 0, 24, 49, 74, 99]), array([0, 1, 2]))
    """
    return np.linspace(0, number - 1, min(most, number)).astype(np.int64)


def recalibrate(
    graph: Graph, arrays: Arrays, images: Images
) -> Generator[Progress, None, dict[str, NDArray[np.float32]]]:
    """Return the arrays with statistics that are the means over batches of training images.

    Source: Universally Slimmable Networks, arXiv:1903.05134, section 3.4.

    Args:
        graph: the cut.
        arrays: its parameters.
        images: training images as evaluation prepares them, at the cut's resolution; so many as `images_needed` says are looked
            at, evenly spaced.
    """
    network = build(graph)
    network.load_arrays(arrays)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
    network.train()
    rows = evenly(len(images), images_needed(graph))
    done = 0
    for some in np.array_split(rows, -(-len(rows) // BATCH)):  # all about as large: each counts as much
        with torch.no_grad():
            network(to_tensor(images[some]))
        done += len(some)
        yield Progress(f"batch-norm statistics of {graph.name}", done, len(rows))
    return network.arrays()
