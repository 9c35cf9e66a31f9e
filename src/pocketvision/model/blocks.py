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


def inverted_residual(builder: Builder, x: str, row: rows.InvertedResidual, name: str, dilation: int) -> str:
    """Expand, filter each channel alone, project. Source: MobileNetV2, arXiv:1801.04381, Table 1 and Figure 4d."""
    y = x
    if row.has_expansion:
        assert row.hidden_channels is not None
        y = builder.conv(y, f"{name}.expand", row.hidden_channels, activation=row.activation)
    y = builder.depthwise(
        y,
        f"{name}.depthwise",
        kernel=row.kernel,
        stride=row.stride,
        dilation=dilation,
        activation=row.activation,
    )
    if row.squeeze_channels is not None:
        y = squeeze_excite(builder, y, name, row.squeeze_channels)
    y = builder.conv(y, f"{name}.project", row.out_channels)
    return builder.add(x, y, f"{name}.add") if row.has_shortcut else y


def squeeze_excite(builder: Builder, x: str, name: str, squeeze_channels: int) -> str:
    """Weigh each channel by a gate that sees all of the map. Source: MobileNetV3, arXiv:1905.02244, section 5.3."""
    gate = builder.global_pool(x, f"{name}.squeeze")
    gate = builder.conv(gate, f"{name}.reduce", squeeze_channels, bias=True, batch_norm=False, activation="relu")
    gate = builder.conv(
        gate, f"{name}.excite", builder.shape(x).channels, bias=True, batch_norm=False, activation="hard_sigmoid"
    )
    return builder.mul(x, gate, f"{name}.gated")


BLOCKS: dict[type[rows.Row], Block] = {
    rows.Conv: conv,
    rows.SeparableConv: separable_conv,
    rows.InvertedResidual: inverted_residual,
}
