"""fp32 graph -> int8 graph: `FakeQuant` ops where tensors are uint8, and int8 weights."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.graph import Graph, Op
from pocketvision.model.init import initial_arrays
from pocketvision.model.pad_channels import pad_channels
from pocketvision.model.rewrite import fold_batch_norm

WEIGHT_LIMIT = 127  # of int8 weights, symmetric around 0
IN_RANGE = (None, "relu", "relu6")  # activations that a uint8 range computes by itself, by clipping
SHARING = (ops.MaxPool, ops.Split, ops.ChannelShuffle)  # give values of their input
FOLLOWING = (*SHARING, ops.Add, ops.Mul, ops.Concat, ops.AveragePool, ops.GlobalPool)  # quantised if all inputs are


def insert_fake_quant(graph: Graph, floats: Collection[str] = (), weight_limit: int = WEIGHT_LIMIT) -> Graph:
    """Return the int8 graph: int8 weights with a scale for each output channel, uint8 tensors with one scale each.

    Convolutions and fully connected layers are quantised, and so is what lies between them if all of its inputs are. An
    activation that no range can compute, such as hard-swish, becomes an op of its own between two ranges. What reads the pixels
    stays fp32: with three channels that is as fast, and the scale of its input would be the coarsest.

    Args:
        graph: without batch norms, see `rewrite.fold_batch_norm`.
        floats: names of convolutions and fully connected layers that stay fp32.
        weight_limit: the largest quantised weight; 63 for processors whose int8 sums saturate (no VNNI).

    Returns:
        A graph with the same parameters, and with the scales and zero points that `compress` finds.

    Raises:
        GraphError: there is a batch norm, or a name in `floats` is not that of a layer that can be quantised.

    Source: Jacob et al. 2017, arXiv:1712.05877; a scale for each channel: Krishnamoorthi 2018, arXiv:1806.08342, section 3.
    """
    candidates = set(may_be_int8(graph))
    if unknown := sorted(set(floats) - candidates):
        raise GraphError(f"op {unknown[0]!r} of {graph.name!r} is no layer that can be quantised.")
    for op in graph.ops:
        if isinstance(op, ops.Conv) and op.batch_norm_eps is not None:
            raise GraphError(f"op {op.name!r} of {graph.name!r} has a batch norm; fold it before quantising.")
    rewriter = _Rewriter(graph, candidates - set(floats), weight_limit)
    for op in graph.ops:
        rewriter.add(op)
    return replace(
        graph,
        ops=tuple(rewriter.ops),
        outputs={name: rewriter.now[source] for name, source in graph.outputs.items()},
        features=tuple(rewriter.now[name] for name in graph.features),
    )


def untrained_int8(graph: Graph, seed: int = 0) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Return an int8 network to be timed: random weights, and scales as large as those of trained networks."""
    plain, arrays = pad_channels(*fold_batch_norm(graph, initial_arrays(graph, seed)))
    graph = insert_fake_quant(plain)
    made = {op.name: op for op in graph.ops}
    gates = {name for op in graph.ops if isinstance(op, ops.Activation) and op.kind in ops.GATES for name in op.inputs}
    for op in graph.ops:
        if isinstance(op, ops.Conv | ops.Linear) and op.weight_limit is not None:
            weight = arrays[next(p.name for p in op.parameters() if p.role == "weight")]
            largest = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
            arrays[f"{op.name}.weight_quant.scale"] = np.maximum(largest / op.weight_limit, np.float32(1e-6))
        elif isinstance(op, ops.FakeQuant) and op.like is None:
            scale, zero_point = _usual_scale(made[op.inputs[0]], op.name in gates)
            arrays[f"{op.name}.scale"] = np.array(scale, np.float32)
            arrays[f"{op.name}.zero_point"] = np.array(zero_point, np.float32)
    return graph, arrays


