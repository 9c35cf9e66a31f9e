"""The Graph: a flat list of primitive ops with concrete numbers, which every reader understands.

An op has one output, and the output carries the op's name. Shapes are (channels, height, width); the batch is left out.
What arrays an op owns is declared once, by `Op.parameters`: the network creates them, `count` counts them, `init` fills
them, the ONNX writer stores them and `rewrite` cuts them along the axes named there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from math import prod
from typing import Literal, NamedTuple

from pocketvision.errors import GraphError
from pocketvision.model.conventions import SCRATCH


class Shape(NamedTuple):
    """Channels, height and width of one image's tensor."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


class Pair(NamedTuple):
    """A quantity along height and width."""

    height: int
    width: int


class Padding(NamedTuple):
    """Zeros added on each side, in pixels."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0


Role = Literal["weight", "bias", "scale", "shift", "mean", "variance", "quant_scale", "zero_point"]
# Whose channels an axis of a parameter follows: the op's output, its input, nobody's
AxisOf = Literal["out", "in", None]


class Parameter(NamedTuple):
    """One array that an op owns.

    Attributes:
        name: for instance "block3.depthwise.conv.weight".
        shape: of the array.
        axes: one entry an axis. The "in" axis of a grouped convolution counts within its group.
        role: what it is for; "mean" and "variance" are batch norm's statistics, "quant_scale" and "zero_point" are of int8. These
            four are not trained.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[AxisOf, ...]
    role: Role

    @property
    def is_trained(self) -> bool:
        """Whether an optimizer changes it."""
        return self.role not in ("mean", "variance", "quant_scale", "zero_point")

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


class Origin(NamedTuple):
    """Where an op comes from: the index of the family's row (-1: added by resolve) and the block's name."""

    row: int
    block: str


