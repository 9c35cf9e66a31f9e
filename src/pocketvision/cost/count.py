"""Parameters, multiply-adds and memory, op by op, from the Graph alone."""

from collections import defaultdict
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from pocketvision.cost.memory import FLOAT_BYTES, live_bytes
from pocketvision.model.graph import Conv, Graph, Linear, Op, Shape


class Sum(NamedTuple):
    """Parameters, weights and multiply-adds of several ops together."""

    params: int
    weights: int
    macs: int


@dataclass(frozen=True)
class OpCost:
    """What one op costs.

    Attributes:
        name: of the op.
        kind: kind of layer, in the words of V1's Table 2: "Conv 1x1", "Conv DW 3x3", "Conv 3x3", "Fully connected".
        row: index of the family's row it comes from.
        block: name of the block it comes from.
        shape: of its output.
        params: trained numbers; batch norm's scale and shift count, its statistics do not.
        weights: of these, the filters and matrices alone (no batch norm, no bias).
        macs: multiply-adds for one image.
        stored: numbers in the exported file: the weights, and one bias for each channel once batch norm is folded.
        activation_bytes: of its output for one image, float32.
        live_bytes: of all tensors that are alive while it runs, its output among them.
    """

    name: str
    kind: str
    row: int
    block: str
    shape: Shape
    params: int
    weights: int
    macs: int
    stored: int
    activation_bytes: int
    live_bytes: int


@dataclass(frozen=True)
class Cost:
    """What a network costs, in sum and by op."""

    ops: tuple[OpCost, ...]

    @property
    def total(self) -> Sum:
        """The whole network."""
        return _sum(self.ops)

    @property
    def params(self) -> int:
        """Trained numbers of the whole network."""
        return self.total.params

    @property
    def macs(self) -> int:
        """Multiply-adds of the whole network for one image."""
        return self.total.macs

    @property
    def weight_bytes(self) -> int:
        """What the exported file keeps of the network, float32."""
        return FLOAT_BYTES * sum(op.stored for op in self.ops)

    @property
    def activation_bytes(self) -> int:
        """All outputs together: the traffic of one image, float32."""
        return sum(op.activation_bytes for op in self.ops)

    @property
    def peak_activation_bytes(self) -> int:
        """The most that is alive at once, for one image."""
        return max(op.live_bytes for op in self.ops)

    @property
    def memory_mb(self) -> float:
        """Weights and peak live activations, in 10^6 bytes: what a budget's `memory_mb` limits."""
        return (self.weight_bytes + self.peak_activation_bytes) / 1e6

    def by_kind(self) -> dict[str, Sum]:
        """Return the sums for each kind of layer that has weights, the most multiply-adds first."""
        groups: dict[str, list[OpCost]] = defaultdict(list)
        for op in self.ops:
            if op.weights:
                groups[op.kind].append(op)
        sums = {kind: _sum(tuple(found)) for kind, found in groups.items()}
        return dict(sorted(sums.items(), key=lambda item: -item[1].macs))


def _sum(found: tuple[OpCost, ...]) -> Sum:
    return Sum(sum(op.params for op in found), sum(op.weights for op in found), sum(op.macs for op in found))


def count(graph: Graph) -> Cost:
    """Count what every op costs.

    One multiply-add counts 1; convolutions and fully connected layers count, everything else is free
    (batch norm folds into the convolution before it).

    Source: MobileNets, arXiv:1704.04861, section 3.1, eq. 2 to 5.

    >>> from pocketvision.model.resolve import resolve
    >>> cost = count(resolve("mobilenet_v1", width=0.5, resolution=160))
    >>> cost.params, cost.macs
    (1331592, 76524800)
    """
    return Cost(tuple(map(_cost, graph.ops, live_bytes(graph))))


def describe(graph: Graph) -> dict[str, Any]:
    """Return a network's name, options and costs as JSON values: what records, plans and runs say of it."""
    cost = count(graph)
    return {"name": graph.name, **graph.source._asdict(), "params": cost.params, "macs": cost.macs}


def _cost(op: Op, live: int) -> OpCost:
    parameters = op.parameters()
    return OpCost(
        name=op.name,
        kind=_kind(op),
        row=op.origin.row,
        block=op.origin.block,
        shape=op.shape,
        params=sum(p.size for p in parameters if p.is_trained),
        weights=sum(p.size for p in parameters if p.role == "weight"),
        macs=_macs(op),
        stored=_stored(op),
        activation_bytes=FLOAT_BYTES * prod(op.shape),
        live_bytes=live,
    )


def _macs(op: Op) -> int:
    """Each output is a sum over the kernel and the input channels of its group."""
    match op:
        case Conv(shape=shape, kernel=kernel):
            return prod(shape) * prod(kernel) * (op.in_channels // op.groups)
        case Linear(shape=shape, in_channels=in_channels):
            return shape.channels * in_channels
        case _:
            return 0


def _stored(op: Op) -> int:
    """Weights, and biases: a folded batch norm leaves one for each channel."""
    match op:
        case Conv(has_bias=has_bias, batch_norm_eps=eps):
            has_bias = has_bias or eps is not None
            weights = sum(p.size for p in op.parameters() if p.role == "weight")
            return weights + op.out_channels * has_bias
        case _:
            return sum(p.size for p in op.parameters())


def _kind(op: Op) -> str:
    match op:
        case Conv(kernel=kernel):
            label = "Conv DW" if op.is_depthwise else "Conv" if op.groups == 1 else f"Conv {op.groups} groups"
            return f"{label} {kernel.height}x{kernel.width}"
        case Linear():
            return "Fully connected"
        case _:
            return type(op).__name__
