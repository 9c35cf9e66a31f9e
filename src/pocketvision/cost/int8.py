"""What a network takes in another precision than fp32, from its fp32 graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from pocketvision.cost.count import count
from pocketvision.cost.memory import FLOAT_BYTES, live_bytes
from pocketvision.model.fake_quant import insert_fake_quant
from pocketvision.model.graph import Conv, FakeQuant, Graph, Linear, Normalize, Op
from pocketvision.model.pad_channels import padded
from pocketvision.model.rewrite import folded

CHANNEL_BYTES = 12  # bias, its scale, and the weights' scale; zero points are shared
RANGE_BYTES = FLOAT_BYTES + 1  # scale and zero point of a tensor


@dataclass(frozen=True)
class Int8Cost:
    """What an int8 network takes.

    Attributes:
        weight_bytes: of all arrays of the file.
        arrays: how many there are.
        peak_activation_bytes: the most that is alive at once, for one image.
    """

    weight_bytes: int
    arrays: int
    peak_activation_bytes: int

    @property
    def memory_mb(self) -> float:
        """Weights and peak live activations, in 10^6 bytes."""
        return (self.weight_bytes + self.peak_activation_bytes) / 1e6


def count_int8(graph: Graph, floats: Sequence[str] = ()) -> Int8Cost:
    """Count what an fp32 graph would take in int8.

    `floats` are layers that stay fp32, besides the first one, which reads the pixels.
    """
    graph = padded(folded(graph))
    stored = [_stored(op) for op in insert_fake_quant(graph, floats).ops]
    return Int8Cost(
        weight_bytes=sum(size for size, _ in stored),
        arrays=sum(number for _, number in stored),
        peak_activation_bytes=max(
            live if op.name in floats or _is_at_pixels(graph, op) else live // FLOAT_BYTES
            for op, live in zip(graph.ops, live_bytes(graph), strict=True)
        ),
    )


def name_in(precision: str, name: str) -> str:
    """Return a network's name in a precision.

    >>> name_in("int8", "mobilenet_v2_w0.50_r96"), name_in("fp32", "mobilenet_v2_w0.50_r96")
    ('mobilenet_v2_w0.50_r96_int8', 'mobilenet_v2_w0.50_r96')
    """
    return name if precision == "fp32" else f"{name}_{precision}"


def counted_memory_mb(graph: Graph, precision: str, floats: Sequence[str] = ()) -> float:
    """Return what a budget's `memory_mb` limits, in 10^6 bytes; weights that are stored as fp16 are fp32 in memory."""
    return count_int8(graph, floats).memory_mb if precision == "int8" else count(graph).memory_mb


def _stored(op: Op) -> tuple[int, int]:
    """Return bytes and number of arrays that the file keeps of an op."""
    if isinstance(op, Conv | Linear) and op.weight_limit is not None:
        weights = next(prod(p.shape) for p in op.parameters() if p.role == "weight")
        return weights + CHANNEL_BYTES * op.shape.channels, 4
    if isinstance(op, FakeQuant):
        return (RANGE_BYTES, 2) if op.like is None else (0, 0)
    sizes = [p.size for p in op.parameters()]
    return FLOAT_BYTES * sum(sizes), len(sizes)


def _is_at_pixels(graph: Graph, op: Op) -> bool:
    """Whether an op is computed in fp32, as it reads the pixels or the normalised pixels."""
    return all(name == "image" or isinstance(graph[name], Normalize) for name in op.inputs)
