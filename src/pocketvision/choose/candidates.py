"""Candidates: which networks the images and the time allow, and the one to train."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from pocketvision.cost.count import count
from pocketvision.model.graph import Graph
from pocketvision.model.resolve import resolve

SMALL = 64  # pixels; up to here images are used at their own size, with more of the strides removed
EVEN = (
    8  # small images are enlarged to a multiple of this: maps that halve evenly also train faster (28 to 32: 1.2 times)
)
PHOTO_RESOLUTIONS = (96, 128, 160, 192, 224)
WIDTHS = (0.25, 0.375, 0.5, 0.75, 1.0)
PHOTO_FAMILY, SMALL_FAMILY = (
    "mobilenet_v1",
    "mobilenet_v1_shallow",
)  # 27 layers on a few pixels learn slowly: docs/log.md
ENOUGH_EPOCHS = 5  # a larger network with fewer does worse than a smaller one with these: docs/log.md


@dataclass(frozen=True)
class Asked:
    """What the user fixed; None is left to the choice."""

    classes: int
    in_channels: int
    family: str | None = None
    width: float | None = None
    resolution: int | None = None
    output_stride: int | None = None


@dataclass(frozen=True)
class Pick:
    """The network to train, and why.

    Attributes:
        graph: the network.
        step_seconds: measured time of one optimizer step; None where nothing was measured.
        reason: one sentence.
    """

    graph: Graph
    step_seconds: float | None
    reason: str


def list_candidates(asked: Asked, short_side: int) -> list[Graph]:
    """Return the networks that suit images of that size, by rising multiply-adds.

    Args:
        asked: what the user fixed.
        short_side: median over the images, in pixels.
    """
    if asked.resolution is not None:
        resolutions = [asked.resolution]
    elif short_side <= SMALL:
        resolutions = [max(16, ceil(short_side / EVEN) * EVEN)]
    else:
        resolutions = [r for r in PHOTO_RESOLUTIONS if r <= max(short_side, PHOTO_RESOLUTIONS[0])]
    family = asked.family or (SMALL_FAMILY if resolutions[-1] <= SMALL else PHOTO_FAMILY)
    graphs = [
        resolve(
            family,
            width=width,
            resolution=resolution,
            classes=asked.classes,
            in_channels=asked.in_channels,
            output_stride=asked.output_stride or default_output_stride(resolution),
        )
        for resolution in resolutions
        for width in ([asked.width] if asked.width is not None else WIDTHS)
    ]
    return sorted(graphs, key=lambda graph: count(graph).macs)


def default_output_stride(resolution: int) -> int:
    """Return the output stride that leaves a last map of about 4x4 to 7x7.

    >>> [default_output_stride(r) for r in (28, 32, 64, 96, 224)]
    [8, 8, 16, 32, 32]
    """
    return 8 if resolution < 48 else 16 if resolution < 96 else 32


def pick(graphs: list[Graph], measure: Callable[[Graph], float], steps_per_epoch: int, seconds: float | None) -> Pick:
    """Return the largest network that can be trained for enough epochs in the time.

    Args:
        graphs: by rising multiply-adds.
        measure: network -> seconds of one optimizer step, here and now.
        steps_per_epoch: optimizer steps in one epoch.
        seconds: that training may take; None where epochs were asked for instead of time.

    Without a time limit nothing is measured, so that the pick depends on the images alone: it is the one in the middle.
    """
    if seconds is None:
        middle = graphs[(len(graphs) - 1) // 2]
        reason = "the only one that was asked for" if len(graphs) == 1 else f"the middle one of {len(graphs)} sizes"
        return Pick(middle, None, reason)
    if len(graphs) == 1:
        return Pick(graphs[0], measure(graphs[0]), "the only one that was asked for")
    best: Pick | None = None
    for graph in graphs:
        step = measure(graph)
        epochs = seconds / (step * steps_per_epoch)
        if best is not None and epochs < ENOUGH_EPOCHS:
            break
        best = Pick(graph, step, f"the largest of {len(graphs)} sizes that has time for {ENOUGH_EPOCHS} epochs")
        if epochs < ENOUGH_EPOCHS:
            best = Pick(graph, step, f"the smallest of {len(graphs)} sizes; the time is short for any")
            break
    assert best is not None
    return best
