"""Candidates: the networks that suit the images, with what each would take of the budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from pocketvision.choose.prior import expected_top1
from pocketvision.cost.budget import Spent
from pocketvision.cost.count import count
from pocketvision.cost.device_file import Latency
from pocketvision.cost.int8 import count_int8, counted_memory_mb, name_in
from pocketvision.model.conventions import SCRATCH
from pocketvision.model.families import find_family
from pocketvision.model.graph import Graph, Options
from pocketvision.model.resolve import native_stride, resolve
from pocketvision.model.rewrite import can_cut, folded

SMALL = 64  # pixels; up to this size images are used as they are, with more of the strides removed
# Small images are enlarged to a multiple of this: maps that halve evenly also train faster (28 to 32: 1.2 times)
EVEN = 8
PHOTO_RESOLUTIONS = (96, 128, 160, 192, 224)
SMALL_SHARES = (0.5, 0.75, 1.0)  # of the images' own size, if a budget may need less
WIDTHS = (0.25, 0.375, 0.5, 0.75, 1.0)
NARROW_WIDTHS = (0.125, 0.1875)  # if a budget may need them
PHOTO_FAMILY = "mobilenet_v1"
SMALL_FAMILY = "mobilenet_v1_shallow"  # 27 layers on a few pixels learn slowly: docs/log.md
# Factor up to which enlarging images pays in the same time: docs/log.md
REACH_WITH_WEIGHTS = 1.25
LOST_BY_CUTS = 40.0  # points of the prior, times the share of the trained width that is cut off: docs/log.md
LOST_BY_INT8 = 0.5  # points of the prior: half of what the gate lets pass
ARRAY_BYTES, RECORD_BYTES, LABEL_BYTES = 230, 5400, 4  # what a file holds besides the weights: nodes, digests, labels
INT8_ARRAY_BYTES = 370  # for each array of an int8 file: names are longer, and nodes surround it
FP16_ARRAY_BYTES = 300  # for each array that has a node to cast it from fp16


@dataclass(frozen=True)
class Asked:
    """What the user asked for; None is left to the choice.

    Attributes:
        labels: class names.
        in_channels: 3 for RGB, 1 for grey.
        families: that may be taken.
        width, resolution, output_stride: of the network.
        is_limited: whether there is a budget, so that smaller networks than usual are considered.
        conventions: of the weights to start from; without weights those of training from scratch.
        trained_width: width of the weights to start from; None: from scratch.
        precisions: that the file may have.
        is_elastic: whether all sizes are trained at once: a given width or resolution is then the largest one, and all share one
            output stride.
    """

    labels: tuple[str, ...]
    in_channels: int
    families: tuple[str, ...] = ()
    width: float | None = None
    resolution: int | None = None
    output_stride: int | None = None
    is_limited: bool = False
    conventions: str = SCRATCH
    trained_width: float | None = None
    is_elastic: bool = False
    precisions: tuple[str, ...] = ("fp32",)


@dataclass(frozen=True)
class Candidate:
    """One network, with its prior and its costs.

    Attributes:
        graph: the network.
        expected_top1: the prior, in percent of ImageNet's images.
        spent: what it takes of each limit.
        latency: measured or predicted; None if not needed.
        epochs: for which it can be trained in the time; None if time is not limited.
        dropped: why it is out; empty: it is not.
        precision: of the file: "fp32", "int8" or "fp16-storage".
    """

    graph: Graph
    expected_top1: float
    spent: Spent
    latency: Latency | None = None
    epochs: float | None = None
    dropped: str = ""
    precision: str = "fp32"

    @property
    def name(self) -> str:
        """The network's full name, and its precision if that is not fp32."""
        return name_in(self.precision, self.graph.name)

    @property
    def options(self) -> Options:
        """What its network was resolved from."""
        return self.graph.source

    def drop(self, reason: str) -> "Candidate":
        """Return it marked as out."""
        return replace(self, dropped=reason)

    def time(self, latency: Latency) -> "Candidate":
        """Return it with its latency. Twice the noise: this measurement's and the final one's."""
        spent = replace(self.spent, latency_ms=latency.median_ms, noise_ms=2 * latency.noise_ms)
        return replace(self, latency=latency, spent=spent)


def list_candidates(asked: Asked, short_side: int) -> list[Candidate]:
    """Return the networks that suit images of that size, the most promising first.

    The prior is accurate to a point at best. Within a point, higher resolution comes first, which won at equal multiply-adds
    (docs/log.md); then the cheapest.

    Args:
        asked: what the user asked for.
        short_side: median over the images, in pixels.
    """
    sides = suitable_resolutions(asked, short_side)
    if asked.resolution is not None and min(sides) >= asked.resolution:
        sides = _shares_of(asked.resolution)
    resolutions = [int(side) for side in _sizes(asked.resolution, sides, asked.is_elastic)]
    families = asked.families or (SMALL_FAMILY if max(resolutions) <= SMALL else PHOTO_FAMILY,)
    graphs = [
        resolve(
            family,
            width=width,
            resolution=resolution,
            classes=len(asked.labels),
            in_channels=asked.in_channels,
            output_stride=asked.output_stride
            or min(
                native_stride(find_family(family)),
                default_output_stride(max(resolutions) if asked.is_elastic else resolution),
            ),
            thin_head=asked.trained_width is None,
            conventions=asked.conventions,
        )
        for family in families
        for resolution in resolutions
        for width in widths_of(family, asked)
    ]
    largest = asked.trained_width if asked.width is None else asked.width
    if largest is not None:
        graphs = [g for g in graphs if can_cut(resolve(**g.source._replace(width=largest)._asdict()), g)]
    found = [_describe(graph, asked, short_side, precision) for graph in graphs for precision in asked.precisions]
    return sorted(found, key=_rank)


