"""Rows: a family is the table of its paper, one row a layer or group of layers, in the paper's own quantities.

A row holds numbers at width 1. `resolve` is the only reader that applies width, resolution and output stride to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

Rounding = Callable[[int, float], int]


def floor_from_8(channels: int, width: float) -> int:
    """Return channels times width, rounded down, never below 8 (or below `channels`, if those are fewer).

    Source: TF-slim's MobileNetV1; at widths 0.25, 0.5, 0.75 and 1 it agrees with rounding to multiples of 8.

    >>> floor_from_8(512, 0.75), floor_from_8(32, 0.1)
    (384, 8)
    """
    return max(min(8, channels), int(channels * width))


@dataclass(frozen=True, kw_only=True)
class Row:
    """Base of all rows."""


@dataclass(frozen=True, kw_only=True)
class Block(Row):
    """Base of the rows that hold convolutions.

    `repeat` copies follow each other; only the first has the stride. `thinned` names the fields that the width multiplies.
    """

    thinned: ClassVar[tuple[str, ...]] = ("out_channels",)

    out_channels: int
    kernel: int = 3
    stride: int = 1
    repeat: int = 1
    activation: str = "relu6"


@dataclass(frozen=True, kw_only=True)
class Conv(Block):
    """Standard convolution, batch norm, activation."""


@dataclass(frozen=True, kw_only=True)
class SeparableConv(Block):
    """Depthwise convolution, then pointwise convolution; batch norm and activation after each.

    Source: MobileNets, arXiv:1704.04861, section 3.1 and Figure 3.
    """


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
        batch_norm_eps: added to the variance.
        mean, std: the input is (pixel - mean) / std, pixels in 0..255; one value for all channels.
        claims: published costs that `count` must reproduce.
    """

    name: str
    title: str
    source: str
    rows: tuple[Row, ...]
    rounding: Rounding
    resolution: int = 224
    min_resolution: int = 16
    batch_norm_eps: float = 1e-3
    mean: float = 128.0
    std: float = 128.0
    claims: tuple[Claim, ...] = ()
