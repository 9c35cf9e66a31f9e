"""Rows: a family is the table of its paper, one row a layer or group of layers, in the paper's own quantities.

A row holds numbers at width 1. `resolve` is the only reader that applies width, resolution and output stride to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
    """

    out_channels: int
    activation: str = "relu6"
    scales: Literal["always", "above 1", "never"] = "always"


@dataclass(frozen=True, kw_only=True)
class Block(Wide):
    """Base of the rows that hold convolutions over a map; `repeat` copies follow each other, only the first has the stride."""

    kernel: int = 3
    stride: int = 1
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Conv(Block):
    """Standard convolution, batch norm, activation."""


@dataclass(frozen=True, kw_only=True)
class SeparableConv(Block):
    """Depthwise convolution, then pointwise convolution; batch norm and activation after each.

    Source: MobileNets, arXiv:1704.04861, section 3.1 and Figure 3.
    """


@dataclass(frozen=True, kw_only=True)
class InvertedResidual(Block):
    """1x1 convolution to many channels, depthwise convolution, 1x1 convolution without activation to few; a shortcut.

    Attributes:
        expand: hidden channels over input channels (V2's t). Where it is 1 at width 1 there is no first convolution.
        hidden_channels: the table's own number instead of a ratio (V3's exp size).
        hidden_by: what the hidden channels grow with: "input" keeps their ratio to the thinned input, "width" multiplies them.
        squeeze: channels inside of the squeeze-excite gate over hidden channels; None: no gate.

    `resolve` settles the rest, for each copy: `has_expansion` and `has_shortcut` (from the table at width 1, where rounding
    cannot make channels equal), `squeeze_channels`.

    Source: MobileNetV2, arXiv:1801.04381, section 3; gate: MobileNetV3, arXiv:1905.02244, section 5.3.
    """

    expand: float = 1
    hidden_channels: int | None = None
    hidden_by: Literal["input", "width"] = "input"
    squeeze: float | None = None
    has_expansion: bool = True
    has_shortcut: bool = False
    squeeze_channels: int | None = None


@dataclass(frozen=True, kw_only=True)
class Dense(Wide):
    """Fully connected layer with bias on the pooled features, then the activation."""


@dataclass(frozen=True, kw_only=True)
class GlobalPool(Row):
    """Mean over all positions."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Row):
    """Dropout in training; nothing at any other time."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class Classifier(Row):
    """Fully connected layer with bias; its outputs are the logits."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published cost of the family, exact, with its source. A test compares each with `count`."""

    params: int
    macs: int
    source: str
    width: float = 1.0
    resolution: int = 224


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
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    rounding: Rounding
    resolution: int = 224
    min_resolution: int = 16
    claims: tuple[Claim, ...] = ()
