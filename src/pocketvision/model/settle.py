"""Settle: one copy of a row with concrete numbers, which depend on the width and on the channels that enter it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from pocketvision.model import rows
from pocketvision.model.rows import Block, Rounding, Wide


class Channels(NamedTuple):
    """Channels of one tensor: at width 1, and at the width that is resolved."""

    at_width_1: int
    now: int


class Copy(NamedTuple):
    """Where one copy of a row stands.

    Attributes:
        width: that multiplies the row's channels.
        rounding: the row's rule.
        entering: channels that come in.
        stride: the table's, whether or not it is removed.
        number: of the copy in its row, from 0.
        before: the block before it as it was settled, and its name; None for the first.
        keeps_shape: whether input and output have one shape in the table, so that they can be added; channels that only rounding
            makes equal do not count.
    """

    width: float
    rounding: Rounding
    entering: Channels
    stride: int
    number: int
    before: tuple[str, Block] | None
    keeps_shape: bool

    def thin(self, channels: int) -> int:
        """Return a number of channels at the width."""
        return self.rounding(channels, self.width)

    def grow(self, channels: int) -> int:
        """Return a number of channels that keeps its ratio to those that come in."""
        return self.rounding(channels, self.entering.now / self.entering.at_width_1)


def settle(row: Block, copy: Copy) -> Block:
    """Return a copy of a row with concrete numbers; its stride stays the table's."""
    settled = replace(row, out_channels=copy.thin(row.out_channels))
    return SETTLERS[type(row)](settled, copy) if type(row) in SETTLERS else settled


def applied_width(row: Wide, width: float, thin_head: bool) -> float:
    """Return the factor of a row's channels."""
    if row.scales == "always" or (thin_head and width < 1):
        return width
    return max(1.0, width) if row.scales == "above 1" else 1.0


def _inverted_residual(row: rows.InvertedResidual, copy: Copy) -> rows.InvertedResidual:
    """The gate's channels are a quarter of the hidden ones, rounded as all others: MobileNetV3, section 5.3, and its code."""
    hidden = row.hidden_channels or round(row.expand * copy.entering.at_width_1)
    now = copy.grow(hidden) if row.hidden_by == "input" else copy.thin(hidden)
    return replace(
        row,
        hidden_channels=now,
        has_expansion=hidden != copy.entering.at_width_1,
        has_shortcut=copy.keeps_shape and row.shortcut != "none",
        squeeze_channels=None if row.squeeze is None else copy.rounding(now, row.squeeze),
        added_to_expansion=_earlier_expansion(copy) if row.shortcut == "expansions" else None,
    )


def _earlier_expansion(copy: Copy) -> str | None:
    """Return the wide tensor of the block before, where that block has a shortcut to this one's."""
    if copy.before is None:
        return None
    name, block = copy.before
    if not isinstance(block, rows.InvertedResidual) or not (block.has_shortcut and block.has_expansion):
        return None
    return f"{name}.{'add' if block.added_to_expansion else 'expand'}"


def _bottleneck(row: rows.UniversalBottleneck | rows.FusedBottleneck, copy: Copy) -> Block:
    hidden = copy.grow(round(row.expand * copy.entering.at_width_1))
    return replace(row, hidden_channels=hidden, has_shortcut=copy.keeps_shape)


def _xception_module(row: rows.XceptionModule, copy: Copy) -> rows.XceptionModule:
    return replace(row, filters=tuple(map(copy.thin, row.filters)), has_projection=not copy.keeps_shape)


def _shuffle_unit(row: rows.ShuffleUnit, copy: Copy) -> rows.ShuffleUnit:
    first_groups = row.groups if row.has_grouped_start or copy.number > 0 else 1
    return replace(row, hidden_channels=row.out_channels // 4, joins=copy.stride > 1, first_groups=first_groups)


def _fire(row: rows.Fire, copy: Copy) -> rows.Fire:
    squeeze, expand1, expand3 = map(copy.thin, (row.squeeze, row.expand1, row.expand3))
    return replace(row, squeeze=squeeze, expand1=expand1, expand3=expand3, out_channels=expand1 + expand3)


SETTLERS: dict[type[Block], Callable[[Any, Copy], Block]] = {
    rows.InvertedResidual: _inverted_residual,
    rows.UniversalBottleneck: _bottleneck,
    rows.FusedBottleneck: _bottleneck,
    rows.XceptionModule: _xception_module,
    rows.ShuffleUnit: _shuffle_unit,
    rows.SplitUnit: lambda row, copy: replace(row, joins=copy.stride > 1),
    rows.Fire: _fire,
    rows.EffNetBlock: lambda row, copy: replace(row, hidden_channels=max(1, row.out_channels // 2)),
}
