"""Static ranges: the values of each tensor on real images, and the scale and zero point that cover them best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.pixels import Pixels
from pocketvision.events import Progress, Work
from pocketvision.model.fake_quant import without_fake_quant
from pocketvision.model.graph import GATE_SLOPE, GATES, Activation, Conv, Dropout, FakeQuant, Graph, Linear, Op
from pocketvision.model.network import Network
from pocketvision.model.rewrite import Arrays
from pocketvision.train.batches import to_tensor

Method = Literal["largest", "percentile", "mse"]
METHODS: tuple[Method, ...] = ("largest", "percentile", "mse")
LEVELS = 255  # intervals between the ends of a range
BINS = 2048
BATCH = 32
KEPT = 0.9999  # of the values, by "percentile"
SHRINKS = np.linspace(1.0, 0.2, 81)  # shares of the whole range that "mse" tries
SMALLEST = 1e-8  # scale
# Largest int32 bias, far below where sums of 32 bits overflow; that of a filter of nearly 0 would be larger
LARGEST_BIAS = 2**26


@dataclass(frozen=True)
class Values:
    """The values of one tensor.

    Attributes:
        low, high: smallest and largest.
        counts: (BINS,) of equal width between these.
        largest: (C,) the largest |value| of each channel.
        means: (C,) of each channel.
    """

    low: float
    high: float
    counts: NDArray[np.int64]
    largest: NDArray[np.float64]
    means: NDArray[np.float64]

    @property
    def centers(self) -> NDArray[np.float64]:
        """The middle of each bin."""
        edges = np.linspace(self.low, self.high, BINS + 1)
        middle: NDArray[np.float64] = (edges[:-1] + edges[1:]) / 2
        return middle


def observe(graph: Graph, arrays: Arrays, images: NDArray[np.uint8] | Pixels) -> Work[dict[str, Values]]:
    """Return the fp32 values of the tensors that are to be quantised.

    Args:
        graph: with FakeQuant ops.
        arrays: its parameters; scales and zero points are not needed.
        images: (N, R, R, C) uint8, for instance 500 training images.

    Returns:
        The values by the names of the FakeQuant ops, also of those that share a scale: if the layer before stays fp32, they have
        their own.
    """
    plain = without_fake_quant(graph)
    network = Network(plain, seed=None).eval().to(memory_format=torch.channels_last)
    network.load_arrays({p.name: arrays[p.name] for p in plain.parameters()})
    readers: dict[str, list[str]] = {}
    for op in graph.ops:
        if isinstance(op, FakeQuant):
            readers.setdefault(op.inputs[0], []).append(op.name)
    ends = dict.fromkeys(readers, (np.inf, -np.inf))
    channels = {name: plain.shape_of(name).channels for name in readers}
    counts = {name: np.zeros(BINS, np.int64) for name in readers}
    largest, sums = ({name: np.zeros(channels[name]) for name in readers} for _ in range(2))
    done, steps = 0, 2 * -(-len(images) // BATCH)
    for is_counting in (False, True):
        for start in range(0, len(images), BATCH):
            with torch.inference_mode():
                tensors = network.forward_features(to_tensor(images[start : start + BATCH]), tuple(readers))
            for name in readers:
                values, (low, high) = tensors[name], ends[name]
                if not is_counting:
                    ends[name] = min(low, float(values.min())), max(high, float(values.max()))
                    largest[name] = np.maximum(largest[name], values.abs().amax((0, 2, 3)).numpy())
                    sums[name] += values.mean((2, 3)).double().sum(0).numpy()
                elif high > low:
                    found = torch.histc(values.float(), BINS, low, high)
                    counts[name] += found.numpy().astype(np.int64)
            done += 1
            yield Progress("looking at ranges", done, steps)
    return {
        quant: Values(*ends[name], counts[name], largest[name], sums[name] / len(images))
        for name, quants in readers.items()
        for quant in quants
    }


def find_scales(
    graph: Graph, arrays: Arrays, values: Mapping[str, Values], method: Method
) -> dict[str, NDArray[np.float32]]:
    """Return the parameters of an int8 graph: those given, and all scales and zero points.

    Args:
        graph: with FakeQuant ops and int8 weights.
        arrays: its other parameters.
        values: see `observe`.
        method: for tensors: "largest" covers all values, "percentile" all but one in 10,000, "mse" has the least squared error.
            Scales of weights cover all values.
    """
    found = {
        p.name: np.asarray(arrays[p.name], np.float32)
        for p in graph.parameters()
        if p.role not in ("quant_scale", "zero_point")
    }
    made = {op.name: op for op in graph.ops}
    gates = {name: op.kind for op in graph.ops if isinstance(op, Activation) and op.kind in GATES for name in op.inputs}
    for op in graph.ops:
        if isinstance(op, Conv | Linear) and op.weight_limit is not None:
            own = {p.role: found[p.name] for p in op.parameters() if p.name in found}
            largest = np.abs(own["weight"].reshape(len(own["weight"]), -1)).max(axis=1)
            least = np.abs(own.get("bias", 0.0)) / (LARGEST_BIAS * found[f"{owner_of_scale(made, op.inputs[0])}.scale"])
            found[f"{op.name}.weight_quant.scale"] = np.maximum(largest / op.weight_limit, np.maximum(least, SMALLEST))
        elif isinstance(op, FakeQuant) and op.like is None:
            source = made.get(op.inputs[0])
            if isinstance(source, Activation) and source.kind == "hard_sigmoid":
                scale, zero_point = (
                    float(found[f"{source.inputs[0]}.scale"]) * GATE_SLOPE,
                    0.0,
                )  # of its quantised input
            elif op.name in gates:
                scale, zero_point = _scale_of_gate(chosen_range(values[op.name], method)[1], gates[op.name])
            else:
                scale, zero_point = _scale_of(*chosen_range(values[op.name], method))
            found[f"{op.name}.scale"] = np.array(scale, np.float32)
            found[f"{op.name}.zero_point"] = np.array(zero_point, np.float32)
    return found


def round_biases(graph: Graph, arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Return the parameters with biases rounded as the file holds them: multiples of the product of both scales."""
    result = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
    made = {op.name: op for op in graph.ops}
    for op in graph.ops:
        bias = next((p.name for p in op.parameters() if p.role == "bias"), None)
        if not isinstance(op, Conv | Linear) or op.weight_limit is None or bias is None:
            continue
        scale = np.float64(arrays[f"{owner_of_scale(made, op.inputs[0])}.scale"])
        fine = scale * np.asarray(arrays[f"{op.name}.weight_quant.scale"], np.float64)
        result[bias] = (np.rint(result[bias] / fine) * fine).astype(np.float32)
    return result


