"""Charts as SVG: differences with error bars, and curves over a logarithmic axis. The same numbers give the same bytes.

Text stays text; colours are the blocks' (docs/draw.py) and follow the reader's light or dark mode.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from draw import DARK, LIGHT, Palette

WIDTH, EDGE, ROW = 860.0, 24.0, 30.0
ERRORS = 2  # standard errors on either side of a dot
LETTER = 7.0  # pixels, of the text's 13, in a wide font
MOST_TICKS = 8
COLOURS = ("pointwise", "pool", "depthwise", "standard")  # of curves, as the blocks' kinds are drawn


class Difference(NamedTuple):
    """One row: what is compared, by how much the first is better, and the standard error of that."""

    name: str
    value: float
    error: float


class Curve(NamedTuple):
    """Points (x, y) with a name; dashes tell two kinds of curves apart without colours."""

    name: str
    points: tuple[tuple[float, float], ...]
    is_dashed: bool = False


def _step(least: float) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten.

    >>> _step(1.3), _step(0.3), _step(6.0)
    (2.0, 0.5, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= least)


def _rules(palette: Palette) -> str:
    kinds = "".join(f".{kind}{{stroke:{stroke};fill:{stroke}}}" for kind, (_, stroke) in palette.kinds.items())
    return (
        f".paper{{fill:{palette.paper};stroke:{palette.frame}}}text{{fill:{palette.text}}}.faint{{fill:{palette.faint}}}"
        f".axis{{stroke:{palette.line};fill:{palette.paper}}}.grid{{stroke:{palette.frame};fill:none}}{kinds}"
    )


def _picture(title: str, words: str, height: float, inside: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" viewBox="0 0 {WIDTH:g} {height:g}" '
            'font-family="sans-serif" font-size="13" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(words)}</desc>',
            f"<style>{_rules(LIGHT)}@media(prefers-color-scheme:dark){{{_rules(DARK)}}}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1:g}" height="{height - 1:g}" rx="8"/>',
            f'<text x="{EDGE:g}" y="{EDGE + 10:g}" font-size="15" font-weight="bold">{escape(title)}</text>',
            *inside,
            "</svg>",
            "",
        ]
    )


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float, width: float = 1) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke-width="{width:g}"/>'


def _dot(kind: str, x: float, y: float) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3" stroke-width="2"/>'


def differences_chart(title: str, rows: Sequence[Difference], unit: str) -> str:
    """Draw a dot for each difference, with a bar of two standard errors on both sides, and a line at 0.

    Dots are full where the bar leaves 0 out: in one colour above 0, in another below.
    """
    low = min(0.0, *(row.value - ERRORS * row.error for row in rows))
    high = max(0.0, *(row.value + ERRORS * row.error for row in rows))
    step = _step((high - low) / MOST_TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    left, right, top = 2 * EDGE + LETTER * max(len(row.name) for row in rows), WIDTH - 2 * EDGE, 2.5 * EDGE
    bottom = top + ROW * len(rows)

    def x(value: float) -> float:
        return left + (right - left) * (value - first * step) / ((last - first) * step)

    inside = []
    for tick in range(first, last + 1):
        inside.append(_line("axis" if tick == 0 else "grid", x(tick * step), top, x(tick * step), bottom))
        inside.append(_text(x(tick * step), bottom + 18, f"{tick * step:g}", "middle", "faint"))
    for number, row in enumerate(rows):
        y, bar = top + ROW * (number + 0.5), ERRORS * row.error
        kind = "axis" if abs(row.value) <= bar else "depthwise" if row.value > 0 else "pool"
        inside.append(_text(EDGE, y + 4, row.name))
        inside += [_line(kind, x(row.value - bar), y, x(row.value + bar), y, 2), _dot(kind, x(row.value), y)]
    inside.append(_text((left + right) / 2, bottom + 38, unit, "middle", "faint"))
    words = "; ".join(f"{row.name}: {row.value:+.2f} +- {row.error:.2f}" for row in rows)
    return _picture(title, words, bottom + 38 + EDGE, inside)


class _Plane:
    """Where a point of the curves lies in the picture: doublings to the right, from `least` upwards."""

    left, right, top, bottom = 3 * EDGE, WIDTH - 2 * EDGE, 4 * EDGE, 16 * EDGE

    def __init__(self, curves: Sequence[Curve], least: float) -> None:
        points = [point for curve in curves for point in curve.points]
        self.first = math.floor(math.log2(min(x for x, _ in points)))
        self.last = max(math.ceil(math.log2(max(x for x, _ in points))), self.first + 1)
        highest = max(*(y for _, y in points), least + 1)
        self.least, self.step = least, _step((highest - least) / MOST_TICKS)
        self.steps = math.ceil((highest - least) / self.step)

    def across(self, x: float) -> float:
        return self.left + (self.right - self.left) * (math.log2(x) - self.first) / (self.last - self.first)

    def up(self, y: float) -> float:
        share = max(y - self.least, 0) / (self.steps * self.step)
        return self.bottom - (self.bottom - self.top) * share

    def axes(self, x_unit: str, y_unit: str) -> Iterator[str]:
        for tick in range(self.first, self.last + 1):
            x = self.across(2.0**tick)
            yield _line("grid", x, self.top, x, self.bottom)
            yield _text(x, self.bottom + 18, f"{2.0**tick:g}", "middle", "faint")
        for number in range(self.steps + 1):
            y = self.least + number * self.step
            yield _line("grid", self.left, self.up(y), self.right, self.up(y))
            yield _text(self.left - 8, self.up(y) + 4, f"{y:g}", "end", "faint")
        yield _text((self.left + self.right) / 2, self.bottom + 38, x_unit, "middle", "faint")
        yield _text(EDGE, self.top - 14, y_unit, "start", "faint")


def curves_chart(title: str, curves: Sequence[Curve], x_unit: str, y_unit: str, least: float) -> str:
    """Draw up to four curves over a logarithmic axis of doublings.

    A point below `least` stands at the lower edge as an arrow down, its value beside it.
    """
    plane = _Plane(curves, least)
    inside = list(plane.axes(x_unit, y_unit))
    key = EDGE + 16
    for curve, kind in zip(curves, COLOURS, strict=False):
        placed = [(plane.across(x), plane.up(y), y) for x, y in curve.points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in placed)
        dashes = ' stroke-dasharray="6 4"' if curve.is_dashed else ""
        inside.append(f'<path class="{kind}" style="fill:none" d="M{path}" stroke-width="2"{dashes}/>')
        for x, y, value in placed:
            if value >= least:
                inside.append(_dot(kind, x, y))
            else:
                corners = f"{x - 6:.1f} {y - 6:.1f}L{x + 6:.1f} {y - 6:.1f}L{x:.1f} {y + 4:.1f}"
                inside.append(f'<path class="{kind}" d="M{corners}z"/>')
                inside.append(_text(x - 10, y - 8, f"{value:.1f}", "end"))
        inside += [
            f'<path class="{kind}" d="M{key - 16:.1f} {2.4 * EDGE:.1f}H{key + 8:.1f}" stroke-width="2"{dashes}/>',
            _text(key + 14, 2.4 * EDGE + 4, curve.name),
        ]
        key += LETTER * len(curve.name) + 50
    words = "; ".join(f"{curve.name}: " + ", ".join(f"{x:.2f} {y:.1f}" for x, y in curve.points) for curve in curves)
    return _picture(title, words, plane.bottom + 38 + EDGE, inside)
