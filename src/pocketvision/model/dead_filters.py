"""Dead filters: depthwise filters so small, once batch norm is folded in, that the image makes no difference to their output.

MobileNetV1 is known for them: a depthwise filter whose weights decay to nothing leaves a constant channel, which still costs
the next layer.
"""

import numpy as np
from numpy.typing import NDArray

from pocketvision.model.graph import Conv, Graph
from pocketvision.model.rewrite import Arrays, fold_batch_norm

DEAD_SHARE = 0.01  # of the norm that the layer's larger filters have
ALIVE_QUANTILE = 0.75  # of the norms, as that reference; not the median, as more than half of a layer can be dead


def count_dead_filters(graph: Graph, arrays: Arrays) -> dict[str, int]:
    """Count the dead filters of every depthwise convolution.

    A filter is dead if none of its weights, after folding, is above a hundredth of the norm that the upper quarter of the layer's
    filters reach; in a layer of zeros all are dead.

    Args:
        graph: any graph, with batch norms or folded.
        arrays: its parameters.

    Returns:
        How many are dead, by the op's name, in the order of the graph.
    """
    folded, weights = fold_batch_norm(graph, arrays)
    return {
        op.name: int(is_dead(weights[f"{op.name}.conv.weight"]).sum())
        for op in folded.ops
        if isinstance(op, Conv) and op.is_depthwise
    }


def is_dead(filters: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which filters of one layer are dead.

    Args:
        filters: (n, 1, height, width), folded.

    >>> is_dead(np.array([3.0, 0.02, 2.0, 4.0]).reshape(4, 1, 1, 1)).tolist()
    [False, True, False, False]
    """
    flat = np.asarray(filters, np.float64).reshape(len(filters), -1)
    reference = np.quantile(np.linalg.norm(flat, axis=1), ALIVE_QUANTILE)
    return np.asarray(np.abs(flat).max(axis=1) <= DEAD_SHARE * reference)
