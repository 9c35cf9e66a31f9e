"""Published figures: the accuracy of a family's network, and what its source prints as cost, from published.csv."""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

IMAGENET = "ImageNet"
CLASSES = {IMAGENET: 1000, "CIFAR-10": 10}


class Figure(NamedTuple):
    """What one source says about one network.

    Attributes:
        family, width, resolution: the network.
        data: what it was trained and tested on, a key of CLASSES.
        top1: in percent.
        params, macs: as the source prints them, misprints included; empty if it prints none.
        source: where it was published.
        is_in_prior: whether the family's line in `prior` is fitted to it: all points of a family come from one recipe, as longer
            training of some sizes would look like an advantage of these sizes.
    """

    family: str
    width: float
    resolution: int
    data: str
    top1: float
    params: str
    macs: str
    source: str
    is_in_prior: bool


@cache
def published_figures() -> dict[str, tuple[Figure, ...]]:
    """Return the figures by family, the family's main source first."""
    found: dict[str, list[Figure]] = {}
    text = files("pocketvision.choose").joinpath("published.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        figure = Figure(
            row["family"],
            float(row["width"]),
            int(row["resolution"]),
            row["data"],
            float(row["top1"]),
            row["params"],
            row["macs"],
            row["source"],
            row["prior"] == "yes",
        )
        found.setdefault(figure.family, []).append(figure)
    return {family: tuple(figures) for family, figures in found.items()}


def own_top1(family: str, width: float, resolution: int) -> float | None:
    """Return the first published ImageNet top-1 of a network, in percent; None if there is none.

    >>> own_top1("mobilenet_v1", 1.0, 224), own_top1("effnet", 1.0, 32)
    (70.9, None)
    """
    for figure in published_figures().get(family, ()):
        if (figure.width, figure.resolution, figure.data) == (width, resolution, IMAGENET):
            return figure.top1
    return None