def owner_of_scale(made: Mapping[str, Op], tensor: str) -> str:
    """Return the name of the op that owns the scale of a quantised tensor."""
    op = made[tensor]
    while isinstance(op, Dropout):
        op = made[op.inputs[0]]
    assert isinstance(op, FakeQuant)
    return op.like or op.name


def chosen_range(values: Values, method: Method) -> tuple[float, float]:
    """Return the ends of the range that a method chooses; 0 is always inside, as zeros pad."""
    low, high = min(values.low, 0.0), max(values.high, 0.0)
    if method == "largest" or not values.counts.any():
        return low, high
    if method == "percentile":
        share = np.cumsum(values.counts) / values.counts.sum()
        tail = (1 - KEPT) / 2
        bottom, top = np.searchsorted(share, [tail, 1 - tail]).clip(0, BINS - 1)
        return min(float(values.centers[bottom]), 0.0), max(float(values.centers[top]), 0.0)
    errors = [_squared_error(values, low * shrink, high * shrink) for shrink in SHRINKS]
    best = float(SHRINKS[int(np.argmin(errors))])
    return low * best, high * best


def _scale_of(low: float, high: float) -> tuple[float, float]:
    """Return scale and zero point of a range, whose ends move so that 0 is one of the values."""
    scale = max((high - low) / LEVELS, SMALLEST)
    return scale, float(np.clip(np.rint(-low / scale), 0, LEVELS))


def _scale_of_gate(high: float, kind: str) -> tuple[float, float]:
    """Return scale and zero point of a range that starts at -3, below which a gate is 0: see `onnx_writer.is_range_of_gate`."""
    zero = np.clip(np.floor(3 * LEVELS / (high + 3)), 1, LEVELS)
    if kind == "hard_sigmoid":
        zero = max(zero, (LEVELS + 1) // 2)  # 1 from 3 on
    return 3 / float(zero), float(zero)


def _squared_error(values: Values, low: float, high: float) -> float:
    scale, zero_point = _scale_of(low, high)
    rounded = (np.rint(values.centers / scale) + zero_point).clip(0, LEVELS)
    return float((values.counts * (values.centers - (rounded - zero_point) * scale) ** 2).sum())