@dataclass(frozen=True, kw_only=True)
class Op:
    """Base of all ops. `inputs` are names of ops, or "image"."""

    name: str
    inputs: tuple[str, ...]
    shape: Shape
    origin: Origin

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the arrays that this op owns."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Normalize(Op):
    """(pixel - mean) / std, one value for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Conv(Op):
    """Convolution; then batch norm, if `batch_norm_eps` is a number; then the activation, if there is one.

    With a `weight_limit` the filters are int8: integers from -limit to limit, times a scale for each output channel.
    """

    in_channels: int
    kernel: Pair
    stride: Pair = Pair(1, 1)
    dilation: Pair = Pair(1, 1)
    padding: Padding = field(default_factory=Padding)
    groups: int = 1
    has_bias: bool = False
    batch_norm_eps: float | None = None
    activation: str | None = None
    weight_limit: int | None = None

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return self.shape.channels

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is filtered alone."""
        return 1 < self.groups == self.in_channels == self.out_channels

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the filters, then the bias, then batch norm's four vectors, as far as the op has them."""
        out = self.out_channels
        filters = (out, self.in_channels // self.groups, *self.kernel)
        found = [Parameter(f"{self.name}.conv.weight", filters, ("out", "in", None, None), "weight")]
        if self.has_bias:
            found.append(Parameter(f"{self.name}.conv.bias", (out,), ("out",), "bias"))
        if self.batch_norm_eps is not None:
            names: tuple[tuple[str, Role], ...] = (
                ("weight", "scale"),
                ("bias", "shift"),
                ("running_mean", "mean"),
                ("running_var", "variance"),
            )
            found += [Parameter(f"{self.name}.bn.{name}", (out,), ("out",), role) for name, role in names]
        return (*found, *_quant_scale(self.name, out, self.weight_limit))


@dataclass(frozen=True, kw_only=True)
class Linear(Op):
    """Fully connected layer on a 1x1 tensor; `weight_limit` as in `Conv`."""

    in_channels: int
    has_bias: bool = True
    weight_limit: int | None = None

    def parameters(self) -> tuple[Parameter, ...]:
        """Return weight (out, in) and, where there is one, bias (out)."""
        out = self.shape.channels
        bias = (Parameter(f"{self.name}.bias", (out,), ("out",), "bias"),) if self.has_bias else ()
        return (
            Parameter(f"{self.name}.weight", (out, self.in_channels), ("out", "in"), "weight"),
            *bias,
            *_quant_scale(self.name, out, self.weight_limit),
        )


def _quant_scale(name: str, out: int, limit: int | None) -> tuple[Parameter, ...]:
    """Return the scale of int8 weights, one number for each output channel; nothing for fp32 weights."""
    return () if limit is None else (Parameter(f"{name}.weight_quant.scale", (out,), ("out",), "quant_scale"),)


@dataclass(frozen=True, kw_only=True)
class Activation(Op):
    """An activation that is an op of its own; `kind` is one of ACTIVATIONS."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class Add(Op):
    """Sum of two tensors of one shape; the activation, if any, comes after the sum."""

    activation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Mul(Op):
    """Product of a tensor and a gate of as many channels, which may be 1x1."""


@dataclass(frozen=True, kw_only=True)
class Concat(Op):
    """The inputs one after the other along the channels."""


@dataclass(frozen=True, kw_only=True)
class Split(Op):
    """One piece of a split: channels `start` up to `stop`, without it."""

    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class ChannelShuffle(Op):
    """Channels as a (groups, n) table, read column by column. Source: ShuffleNet, arXiv:1707.01083, section 3.1."""

    groups: int


@dataclass(frozen=True, kw_only=True)
class MaxPool(Op):
    """Largest value in each window."""

    kernel: Pair
    stride: Pair
    padding: Padding = field(default_factory=Padding)


@dataclass(frozen=True, kw_only=True)
class AveragePool(Op):
    """Mean of each window; padded zeros count."""

    kernel: Pair
    stride: Pair
    padding: Padding = field(default_factory=Padding)


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Op):
    """Mean over all positions: channels x 1 x 1."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Op):
    """Dropout in training; nothing at any other time."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class FakeQuant(Op):
    """Rounds to the nearest of 256 values, scale * (n - zero_point) with n in 0..255.

    `like` names another op of this kind whose scale and zero point it shares; None: it has its own. Source: Jacob et al. 2017,
    arXiv:1712.05877, section 2.1 and 3.
    """

    like: str | None = None

    def parameters(self) -> tuple[Parameter, ...]:
        """Return scale and zero point, a number each."""
        if self.like is not None:
            return ()
        return (
            Parameter(f"{self.name}.scale", (), (), "quant_scale"),
            Parameter(f"{self.name}.zero_point", (), (), "zero_point"),
        )


CLASSIFIER = "classifier"  # name of the layer whose outputs, or their means, are the logits
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "hard_swish", "hard_sigmoid")
# Of leaky_relu below 0. Source: Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models
LEAKY_SLOPE = 0.01
# hard_sigmoid(x) = relu6(x + 3) / 6, hard_swish(x) = x hard_sigmoid(x): MobileNetV3, section 5.2. Keras's own layer of that name
# had a slope of 0.2, which no published weights of these families use
GATE_SLOPE = 1 / 6
GATES = ("hard_swish", "hard_sigmoid")  # 0 or nearly so below -3


class Options(NamedTuple):
    """What `resolve` was asked for; with the family's rows it gives the same Graph again. JSON values only."""

    family: str
    width: float
    resolution: int
    classes: int
    in_channels: int
    output_stride: int
    dilate: bool
    thin_head: bool = False
    conventions: str = SCRATCH


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A network with concrete numbers.

    Attributes:
        name: full name, for instance "mobilenet_v1_w0.50_r160".
        image: shape of the input; pixels are 0..255.
        ops: in execution order.
        outputs: public name -> op name: {"logits": "classifier", "features": "pool"}.
        features: the last op at each stride, from the largest map to the smallest.
        options: what it was resolved from; None for a graph built by hand.
    """

    name: str
    image: Shape
    ops: tuple[Op, ...]
    outputs: dict[str, str]
    features: tuple[str, ...] = ()
    options: Options | None = None

    def __post_init__(self) -> None:
        seen = {"image"}
        for op in self.ops:
            missing = [name for name in op.inputs if name not in seen]
            if missing:
                raise GraphError(f"op {op.name!r} reads {missing[0]!r}, which no earlier op of {self.name!r} makes.")
            if op.name in seen:
                raise GraphError(f"graph {self.name!r} has two ops named {op.name!r}; names are unique.")
            seen.add(op.name)
        for name, source in self.outputs.items():
            if source not in seen:
                raise GraphError(f"output {name!r} of {self.name!r} is {source!r}, which no op makes.")

    @property
    def source(self) -> Options:
        """What it was resolved from.

        Raises:
            GraphError: it was built by hand.
        """
        if self.options is None:
            raise GraphError(f"graph {self.name!r} was built by hand: no options give it again.")
        return self.options

    def __getitem__(self, name: str) -> Op:
        for op in self.ops:
            if op.name == name:
                return op
        raise GraphError(f"graph {self.name!r} has no op {name!r}.")

    def shape_of(self, tensor: str) -> Shape:
        """Return the shape of an op's output, or of "image"."""
        return self.image if tensor == "image" else self[tensor].shape

    def parameters(self) -> Iterator[Parameter]:
        """Yield the arrays of all ops in order."""
        for op in self.ops:
            yield from op.parameters()

    def last_reader(self) -> dict[str, int]:
        """Return, for each tensor, the index of the last op that reads it; outputs of the graph are read at the end."""
        last = {name: i for i, op in enumerate(self.ops) for name in op.inputs}
        last.update(dict.fromkeys(self.outputs.values(), len(self.ops)))
        return last


def differences(a: Op, b: Op) -> list[str]:
    """Return the names of the fields in which two ops of one kind differ, without shapes."""
    return [f.name for f in fields(a) if f.name != "shape" and getattr(a, f.name) != getattr(b, f.name)]
