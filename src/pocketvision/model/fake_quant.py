"""Float graph -> the same graph in integers: `FakeQuant` ops where tensors are uint8, and int8 weights."""

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
IN_RANGE = (None, "relu", "relu6")  # activations that a uint8 range does by itself, by what it cuts off
SHARING = (ops.MaxPool, ops.Split, ops.ChannelShuffle)  # give values of their input
FOLLOWING = (*SHARING, ops.Add, ops.Mul, ops.Concat, ops.AveragePool, ops.GlobalPool)  # integers where all inputs are


def _follows(op: Op) -> bool:
    return isinstance(op, FOLLOWING) or (isinstance(op, ops.Activation) and op.kind in IN_RANGE)


def insert_fake_quant(graph: Graph, floats: Collection[str] = (), weight_limit: int = WEIGHT_LIMIT) -> Graph:
    """Return the graph in integers: weights int8 with a step for each output channel, tensors uint8 with one step.

    Convolutions and fully connected layers become integers, and what lies between them where all that it reads is. An activation
    that no range can do, such as hard-swish, becomes an op of its own between two ranges. What reads the pixels stays in floats:
    of three channels, floats are as fast, and the step of its input would be the coarsest.

    Args:
        graph: without batch norms, see `rewrite.fold_batch_norm`.
        floats: names of convolutions and fully connected layers that stay as they are.
        weight_limit: the largest integer of a weight; 63 for processors whose int8 sums saturate (no VNNI).

    Returns:
        A graph of the same parameters, and the steps and zero points that `compress` finds.

    Raises:
        GraphError: there is a batch norm, or a name in `floats` is no op that could be integers.

    Source: Jacob et al. 2017, arXiv:1712.05877; a step for each channel: Krishnamoorthi 2018, arXiv:1806.08342, section 3.
    """
    candidates = set(may_be_integers(graph))
    if unknown := sorted(set(floats) - candidates):
        raise GraphError(f"op {unknown[0]!r} of {graph.name!r} is no layer that could be integers.")
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


def untrained_integers(graph: Graph, seed: int = 0) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Return a network in integers, to be timed: drawn weights, and steps of the size that trained networks have."""
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
            scale, zero = _usual_step(made[op.inputs[0]], op.name in gates)
            arrays[f"{op.name}.scale"] = np.array(scale, np.float32)
            arrays[f"{op.name}.zero_point"] = np.array(zero, np.float32)
    return graph, arrays


def _usual_step(source: Op, is_gate: bool) -> tuple[float, float]:
    if is_gate:
        return 3 / 128, 128.0
    if isinstance(source, ops.Activation) and source.kind == "hard_sigmoid":
        return 3 / 128 * ops.GATE_SLOPE, 0.0
    return 6 / 255, 0.0 if getattr(source, "activation", None) in ("relu", "relu6") else 128.0


def may_be_integers(graph: Graph) -> list[str]:
    """Return the names of the convolutions and fully connected layers that do not read the pixels, in order."""
    pixels = {"image"}
    for op in graph.ops:
        if isinstance(op, ops.Normalize) and op.inputs[0] in pixels:
            pixels.add(op.name)
    return [op.name for op in graph.ops if isinstance(op, ops.Conv | ops.Linear) and op.inputs[0] not in pixels]


class _Rewriter:
    """Adds ops in order; `now` says which tensor holds what the float graph calls by a name."""

    def __init__(self, graph: Graph, integers: set[str], weight_limit: int) -> None:
        self.integers, self.weight_limit = integers, weight_limit
        self.read_by_integers = {name for op in graph.ops if op.name in integers for name in op.inputs}
        for op in reversed(graph.ops):
            if isinstance(op, ops.Dropout) and op.name in self.read_by_integers:
                self.read_by_integers.update(op.inputs)
        self.ops: list[Op] = []
        self.now = {"image": "image"}
        self.ranges: dict[str, str] = {}  # tensor -> the FakeQuant that owns its step

    def add(self, op: Op) -> None:
        """Add an op, and a range behind it where it is wanted."""
        inputs = tuple(self.now[name] for name in op.inputs)
        is_integer = op.name in self.integers
        changes: dict[str, object] = {"inputs": inputs}
        late = None
        if is_integer:
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
        follows = _follows(op) and all(name in self.ranges for name in inputs)
        if is_integer or follows or op.name in self.read_by_integers:
            self._quantise(op, f"{op.name}.quant", self.ranges.get(inputs[0]) if isinstance(op, SHARING) else None)

    def _append(self, op: Op, meaning: str) -> None:
        self.ops.append(op)
        self.now[meaning] = op.name

    def _quantise(self, op: Op, name: str, like: str | None = None) -> None:
        """Add a range behind what an op gives now."""
        source = self.now[op.name]
        self._append(ops.FakeQuant(name=name, inputs=(source,), shape=op.shape, origin=op.origin, like=like), op.name)
        self.ranges[name] = like or name


def without_fake_quant(graph: Graph) -> Graph:
    """Return the float graph that a graph in integers stands for; what is left keeps its name."""
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
