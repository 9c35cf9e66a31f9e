"""Charts as SVG: differences with error bars, and curves over a logarithmic axis. The same numbers give the same bytes."""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from draw import DARK, LIGHT, Palette

WIDTH, EDGE, ROW = 860.0, 24.0, 30.0
LABELS = 470.0  # pixels for the names of rows
MOST_TICKS = 8
COLOURS = ("pointwise", "pool", "depthwise", "standard")  # of curves, as the blocks' kinds are drawn


class Difference(NamedTuple):
    """One row: what is compared, by how much the first is better, and the standard error of that."""

    name: str
    value: float
    error: float


class Curve(NamedTuple):
    """Points (x, y) with a name."""

    name: str
    points: tuple[tuple[float, float], ...]


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
        f".axis{{stroke:{palette.line};fill:none}}.grid{{stroke:{palette.frame};fill:none}}{kinds}.line{{fill:none}}"
    )


def _picture(title: str, words: str, height: float, inside: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" viewBox="0 0 {WIDTH:g} {height:g}" '
            'font-family="sans-serif" font-size="13" role="img">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(words)}</desc>",
            f"<style>{_rules(LIGHT)}@media(prefers-color-scheme:dark){{{_rules(DARK)}}}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1:g}" height="{height - 1:g}" rx="8"/>',
            f'<text x="{EDGE:g}" y="{EDGE + 10:g}" font-size="15" font-weight="bold">{escape(title)}</text>',
            *inside,
            "</svg>",
            "",
        ]
    )


def _text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind and f" class={kind!r}"}>{escape(words)}</text>'


def _line(kind: str, x1: float, y1: float, x2: float, y2: float, width: float = 1) -> str:
    return f'<path class="{kind}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke-width="{width:g}"/>'


def differences_chart(title: str, rows: Sequence[Difference], unit: str) -> str:
    """Draw a dot for each difference, with a bar of two standard errors on both sides, and a line at 0."""
    low = min(0.0, *(row.value - 2 * row.error for row in rows))
    high = max(0.0, *(row.value + 2 * row.error for row in rows))
    step = _step((high - low) / MOST_TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    left, right, top = EDGE + LABELS, WIDTH - 2 * EDGE, 3 * EDGE
    bottom = top + ROW * len(rows)

    def x(value: float) -> float:
        return left + (right - left) * (value - first * step) / ((last - first) * step)

    inside = []
    for tick in range(first, last + 1):
        inside.append(_line("axis" if tick == 0 else "grid", x(tick * step), top, x(tick * step), bottom))
        inside.append(_text(x(tick * step), bottom + 18, f"{tick * step:g}", "middle", "faint"))
    for number, row in enumerate(rows):
        y = top + ROW * (number + 0.5)
        kind = "axis" if abs(row.value) <= 2 * row.error else "depthwise" if row.value > 0 else "pool"
        inside.append(_text(EDGE, y + 4, row.name))
        inside.append(_line(kind, x(row.value - 2 * row.error), y, x(row.value + 2 * row.error), y, 2))
        inside.append(f'<circle class="{kind}" cx="{x(row.value):.1f}" cy="{y:.1f}" r="5" stroke-width="2"/>')
    inside.append(_text((left + right) / 2, bottom + 38, unit, "middle", "faint"))
    words = "; ".join(f"{row.name}: {row.value:+.2f} +- {row.error:.2f}" for row in rows)
    return _picture(title, words, bottom + 38 + EDGE, inside)


def curves_chart(title: str, curves: Sequence[Curve], x_unit: str, y_unit: str, least: float) -> str:
    """Draw curves over a logarithmic axis of doublings; points below `least` stand at the lower edge."""
    points = [point for curve in curves for point in curve.points]
    first = math.floor(math.log2(min(x for x, _ in points)))
    last = math.ceil(math.log2(max(x for x, _ in points)))
    most = math.ceil(max(y for _, y in points))
    left, right, top, bottom = 3 * EDGE, WIDTH - 2 * EDGE, 4 * EDGE, 16 * EDGE

    def place(x: float, y: float) -> tuple[float, float]:
        across = left + (right - left) * (math.log2(x) - first) / (last - first)
        return across, bottom - (bottom - top) * (max(y, least) - least) / (most - least)

    inside = []
    for tick in range(first, last + 1):
        across, _ = place(2.0**tick, least)
        inside += [
            _line("grid", across, top, across, bottom),
            _text(across, bottom + 18, f"{2.0**tick:g}", "middle", "faint"),
        ]
    for y in range(math.ceil(least), most + 1):
        _, up = place(2.0**first, y)
        inside += [_line("grid", left, up, right, up), _text(left - 8, up + 4, f"{y:g}", "end", "faint")]
    for number, (curve, kind) in enumerate(zip(curves, COLOURS, strict=False)):
        placed = [place(*point) for point in curve.points]
        path = "L".join(f"{across:.1f} {up:.1f}" for across, up in placed)
        inside.append(f'<path class="{kind} line" style="fill:none" d="M{path}" stroke-width="2"/>')
        inside += [f'<circle class="{kind}" cx="{across:.1f}" cy="{up:.1f}" r="4"/>' for across, up in placed]
        key = left + number * (right - left) / len(curves)
        inside += [f'<circle class="{kind}" cx="{key:.1f}" cy="{2.6 * EDGE:.1f}" r="5"/>']
        inside.append(_text(key + 12, 2.6 * EDGE + 4, curve.name))
    inside.append(_text((left + right) / 2, bottom + 38, x_unit, "middle", "faint"))
    inside.append(_text(left, top - 8, y_unit, "start", "faint"))
    words = "; ".join(f"{curve.name}: " + ", ".join(f"{x:.2f} {y:.1f}" for x, y in curve.points) for curve in curves)
    return _picture(title, words, bottom + 38 + EDGE, inside)
