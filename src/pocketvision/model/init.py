"""Initial weights in numpy: the same on every machine for the same seed."""

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from pocketvision.model.graph import CLASSIFIER, Conv, Graph, Parameter

CLASSIFIER_STD = 0.01
ACTIVATION_SCALE, WEIGHT_SCALE = 6 / 255, 0.01


def initial_arrays(graph: Graph, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return initial parameters.

    Convolutions: normal with variance 2 / (numbers each output is summed from). Source: He et al. 2015,
    arXiv:1502.01852, eq. 10. Fully connected: normal with a standard deviation of 0.01. Batch norm: identity. Biases: 0.
    A classifier with an activation starts with biases of 1, as a logit that is clipped has no gradient. int8: scales that
    cover ReLU6's range for activations, 0.01 for weights; `compress` finds better ones.

    Args:
        graph: any graph.
        seed: 0 or more. Each array has its own stream (seed, name), so adding an op changes no other array.
    """
    arrays = {parameter.name: _initial(parameter, seed) for parameter in graph.parameters()}
    for op in graph.ops:
        if isinstance(op, Conv) and op.name == CLASSIFIER and op.activation is not None:
            arrays[f"{op.name}.conv.bias"] += np.float32(1)
    return arrays


def _initial(parameter: Parameter, seed: int) -> NDArray[np.float32]:
    if parameter.role in ("scale", "variance"):
        return np.ones(parameter.shape, np.float32)
    if parameter.role == "quant_scale":
        return np.full(parameter.shape, WEIGHT_SCALE if parameter.shape else ACTIVATION_SCALE, np.float32)
    if parameter.role != "weight":
        return np.zeros(parameter.shape, np.float32)
    fan_in = math.prod(parameter.shape[1:])
    std = math.sqrt(2 / fan_in) if len(parameter.shape) == 4 else CLASSIFIER_STD
    stream = np.random.default_rng([seed, zlib.crc32(parameter.name.encode())])
    return stream.normal(0.0, std, parameter.shape).astype(np.float32)
