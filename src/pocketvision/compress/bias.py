"""Bias correction: the mean shift that rounding the weights causes is taken out of the biases."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.ranges import Values
from pocketvision.model.graph import Conv, FakeQuant, Graph, Linear
from pocketvision.model.rewrite import Arrays


def correct_biases(graph: Graph, arrays: Arrays, values: Mapping[str, Values]) -> dict[str, NDArray[np.float32]]:
    """Return the parameters with the mean of (rounded weights - weights) * input subtracted from the biases.

    Args:
        graph: the int8 graph.
        arrays: its parameters, scales among them.
        values: see `observe`; gives the mean of each channel.

    Source: Nagel et al. 2019, arXiv:1906.04721, section 4.2, with means that are measured instead of derived.
    """
    result = {name: np.asarray(value) for name, value in arrays.items()}
    made = {op.name: op for op in graph.ops}
    for op in graph.ops:
        if not isinstance(op, Conv | Linear) or op.weight_limit is None:
            continue
        source = made.get(op.inputs[0])
        while source is not None and not isinstance(source, FakeQuant) and len(source.inputs) == 1:
            source = made.get(source.inputs[0])  # dropout
        bias = next((p.name for p in op.parameters() if p.role == "bias"), None)
        if bias is None or not isinstance(source, FakeQuant) or source.name not in values:
            continue
        weight = np.asarray(arrays[next(p.name for p in op.parameters() if p.role == "weight")], np.float64)
        scale = np.asarray(arrays[f"{op.name}.weight_quant.scale"], np.float64).reshape(-1, *[1] * (weight.ndim - 1))
        moved = np.rint(weight / scale).clip(-op.weight_limit, op.weight_limit) * scale - weight
        by_input = moved.reshape(*moved.shape[:2], -1).sum(axis=2)  # (out, in of its group)
        groups = getattr(op, "groups", 1)
        means = values[source.name].means.reshape(groups, -1).repeat(len(weight) // groups, axis=0)
        result[bias] = (np.asarray(arrays[bias], np.float64) - (by_input * means).sum(axis=1)).astype(np.float32)
    return result
