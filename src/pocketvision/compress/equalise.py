"""Range equalisation: channels of one tensor get similar ranges, by factors that the next layer undoes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.model import graph as ops
from pocketvision.model.graph import Conv, Graph, Linear, Op
from pocketvision.model.rewrite import Arrays
from pocketvision.model.spaces import Spaces, factor_spaces

KEEPS_FACTORS = (None, "relu")  # f(s x) = s f(x) for s > 0
WIDEST = 1e4  # ratio of the factors of one tensor: beyond, float32 itself loses digits


def equalise(
    graph: Graph, arrays: Arrays, largest: Mapping[str, NDArray[np.float64]]
) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """Return parameters of a network that computes the same, with channels of similar ranges in as many tensors as possible.

    One factor for each channel moves from what makes a tensor to what reads it. As weights have a scale for each output channel,
    the maker loses nothing; the factor balances a channel's range against the size of the weights that read it.

    Args:
        graph: the fp32 graph, without batch norms.
        arrays: its parameters.
        largest: (C,) the largest |value| of each channel, by op.

    Returns:
        The parameters; and the names of the makers whose channels were skipped, as an activation in between, a public output or
        the image forbids factors.

    Source: Nagel et al. 2019, arXiv:1906.04721, section 4.1; ranges of activations instead of weights, as activations have one
    scale for the whole tensor: SmoothQuant, arXiv:2211.10438, eq. 4.
    """
    found = factor_spaces(graph)
    forbidden = _forbidden(graph, found)
    result = {p.name: np.asarray(arrays[p.name], np.float64) for p in graph.parameters()}
    skipped = []
    for number, space in enumerate(found):
        makers = [op for op in graph.ops if isinstance(op, Conv | Linear) and number in _numbers(found, op.name)]
        if number in forbidden:
            skipped += [op.name for op in makers]
            continue
        factors = _factors(graph, result, found, number, space.size, largest)
        for maker in makers:
            own = _at(found, maker.name, number, factors)
            for p in maker.parameters():
                result[p.name] = result[p.name] / own.reshape(-1, *[1] * (len(p.shape) - 1))
        for op in graph.ops:
            if isinstance(op, Conv | Linear) and number in _numbers(found, op.inputs[0]):
                _scale_inputs(op, result, _at(found, op.inputs[0], number, factors))
    return {name: value.astype(np.float32) for name, value in result.items()}, skipped


def with_relu(graph: Graph) -> Graph:
    """Return the graph with ReLU instead of ReLU6, which factors cannot pass: another function for values above 6."""

    def changed(op: Op) -> Op:
        if isinstance(op, Conv | ops.Add) and op.activation == "relu6":
            return replace(op, activation="relu")
        return replace(op, kind="relu") if isinstance(op, ops.Activation) and op.kind == "relu6" else op

    return replace(graph, ops=tuple(map(changed, graph.ops)))


def _forbidden(graph: Graph, found: Spaces) -> set[int]:
    """Return the numbers of the spaces whose channels must keep their scale."""
    fixed = {"image", *graph.outputs.values()}
    for op in graph.ops:
        kind = op.kind if isinstance(op, ops.Activation) else getattr(op, "activation", None)
        if kind not in KEEPS_FACTORS:
            fixed.add(op.name)
            fixed.update(op.inputs if isinstance(op, ops.Activation) else ())
        if isinstance(op, ops.Mul):
            fixed.add(op.inputs[1])  # a gate
        if isinstance(op, ops.Normalize):
            fixed.add(op.name)
    return {number for name in fixed for number in _numbers(found, name)}


def _numbers(found: Spaces, tensor: str) -> set[int]:
    return set(found.tensors[tensor][:, 0].tolist())


def _at(found: Spaces, tensor: str, number: int, factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a factor for each channel of a tensor; 1 for channels of other spaces."""
    places = found.tensors[tensor]
    own: NDArray[np.float64] = np.where(places[:, 0] == number, factors[places[:, 1] % len(factors)], 1.0)
    return own


def _scale_inputs(op: Conv | Linear, arrays: dict[str, NDArray[np.float64]], factors: NDArray[np.float64]) -> None:
    """Multiply the weights that read each channel by its factor."""
    name = next(p.name for p in op.parameters() if p.role == "weight")
    weight = arrays[name]
    if isinstance(op, Conv) and op.groups > 1:
        per_group = factors.reshape(op.groups, -1)
        rows = np.repeat(per_group, len(weight) // op.groups, axis=0)
        arrays[name] = weight * rows[:, :, None, None]
    else:
        arrays[name] = weight * factors.reshape(1, -1, *[1] * (weight.ndim - 2))


def _factors(
    graph: Graph,
    arrays: Mapping[str, NDArray[np.float64]],
    found: Spaces,
    number: int,
    size: int,
    largest: Mapping[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return the divisor of each channel of a space: the square root of its range over the weights that read it."""
    reach, read = np.zeros(size), np.zeros(size)
    for op in graph.ops:
        if op.name in largest and number in _numbers(found, op.name):
            _raise(reach, found.tensors[op.name], number, largest[op.name])
        if not isinstance(op, Conv | Linear) or number not in _numbers(found, op.inputs[0]):
            continue
        if isinstance(op, Conv) and op.is_depthwise:
            continue  # each channel's filter has its own scale
        weight = np.abs(arrays[next(p.name for p in op.parameters() if p.role == "weight")])
        groups = getattr(op, "groups", 1)
        by_row = weight.reshape(groups, -1, weight.shape[1], int(np.prod(weight.shape[2:], dtype=int))).max(axis=(1, 3))
        _raise(read, found.tensors[op.inputs[0]], number, by_row.reshape(-1))
    if not (reach > 0).any():
        return np.ones(size)
    if (read > 0).any():
        alive = (reach > 0) & (read > 0)
        factors = np.where(alive, np.sqrt(reach / np.where(alive, read, 1.0)), 0.0)
    else:
        alive, factors = reach > 0, reach
    middle = float(np.exp(np.log(factors[alive]).mean())) if alive.any() else 1.0
    limited: NDArray[np.float64] = np.where(alive, (factors / middle).clip(1 / WIDEST, WIDEST), 1.0)
    return limited


def _raise(to: NDArray[np.float64], places: NDArray[np.int64], number: int, values: NDArray[np.float64]) -> None:
    own = places[:, 0] == number
    np.maximum.at(to, places[own, 1], values[own])
