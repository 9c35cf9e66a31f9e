"""The prior: what published networks of a family reach at what cost. It orders candidates before anything is trained."""

import math
from functools import cache

import numpy as np

from pocketvision.choose.figures import published_figures
from pocketvision.cost.count import count
from pocketvision.model.families import FILES
from pocketvision.model.graph import Graph
from pocketvision.model.resolve import resolve

FEWEST_ROWS = 3  # published sizes of a family, for a slope of its own
REFERENCE = "mobilenet_v1"  # whose slope the others borrow


def expected_top1(graph: Graph, short_side: int) -> float:
    """Return the ImageNet top-1, in percent, of published networks of the family at the same cost.

    A straight line through the family's published top-1 over the logarithm of its multiply-adds. It tells which of two
    networks is likely to be better, not what either will reach on other images.

    Args:
        graph: a network made by `resolve`.
        short_side: of the user's images, in pixels; more resolution than that gains nothing.
    """
    excess = max(1.0, graph.source.resolution / short_side)
    level, slope = _line(graph.source.family)
    return level + slope * math.log(count(graph).macs / excess**2)


@cache
def _line(family: str) -> tuple[float, float]:
    """Return (level, slope) of the family's line; with few published sizes it has the reference's slope."""
    rows = published().get(family, [])
    if not rows:
        return _line(_relative(family))
    x, y = np.log([macs for macs, _ in rows]), np.array([top1 for _, top1 in rows])
    if len(rows) < FEWEST_ROWS:
        slope = _line(REFERENCE)[1]
        return float(y.mean() - slope * x.mean()), slope
    slope, level = np.polyfit(x, y, 1)
    return float(level), float(slope)


def _relative(family: str) -> str:
    """Return whose line a family without a point of its own borrows: the first of its file that has one, else the reference."""
    for file in FILES:
        names = [each.name for each in file.FAMILIES]
        if family in names:
            return next((name for name in names if name in published()), REFERENCE)
    return REFERENCE


@cache
def published() -> dict[str, list[tuple[int, float]]]:
    """Return (multiply-adds, ImageNet top-1 in percent) of the points that the lines are fitted to, by family."""
    found: dict[str, list[tuple[int, float]]] = {}
    for family, figures in published_figures().items():
        for figure in figures:
            if figure.is_in_prior:
                macs = count(resolve(family, figure.width, figure.resolution)).macs
                found.setdefault(family, []).append((macs, figure.top1))
    return found
