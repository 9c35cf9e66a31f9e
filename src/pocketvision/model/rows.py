"""Rows: a family is the table of its paper, one row a layer or group of layers, in the paper's own quantities.

A row holds numbers at width 1. `resolve` is the only reader that applies width, resolution and output stride to them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, Literal

Rounding = Callable[[int, float], int]


def floor_from_8(channels: int, width: float) -> int:
    """Return channels times width, rounded down, never below 8 (or below `channels`, if those are fewer).

    Source: TF-slim's MobileNetV1; at widths 0.25, 0.5, 0.75 and 1 it agrees with rounding to multiples of 8.

    >>> floor_from_8(512, 0.75), floor_from_8(32, 0.1)
    (384, 8)
    """
    return max(min(8, channels), int(channels * width))


def divisible_by_8(channels: int, width: float) -> int:
    """Return channels times width as the nearest multiple of 8, never below 8 or below 90 % of the product.

    Source: `_make_divisible` of TF-slim's MobileNetV2, the rule behind all published V2, V3 and EfficientNet-Lite networks.

    >>> divisible_by_8(32, 0.35), divisible_by_8(72, 0.25), divisible_by_8(1280, 1.4)
    (16, 24, 1792)
    """
    product = channels * width
    rounded = max(8, int(product + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * product else rounded + 8


def listed(**channels: int) -> Rounding:
    """Return a rule that looks channels up, for a table that lists them by width.

    >>> listed(x0_5=48, x1=116)(116, 0.5)
    48
    """
    by_width = {float(name.removeprefix("x").replace("_", ".")): number for name, number in channels.items()}
    return lambda _, width: by_width[width]


def multiple_of(step: int) -> Rounding:
    """Return a rule: channels times width as the nearest multiple of `step`, at least one; so each group has as many.

    >>> multiple_of(12)(240, 0.5), multiple_of(12)(240, 0.01)
    (120, 12)
    """
    return lambda channels, width: step * max(1, int(channels * width / step + 0.5))


@dataclass(frozen=True, kw_only=True)
class Row:
    """Base of all rows."""


@dataclass(frozen=True, kw_only=True)
class Wide(Row):
    """Base of the rows that make channels, as many as the width says.

    Attributes:
        out_channels: at width 1.
        scales: when the width multiplies them: "always"; or, for a layer behind the last block, only "above 1", or "never".
            `resolve` thins these too where `thin_head` asks for that.
        rounding: instead of the family's, where this row has a rule of its own.
    """

    out_channels: int
    activation: str = "relu6"
    scales: Literal["always", "above 1", "never"] = "always"
    rounding: Rounding | None = None


@dataclass(frozen=True, kw_only=True)
class Block(Wide):
    """Base of the rows that hold convolutions over a map; `repeat` copies follow each other, only the first has the stride."""

    kernel: int = 3
    stride: int = 1
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Conv(Block):
    """Standard convolution, batch norm (or a bias instead), activation.

    Attributes:
        padding: "same" keeps the size at stride 1; "valid" pads nothing.
        batch_norm: whether there is one.
    """

    padding: Literal["same", "valid"] = "same"
    batch_norm: bool = True


@dataclass(frozen=True, kw_only=True)
class MaxPool(Row):
    """Largest value in each window; nothing at all where its stride is removed.

    Attributes:
        padding: "same" pads both sides alike; "ceil" pads nothing, but a last window may reach beyond the map (Caffe).
    """

    kernel: int = 3
    stride: int = 2
    padding: Literal["same", "ceil"] = "same"


Middle = Literal["norm and activation", "activation", "nothing"]


@dataclass(frozen=True, kw_only=True)
class SeparableConv(Block):
    """Depthwise convolution, then pointwise convolution with batch norm and activation.

    Attributes:
        middle: what is between the two: MobileNets have as much as behind both, Xception has nothing.

    Source: MobileNets, arXiv:1704.04861, section 3.1 and Figure 3; Xception, arXiv:1610.02357, section 4.7.
    """

    middle: Middle = "norm and activation"


@dataclass(frozen=True, kw_only=True)
class XceptionModule(Block):
    """Separable convolutions behind each other, a max pool where the stride is, and a shortcut around them.

    Attributes:
        filters: output channels of each separable convolution; the last are `out_channels`.
        starts_with_activation: whether the activation comes before the first convolution, too.
        middle: see `SeparableConv`.

    `resolve` settles `has_projection`: whether the shortcut is a 1x1 convolution, as sizes or channels change.

    Source: Xception, arXiv:1610.02357, Figure 5.
    """

    filters: tuple[int, ...]
    starts_with_activation: bool = True
    middle: Middle = "nothing"
    has_projection: bool = False


@dataclass(frozen=True, kw_only=True)
class InvertedResidual(Block):
    """1x1 convolution to many channels, depthwise convolution, 1x1 convolution without activation to few; a shortcut.

    Attributes:
        expand: hidden channels over input channels (V2's t). Where it is 1 at width 1 there is no first convolution.
        hidden_channels: the table's own number instead of a ratio (V3's exp size).
        hidden_by: what the hidden channels grow with: "input" keeps their ratio to the thinned input, "width" multiplies them.
        squeeze: channels inside of the squeeze-excite gate over hidden channels; None: no gate.
        shortcut: between the narrow tensors, as V2 has it, between the wide ones, or none.
        project_activation: behind the last convolution; V2 has none there.

    `resolve` settles the rest, for each copy: `has_expansion` and `has_shortcut` (from the table at width 1, where rounding
    cannot make channels equal), `squeeze_channels`, and `added_to_expansion`: an earlier wide tensor that is added to this one's.

    Source: MobileNetV2, arXiv:1801.04381, section 3; gate: MobileNetV3, arXiv:1905.02244, section 5.3.
    """

    expand: float = 1
    hidden_channels: int | None = None
    hidden_by: Literal["input", "width"] = "input"
    squeeze: float | None = None
    shortcut: Literal["bottlenecks", "expansions", "none"] = "bottlenecks"
    project_activation: str | None = None
    has_expansion: bool = True
    has_shortcut: bool = False
    squeeze_channels: int | None = None
    added_to_expansion: str | None = None


@dataclass(frozen=True, kw_only=True)
class UniversalBottleneck(Block):
    """An inverted residual whose depthwise convolutions, before and after the expansion, are both optional; `kernel` 0: none.

    The stride is the second one's, if there is one.

    Attributes:
        start_kernel: of the depthwise convolution before the expansion; 0: there is none.
        expand: hidden channels over input channels.

    `resolve` settles `hidden_channels` and `has_shortcut`.

    Source: MobileNetV4, arXiv:2404.10518, section 3 (UIB).
    """

    start_kernel: int = 0
    expand: float = 4
    hidden_channels: int | None = None
    has_shortcut: bool = False


@dataclass(frozen=True, kw_only=True)
class FusedBottleneck(Block):
    """A standard convolution to many channels, then a 1x1 convolution without activation to few.

    Attributes:
        expand: hidden channels over input channels.

    `resolve` settles `hidden_channels` and `has_shortcut`.

    Source: MobileNetV4, arXiv:2404.10518 (FusedIB), after EfficientNetV2, arXiv:2104.00298, Figure 2.
    """

    expand: float = 4
    hidden_channels: int | None = None
    has_shortcut: bool = False


@dataclass(frozen=True, kw_only=True)
class ShuffleUnit(Block):
    """Grouped 1x1 convolution, shuffle, depthwise, grouped 1x1; added to the input, or joined to it, pooled, where the stride is.

    Attributes:
        groups: of both 1x1 convolutions.
        has_grouped_start: whether the very first 1x1 convolution is grouped, too.

    `resolve` settles `hidden_channels`, a quarter of the output's; `joins`: whether this copy joins both branches instead of
    adding them; and `first_groups`.

    Source: ShuffleNet, arXiv:1707.01083, section 3.2, Figure 2 and Table 1.
    """

    groups: int
    has_grouped_start: bool = True
    hidden_channels: int | None = None
    joins: bool = False
    first_groups: int = 1


@dataclass(frozen=True, kw_only=True)
class SplitUnit(Block):
    """Half of the channels passes, the other half is transformed; both are joined and shuffled.

    Where the stride is, all channels go both ways.

    Attributes:
        is_authors: as the authors' code has it: the shuffle comes before the split, and where the stride is the shortcut keeps
            its channels. Else as torchvision has it: both halves are equal, the shuffle comes last.

    `resolve` settles `joins`: whether all channels go both ways.

    Source: ShuffleNet V2, arXiv:1807.11164, section 3.2 and Figure 3.
    """

    is_authors: bool = False
    joins: bool = False


@dataclass(frozen=True, kw_only=True)
class Fire(Block):
    """1x1 convolution to few channels, then 1x1 and 3x3 convolutions beside each other; biases instead of batch norm.

    Attributes:
        squeeze, expand1, expand3: output channels of the three (s1x1, e1x1, e3x3); `out_channels` are the last two's sum.

    Source: SqueezeNet, arXiv:1602.07360, section 3.2 and Figure 1.
    """

    squeeze: int
    expand1: int
    expand3: int


@dataclass(frozen=True, kw_only=True)
class EffNetBlock(Block):
    """1x1, 1x3 depthwise, a pool that halves one side, 3x1 depthwise, and a convolution along the other side that halves it.

    The last one's kernel of 2 and its stride lie on the same axis, so that it looks at every pixel once.

    `resolve` settles `hidden_channels`: half of the output's.

    Source: EffNet, arXiv:1801.06434, Figure 1 and Table 1.
    """

    hidden_channels: int | None = None


@dataclass(frozen=True, kw_only=True)
class Dense(Wide):
    """Fully connected layer on the pooled features with bias, or with batch norm instead, then the activation."""

    batch_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Row):
    """Mean over all positions."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Row):
    """Dropout in training; nothing at any other time."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Classifier(Row):
    """Fully connected layer, with bias or without; its outputs are the logits."""

    bias: bool = True


@dataclass(frozen=True, kw_only=True)
class MapClassifier(Row):
    """1x1 convolution with bias to a map for each class, then the activation; the logits are the maps' means.

    Source: SqueezeNet, arXiv:1602.07360, Table 1 (conv10); after Network in Network, arXiv:1312.4400, section 3.2.
    """

    activation: str = "relu"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published cost of the family, exact, with its source. A test compares each with `count`."""

    params: int
    macs: int
    source: str
    width: float = 1.0
    resolution: int = 224
    classes: int = 1000


@dataclass(frozen=True, kw_only=True)
class Family:
    """A published network at every width and resolution.

    Attributes:
        name: what users type, for instance "mobilenet_v1".
        title: the paper's title, authors and year in one line.
        source: arXiv number and table.
        rows: the table.
        rounding: (channels at width 1, width) -> channels.
        resolution: the paper's own, in pixels.
        min_resolution: the smallest that the rows can take.
        claims: published costs that `count` must reproduce.
        widths: the only ones there are, where the paper lists channels for each instead of multiplying; empty: any.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    rounding: Rounding
    resolution: int = 224
    min_resolution: int = 16
    claims: tuple[Claim, ...] = ()
    widths: tuple[float, ...] = ()


def changed(rows: tuple[Row, ...], kind: type[Row] | UnionType, **values: Any) -> tuple[Row, ...]:
    """Return the rows of a twin: those of one kind, or of several, with other values."""
    return tuple(replace(row, **values) if isinstance(row, kind) else row for row in rows)
