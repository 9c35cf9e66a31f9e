"""Blocks: each row of a family as ops. A block sees concrete numbers only; width, strides and dilation are settled before.

block(builder, x, row, name, dilation) -> name of the last tensor
"""

from collections.abc import Callable
from typing import Any

from pocketvision.model import rows
from pocketvision.model.builder import Builder

Block = Callable[[Builder, str, Any, str, int], str]


def conv(builder: Builder, x: str, row: rows.Conv, name: str, dilation: int) -> str:
    """Standard convolution."""
    return builder.conv(
        x,
        name,
        row.out_channels,
        kernel=row.kernel,
        stride=row.stride,
        dilation=dilation if row.kernel > 1 else 1,
        activation=row.activation,
    )


def separable_conv(builder: Builder, x: str, row: rows.SeparableConv, name: str, dilation: int) -> str:
    """Depthwise, then pointwise. Source: MobileNets, arXiv:1704.04861, Figure 3."""
    x = builder.depthwise(
        x,
        f"{name}.depthwise",
        kernel=row.kernel,
        stride=row.stride,
        dilation=dilation,
        activation=row.activation,
    )
    return builder.conv(x, f"{name}.pointwise", row.out_channels, activation=row.activation)


BLOCKS: dict[type[rows.Row], Block] = {
    rows.Conv: conv,
    rows.SeparableConv: separable_conv,
}
