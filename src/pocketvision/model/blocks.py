"""Blocks: each row of a family as ops. A block sees concrete numbers only; width, strides and dilation are settled earlier.

block(builder, x, row, name, dilation) -> name of the last tensor
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pocketvision.model import rows
from pocketvision.model.builder import Builder, lopsided_padding
from pocketvision.model.graph import Padding, Pair

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
        padding=Padding() if row.padding == "valid" else None,
        bias=not row.batch_norm,
        batch_norm=row.batch_norm,
        activation=row.activation,
    )


def max_pool(builder: Builder, x: str, row: rows.MaxPool, name: str) -> str:
    """Max pool; where a window reaches beyond the map there is padding that never wins."""
    padding = None
    if row.padding == "ceil":
        _, height, width = builder.shape(x)
        missing = [_missing(side, row.kernel, row.stride) for side in (height, width)]
        padding = Padding(0, 0, *missing)
    return builder.max_pool(x, name, kernel=row.kernel, stride=row.stride, padding=padding)


def _missing(side: int, kernel: int, stride: int) -> int:
    """Return how far the last window reaches beyond the map if windows cover all pixels."""
    windows = max(1, -(-(side - kernel) // stride) + 1)
    return max(0, (windows - 1) * stride + kernel - side)


def separable_conv(builder: Builder, x: str, row: rows.SeparableConv, name: str, dilation: int) -> str:
    """Depthwise, then pointwise. Source: MobileNets, arXiv:1704.04861, Figure 3."""
    x = _depthwise(builder, x, row, name, dilation, row.middle)
    return builder.conv(x, f"{name}.pointwise", row.out_channels, activation=row.activation)


def _depthwise(
    builder: Builder, x: str, row: rows.Block, name: str, dilation: int, middle: rows.Middle = "norm and activation"
) -> str:
    """The depthwise convolution of a block, with batch norm and activation as `middle` says."""
    return builder.depthwise(
        x,
        f"{name}.depthwise",
        kernel=row.kernel,
        stride=row.stride,
        dilation=dilation,
        batch_norm=middle == "norm and activation",
        activation=None if middle == "nothing" else row.activation,
    )


def xception_module(builder: Builder, x: str, row: rows.XceptionModule, name: str, dilation: int) -> str:
    """Separable convolutions, each behind an activation, and a shortcut. Source: Xception, arXiv:1610.02357, Figure 5."""
    y = builder.activation(x, f"{name}.activation", row.activation) if row.starts_with_activation else x
    for number, channels in enumerate(row.filters, start=1):
        part = f"{name}.filter{number}"
        y = _depthwise(builder, y, replace(row, stride=1), part, dilation, row.middle)  # the pool has the stride
        activation = row.activation if number < len(row.filters) else None
        y = builder.conv(y, f"{part}.pointwise", channels, activation=activation)
    if row.stride > 1:
        y = builder.max_pool(y, f"{name}.max_pool", kernel=row.kernel, stride=row.stride)
    if row.has_projection:
        x = builder.conv(x, f"{name}.shortcut", row.out_channels, stride=row.stride)
    return builder.add(x, y, f"{name}.add")


def inverted_residual(builder: Builder, x: str, row: rows.InvertedResidual, name: str, dilation: int) -> str:
    """Expand, filter each channel alone, project. Source: MobileNetV2, arXiv:1801.04381, Table 1 and Figure 4d."""
    y = x
    if row.has_expansion:
        assert row.hidden_channels is not None
        is_sum = row.added_to_expansion is not None
        y = builder.conv(y, f"{name}.expand", row.hidden_channels, activation=None if is_sum else row.activation)
        if row.added_to_expansion is not None:
            y = builder.add(y, row.added_to_expansion, f"{name}.add", activation=row.activation)
    y = _depthwise(builder, y, row, name, dilation)
    if row.squeeze_channels is not None:
        y = squeeze_excite(builder, y, name, row.squeeze_channels)
    y = builder.conv(y, f"{name}.project", row.out_channels, activation=row.project_activation)
    adds = row.has_shortcut and row.shortcut == "bottlenecks"
    return builder.add(x, y, f"{name}.add") if adds else y


def universal_bottleneck(builder: Builder, x: str, row: rows.UniversalBottleneck, name: str, dilation: int) -> str:
    """Filter, expand, filter, project; either filter may be missing. Source: MobileNetV4, arXiv:2404.10518, section 3."""
    assert row.hidden_channels is not None
    y = x
    if row.start_kernel:
        stride = 1 if row.kernel else row.stride
        y = builder.depthwise(y, f"{name}.start", kernel=row.start_kernel, stride=stride, dilation=dilation)
    y = builder.conv(y, f"{name}.expand", row.hidden_channels, activation=row.activation)
    if row.kernel:
        y = _depthwise(builder, y, row, name, dilation)
    y = builder.conv(y, f"{name}.project", row.out_channels)
    return builder.add(x, y, f"{name}.add") if row.has_shortcut else y


def fused_bottleneck(builder: Builder, x: str, row: rows.FusedBottleneck, name: str, dilation: int) -> str:
    """Expand and filter at once, then project. Source: EfficientNetV2, arXiv:2104.00298, Figure 2."""
    assert row.hidden_channels is not None
    y = builder.conv(
        x,
        f"{name}.fused",
        row.hidden_channels,
        kernel=row.kernel,
        stride=row.stride,
        dilation=dilation,
        activation=row.activation,
    )
    y = builder.conv(y, f"{name}.project", row.out_channels)
    return builder.add(x, y, f"{name}.add") if row.has_shortcut else y


def shuffle_unit(builder: Builder, x: str, row: rows.ShuffleUnit, name: str, dilation: int) -> str:
    """Grouped convolutions with a shuffle between them. Source: ShuffleNet, arXiv:1707.01083, Figure 2b and 2c."""
    assert row.hidden_channels is not None
    groups = row.groups
    y = builder.conv(x, f"{name}.reduce", row.hidden_channels, groups=row.first_groups, activation=row.activation)
    if groups > 1:
        y = builder.channel_shuffle(y, f"{name}.shuffle", groups)
    y = builder.depthwise(y, f"{name}.depthwise", kernel=row.kernel, stride=row.stride, dilation=dilation)
    if not row.joins:
        y = builder.conv(y, f"{name}.restore", row.out_channels, groups=groups)
        return builder.add(x, y, f"{name}.add", activation=row.activation)
    made = row.out_channels - builder.shape(x).channels
    y = builder.conv(y, f"{name}.restore", made, groups=groups, activation=row.activation)
    # the input is an activation's output, so its means need none: activating the joined tensor would be the same
    pooled = builder.average_pool(x, f"{name}.pool", kernel=row.kernel, stride=row.stride)
    return builder.concat((pooled, y), f"{name}.concat")


def split_unit(builder: Builder, x: str, row: rows.SplitUnit, name: str, dilation: int) -> str:
    """Half of the channels pass; all are shuffled. Source: ShuffleNet V2, arXiv:1807.11164, Figure 3c and 3d."""
    kept, y = x, x
    half = row.out_channels // 2
    made = half
    if row.joins:
        passing = builder.shape(x).channels if row.is_authors else half
        made = row.out_channels - passing
        kept = builder.depthwise(
            x, f"{name}.shortcut.depthwise", kernel=row.kernel, stride=row.stride, dilation=dilation
        )
        kept = builder.conv(kept, f"{name}.shortcut.pointwise", passing, activation=row.activation)
    else:
        if row.is_authors:  # all even channels, then all odd ones
            x = builder.channel_shuffle(x, f"{name}.shuffle", half)
        kept, y = builder.split(x, f"{name}.split", (half, row.out_channels - half))
    y = builder.conv(y, f"{name}.pointwise1", half, activation=row.activation)
    y = builder.depthwise(y, f"{name}.depthwise", kernel=row.kernel, stride=row.stride, dilation=dilation)
    y = builder.conv(y, f"{name}.pointwise2", made, activation=row.activation)
    joined = builder.concat((kept, y), f"{name}.concat")
    return joined if row.is_authors else builder.channel_shuffle(joined, f"{name}.shuffle", 2)


def fire(builder: Builder, x: str, row: rows.Fire, name: str, dilation: int) -> str:
    """Squeeze, then two ways to expand beside each other. Source: SqueezeNet, arXiv:1602.07360, Figure 1."""

    def plain(x: str, part: str, channels: int, kernel: int) -> str:
        return builder.conv(
            x,
            f"{name}.{part}",
            channels,
            kernel=kernel,
            dilation=dilation if kernel > 1 else 1,
            bias=True,
            batch_norm=False,
            activation=row.activation,
        )

    x = plain(x, "squeeze", row.squeeze, 1)
    return builder.concat(
        (plain(x, "expand1", row.expand1, 1), plain(x, "expand3", row.expand3, row.kernel)), f"{name}.concat"
    )


def effnet_block(builder: Builder, x: str, row: rows.EffNetBlock, name: str, dilation: int) -> str:
    """Each side is filtered and halved on its own. Source: EffNet, arXiv:1801.06434, Figure 1."""
    assert row.hidden_channels is not None
    stride = row.stride
    x = builder.conv(x, f"{name}.pointwise", row.hidden_channels, activation=row.activation)
    along, across = Pair(1, row.kernel), Pair(row.kernel, 1)
    x = builder.depthwise(x, f"{name}.depthwise1", kernel=along, dilation=dilation, activation=row.activation)
    if stride > 1:
        window = Pair(stride, 1)
        fitting = lopsided_padding(Pair(*builder.shape(x)[1:]), window, window, Pair(1, 1))
        x = builder.max_pool(x, f"{name}.max_pool", kernel=window, stride=window, padding=fitting)
    x = builder.depthwise(x, f"{name}.depthwise2", kernel=across, dilation=dilation, activation=row.activation)
    window, step = Pair(1, 2), Pair(1, stride)
    fitting = lopsided_padding(Pair(*builder.shape(x)[1:]), window, step, Pair(1, 1))
    return builder.conv(
        x,
        f"{name}.merge",
        row.out_channels,
        kernel=window,
        stride=step,
        padding=fitting,
        activation=row.activation,
    )


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
    rows.UniversalBottleneck: universal_bottleneck,
    rows.FusedBottleneck: fused_bottleneck,
    rows.XceptionModule: xception_module,
    rows.ShuffleUnit: shuffle_unit,
    rows.SplitUnit: split_unit,
    rows.Fire: fire,
    rows.EffNetBlock: effnet_block,
}