def _sizes(asked: float | None, suitable: Sequence[float], is_elastic: bool) -> list[float]:
    """Return the sizes to consider: all that suit, the one that was asked for, or those up to that one."""
    if asked is None:
        return list(suitable)
    return [*(size for size in suitable if is_elastic and size < asked), asked]


def suitable_widths(asked: Asked) -> list[float]:
    """Return the widths to consider; with trained weights their own, and narrower ones only if a budget may need them.

    >>> suitable_widths(Asked(("cat", "dog"), 3, trained_width=0.75))
    [0.75]
    """
    widths = sorted({*(NARROW_WIDTHS if asked.is_limited else ()), *WIDTHS, asked.trained_width or 1.0})
    if asked.trained_width is None:
        return widths
    return [
        width for width in widths if width == asked.trained_width or (asked.is_limited and width < asked.trained_width)
    ]


def widths_of(family: str, asked: Asked) -> list[float]:
    """Return the widths to consider for a family, and the one that was asked for: `resolve` refuses it if the family lacks it.

    >>> asked = Asked(("cat", "dog"), 3, is_elastic=True)
    >>> widths_of("shufflenet_v2", asked), widths_of("shufflenet_v2", replace(asked, width=0.75))
    ([0.5, 1.0], [0.5, 0.75])
    """
    known = find_family(family).widths
    suitable = [width for width in suitable_widths(asked) if not known or width in known]
    return _sizes(asked.width, suitable, asked.is_elastic)


def _rank(candidate: Candidate) -> tuple[float, ...]:
    is_int8 = candidate.precision == "int8"
    return -round(candidate.expected_top1), -candidate.graph.image.height, candidate.spent.macs, is_int8


def suitable_resolutions(asked: Asked, short_side: int) -> list[int]:
    """Return the resolutions to consider for images of that size, in pixels, rising.

    >>> asked = Asked(("cat", "dog"), 3)
    >>> suitable_resolutions(asked, 28), suitable_resolutions(asked, 150)
    ([32], [96, 128])
    """
    if short_side > SMALL:
        reach = short_side * _reach(asked)
        return [r for r in PHOTO_RESOLUTIONS if r <= max(reach, PHOTO_RESOLUTIONS[0])]
    own = own_resolution(short_side)
    return _shares_of(own) if asked.is_limited else [own]


def _shares_of(side: int) -> list[int]:
    """Return smaller resolutions and this one.

    >>> _shares_of(32)
    [16, 24, 32]
    """
    return sorted({max(16, ceil(side * share / EVEN) * EVEN) for share in SMALL_SHARES})


def _reach(asked: Asked) -> float:
    """Return by which factor images are worth enlarging: trained filters expect objects of a certain size."""
    return 1.0 if asked.trained_width is None else REACH_WITH_WEIGHTS


def own_resolution(short_side: int) -> int:
    """Return the resolution at which images of that size are used at their own size, in pixels.

    >>> own_resolution(8), own_resolution(28), own_resolution(150)
    (16, 32, 150)
    """
    return short_side if short_side > SMALL else max(16, ceil(short_side / EVEN) * EVEN)


def default_output_stride(resolution: int) -> int:
    """Return the output stride that leaves a last map of about 4x4 to 7x7.

    >>> [default_output_stride(r) for r in (28, 32, 64, 96, 224)]
    [8, 8, 16, 32, 32]
    """
    return 8 if resolution < 48 else 16 if resolution < 96 else 32


def _describe(graph: Graph, asked: Asked, short_side: int, precision: str) -> Candidate:
    found = describe_candidate(graph, asked.labels, round(own_resolution(short_side) * _reach(asked)), precision)
    if asked.trained_width is None:
        return found
    lost = LOST_BY_CUTS * (1 - graph.source.width / asked.trained_width)
    return replace(found, expected_top1=found.expected_top1 - lost)


def describe_candidate(graph: Graph, labels: Sequence[str], side: int, precision: str = "fp32") -> Candidate:
    """Return a network with its prior and its costs.

    Args:
        graph: the network.
        labels: class names.
        side: above which more resolution gains nothing, in pixels.
        precision: of the file.
    """
    macs, memory_mb = count(graph).macs, counted_memory_mb(graph, precision)
    spent = Spent(macs=macs, memory_mb=memory_mb, size_mb=file_bytes(graph, labels, precision) / 1e6)
    lost = LOST_BY_INT8 if precision == "int8" else 0.0
    return Candidate(graph, expected_top1(graph, side) - lost, spent, precision=precision)


def file_bytes(graph: Graph, labels: Sequence[str], precision: str = "fp32") -> int:
    """Estimate, a little too high, how large the file becomes."""
    record = RECORD_BYTES + sum(LABEL_BYTES + len(label.encode()) for label in labels)
    if precision == "int8":
        cost = count_int8(graph)
        return record + cost.weight_bytes + INT8_ARRAY_BYTES * cost.arrays
    arrays = sum(parameter.role in ("weight", "bias", "shift") for parameter in graph.parameters())
    if precision == "fp16-storage":
        stored = sum(p.size * (2 if p.role == "weight" else 4) for p in folded(graph).parameters())
        return record + stored + FP16_ARRAY_BYTES * arrays
    return record + count(graph).weight_bytes + ARRAY_BYTES * arrays


def middle(candidates: Sequence[Candidate]) -> Candidate:
    """Return the one of median cost: the choice if neither a budget nor the time limits its size."""
    return sorted(candidates, key=lambda candidate: candidate.spent.macs)[(len(candidates) - 1) // 2]
