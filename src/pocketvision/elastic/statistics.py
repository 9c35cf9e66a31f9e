"""Batch-norm statistics of a cut: taken anew, as the channels that were dropped have changed what every later layer sees."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.loader import Images, to_tensor
from pocketvision.events import Progress
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.model.rewrite import Arrays

RECALIBRATION_IMAGES = 1024
BATCH = 64


def recalibrate(
    graph: Graph, arrays: Arrays, images: Images, most: int = RECALIBRATION_IMAGES
) -> Generator[Progress, None, dict[str, NDArray[np.float32]]]:
    """Return the arrays with statistics that are the means over batches of training images.

    Source: Universally Slimmable Networks, arXiv:1903.05134, section 3.4.

    Args:
        graph: the cut.
        arrays: its parameters.
        images: training images as evaluation prepares them, at the cut's resolution.
        most: how many of them are looked at, evenly spaced.
    """
    network = build(graph)
    network.load_arrays(arrays)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean of all batches
    network.train()
    rows = np.linspace(0, len(images) - 1, min(most, len(images))).astype(np.int64)
    for start in range(0, len(rows), BATCH):
        with torch.no_grad():
            network(to_tensor(images[rows[start : start + BATCH]]))
        yield Progress(f"batch-norm statistics of {graph.name}", min(start + BATCH, len(rows)), len(rows))
    return network.arrays()