def _usual_scale(source: Op, is_gate: bool) -> tuple[float, float]:
    """Return scale and zero point of a tensor."""
    if is_gate:
        return 3 / 128, 128.0
    if isinstance(source, ops.Activation) and source.kind == "hard_sigmoid":
        return 3 / 128 * ops.GATE_SLOPE, 0.0
    return 6 / 255, 0.0 if getattr(source, "activation", None) in ("relu", "relu6") else 128.0


def may_be_int8(graph: Graph) -> list[str]:
    """Return the names of the convolutions and fully connected layers that do not read the pixels, in order."""
    pixels = {"image"}
    for op in graph.ops:
        if isinstance(op, ops.Normalize) and op.inputs[0] in pixels:
            pixels.add(op.name)
    return [op.name for op in graph.ops if isinstance(op, ops.Conv | ops.Linear) and op.inputs[0] not in pixels]


class _Rewriter:
    """Adds ops in order; `now` maps a tensor's name in the fp32 graph to the tensor that holds it."""

    def __init__(self, graph: Graph, quantised: set[str], weight_limit: int) -> None:
        self.quantised, self.weight_limit = quantised, weight_limit
        self.read_by_quantised = {name for op in graph.ops if op.name in quantised for name in op.inputs}
        for op in reversed(graph.ops):
            if isinstance(op, ops.Dropout) and op.name in self.read_by_quantised:
                self.read_by_quantised.update(op.inputs)
        self.ops: list[Op] = []
        self.now = {"image": "image"}
        self.ranges: dict[str, str] = {}  # tensor -> the FakeQuant that owns its scale

    def add(self, op: Op) -> None:
        """Add an op, and a range behind it where one is needed."""
        inputs = tuple(self.now[name] for name in op.inputs)
        is_quantised = op.name in self.quantised
        changes: dict[str, object] = {"inputs": inputs}
        late = None
        if is_quantised:
            changes["weight_limit"] = self.weight_limit
            if isinstance(op, ops.Conv) and op.activation not in IN_RANGE:
                late, changes["activation"] = op.activation, None
        self._append(replace(op, **changes), op.name)  # type: ignore[arg-type]
        if late is not None:
            self._quantise(op, f"{op.name}.linear_quant")
            self._append(
                ops.Activation(
                    name=f"{op.name}.{late}", inputs=(self.now[op.name],), shape=op.shape, origin=op.origin, kind=late
                ),
                op.name,
            )
        if isinstance(op, ops.Dropout):
            self.ranges |= {op.name: self.ranges[inputs[0]]} if inputs[0] in self.ranges else {}
            return
        may_follow = isinstance(op, FOLLOWING) or (isinstance(op, ops.Activation) and op.kind in IN_RANGE)
        follows = may_follow and all(name in self.ranges for name in inputs)
        if is_quantised or follows or op.name in self.read_by_quantised:
            self._quantise(op, f"{op.name}.quant", self.ranges.get(inputs[0]) if isinstance(op, SHARING) else None)

    def _append(self, op: Op, meaning: str) -> None:
        self.ops.append(op)
        self.now[meaning] = op.name

    def _quantise(self, op: Op, name: str, like: str | None = None) -> None:
        """Add a range behind an op's output."""
        source = self.now[op.name]
        self._append(ops.FakeQuant(name=name, inputs=(source,), shape=op.shape, origin=op.origin, like=like), op.name)
        self.ranges[name] = like or name


def without_fake_quant(graph: Graph) -> Graph:
    """Return the fp32 graph that an int8 graph was made of; ops keep their names."""
    now = {"image": "image"}
    kept: list[Op] = []
    for op in graph.ops:
        inputs = tuple(now[name] for name in op.inputs)
        if isinstance(op, ops.FakeQuant):
            now[op.name] = inputs[0]
            continue
        now[op.name] = op.name
        changes = {"weight_limit": None} if isinstance(op, ops.Conv | ops.Linear) else {}
        kept.append(replace(op, inputs=inputs, **changes))  # type: ignore[arg-type]
    return replace(
        graph,
        ops=tuple(kept),
        outputs={name: now[source] for name, source in graph.outputs.items()},
        features=tuple(now[name] for name in graph.features),
    )
