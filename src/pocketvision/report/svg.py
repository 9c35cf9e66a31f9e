"""The parts of a chart: scales with round ticks, and a frame of axes, as SVG that takes its colours from the page's style."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocketvision.report.html import text


@dataclass(frozen=True)
class Scale:
    """From values to pixels, linear or logarithmic.

    Attributes:
        low, high: the values at both ends; low < high.
        start, end: their pixels.
        is_log: both values are above 0 then.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, at = (math.log(v) if self.is_log else v for v in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Return round values within the scale, rising, about so many at most."""
        return log_ticks(self.low, self.high, most) if self.is_log else even_ticks(self.low, self.high, most)


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten.

    >>> even_ticks(0, 1, 5), even_ticks(61.5, 68, 4)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [62.0, 64.0, 66.0, 68.0])
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return 1, 2 and 5 times powers of ten, or the powers alone where those are too many.

    >>> log_ticks(0.03, 2, 8), log_ticks(0.9, 20000, 6)
    ([0.05, 0.1, 0.2, 0.5, 1.0, 2.0], [1.0, 10.0, 100.0, 1000.0, 10000.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        found = [float(f"{factor}e{power}") for power in powers for factor in factors]
        found = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    return found if len(found) > 1 else even_ticks(low, high, most)


def padded(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """Return a range slightly wider than the values; a single value gets some room on both sides.

    >>> padded([5.0, 5.0]), padded([0.0, 10.0])
    ((4.5, 5.5), (-0.6, 10.6))
    """
    found = list(values)
    low, high = min(found), max(found)
    room = share * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def log_padded(values: Iterable[float]) -> tuple[float, float]:
    """Return a range slightly wider than the values, by factors."""
    low, high = padded(math.log(value) for value in values)
    return math.exp(low), math.exp(high)


def written(value: float) -> str:
    """Return a tick's label.

    >>> [written(value) for value in (0.0, 0.05, 20.0, 1000.0, 2500000.0, 0.00001)]
    ['0', '0.05', '20', '1,000', '2.5M', '1e-05']
    """
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


@dataclass(frozen=True)
class Frame:
    """A chart's box: grid lines, tick labels and the names of both axes.

    Attributes:
        x, y: the scales.
        x_name, y_name: with their units.
        x_ticks, y_ticks: values.
    """

    x: Scale
    y: Scale
    x_name: str
    y_name: str
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]

    def draw(self) -> str:
        """Return the axes as SVG."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = [f'<text class="axis" x="{left - 4:.1f}" y="{top - 12:.1f}">{text(self.y_name)}</text>']
        for value in self.y_ticks:
            y = self.y(value)
            parts.append(f'<line class="grid" x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{left - 6:.1f}" y="{y + 3.5:.1f}" text-anchor="end">{written(value)}</text>'
            )
        for value in self.x_ticks:
            x = self.x(value)
            parts.append(f'<line class="mark" x1="{x:.1f}" y1="{bottom:.1f}" x2="{x:.1f}" y2="{bottom + 4:.1f}"/>')
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{written(value)}</text>'
            )
        parts.append(f'<line class="base" x1="{left:.1f}" y1="{bottom:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>')
        parts.append(
            f'<text class="axis" x="{right:.1f}" y="{bottom + 33:.1f}" text-anchor="end">{text(self.x_name)}</text>'
        )
        return "".join(parts)


def svg(width: float, height: float, content: str, alternative: str, kind: str = "") -> str:
    """Return a picture that scales with the page; `alternative` says in words what it shows."""
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{text(alternative)}">'
        f"{content}</svg>"
    )


def path(points: Iterable[tuple[float, float]], kind: str) -> str:
    """Return a line through points in pixels."""
    steps = " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))
    return f'<path class="{kind}" d="{steps}"/>'


def dot(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    """Return a round mark; its title is shown on hover."""
    inner = f"<title>{text(title)}</title>" if title else ""
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}">{inner}</circle>'


def diamond(x: float, y: float, radius: float, kind: str, title: str = "") -> str:
    """Return a square mark on its corner."""
    r = radius * 1.25
    d = f"M{x:.1f} {y - r:.1f}l{r:g} {r:g}l{-r:g} {r:g}l{-r:g} {-r:g}z"
    return f'<path class="{kind}" d="{d}"><title>{text(title)}</title></path>'
