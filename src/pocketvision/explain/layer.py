"""explain: which layer, at which sizes, and the explanation of its kind of block."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from pocketvision.errors import BadOption
from pocketvision.explain import bottlenecks, convolutions, shuffles, squeezes
from pocketvision.explain.page import Comparison, Equation, Explanation, Lesson, Section, Table
from pocketvision.explain.subject import Subject, look_at
from pocketvision.model import rows
from pocketvision.model.families import find_family
from pocketvision.model.resolve import Layer, layers, native_stride, resolve
from pocketvision.model.rows import Block, Family


class Kind(NamedTuple):
    """A kind of block.

    Attributes:
        words: what it is called.
        lesson: explains one.
        sizes: the paper's own equation for other sizes, where it has one, of the layer there and the ratios of widths and
            resolutions.
        sizes_source: where it stands.
    """

    words: str
    lesson: Callable[[Subject, Any], Lesson]
    sizes: Callable[[Subject, float, float], Equation] | None = None
    sizes_source: str = ""


KINDS: dict[type[Block], Kind] = {
    rows.Conv: Kind("standard convolution", convolutions.conv),
    rows.SeparableConv: Kind(
        "depthwise separable convolution",
        convolutions.separable_conv,
        convolutions.sizes_of_separable_conv,
        "arXiv:1704.04861, eq. 6 and 7, and Table 3",
    ),
    rows.XceptionModule: Kind("Xception module", convolutions.xception_module),
    rows.InvertedResidual: Kind("inverted residual", bottlenecks.inverted_residual),
    rows.UniversalBottleneck: Kind("universal inverted bottleneck", bottlenecks.universal_bottleneck),
    rows.FusedBottleneck: Kind("fused inverted bottleneck", bottlenecks.fused_bottleneck),
    rows.ShuffleUnit: Kind("ShuffleNet unit", shuffles.shuffle_unit),
    rows.SplitUnit: Kind("ShuffleNetV2 unit", shuffles.split_unit),
    rows.Fire: Kind("Fire module", squeezes.fire),
    rows.EffNetBlock: Kind("EffNet block", squeezes.effnet_block),
}
WIDTHS = (1.0, 0.75, 0.5)  # shown beside the one that is asked for, where the family takes any
RESOLUTION_RATIO = 160 / 224  # V1's Table 3: rho = 0.714


def explain(family: str, layer: int | None = None, width: float = 1.0, resolution: int | None = None) -> Explanation:
    """Explain one layer of a network: its equations with its numbers, what else it could be, what width and resolution do.

    Args:
        family: a name of FAMILIES.
        layer: the number in the layer's name: 7 is block7, 0 is the stem; None: the family's most typical block.
        width: as of `resolve`.
        resolution: as of `resolve`.

    Raises:
        UnknownFamily, BadWidth, BadResolution: as of `resolve`.
        BadOption: the family has no such layer.

    >>> explanation = explain("mobilenet_v1", layer=7)
    >>> explanation.block, explanation.macs, explanation.sections[3].equations[0].numbers
    ('block7', 52283392, '1/512 + 1/3^2')
    """
    found = find_family(family)
    graph = resolve(found, width, resolution)
    blocks = blocks_of(found, width)
    number = _checked(found, layer, blocks)
    block = blocks[number]
    assert isinstance(block.row, Block)
    kind, subject = KINDS[type(block.row)], look_at(graph, block.name)
    lesson = kind.lesson(subject, block.row)
    others = tuple(_other_sizes(found, subject))
    return Explanation(
        family=found.name,
        network=graph.name,
        layer=number,
        block=block.name,
        kind=kind.words,
        entering=subject.entering,
        leaving=subject.leaving,
        macs=subject.macs,
        weights=subject.weights,
        letters=lesson.letters,
        sections=(_part(subject), *lesson.sections, _sizes(kind, lesson, subject, others)),
        layers=layer_list(blocks),
    )


def blocks_of(family: Family, width: float) -> tuple[Layer, ...]:
    """Return the layers that can be explained, by their numbers: all blocks, without pools and what follows the last."""
    return tuple(
        layer for layer in layers(family, width, native_stride(family), False, False) if isinstance(layer.row, Block)
    )


def layer_list(blocks: tuple[Layer, ...]) -> str:
    """Return which layers there are, in words: 0 (standard convolution), 1 to 13 (depthwise separable convolution)."""
    found = []
    for kind, same in groupby(range(len(blocks)), key=lambda i: type(blocks[i].row)):
        numbers = list(same)
        span = f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
        found.append(f"{span} ({KINDS[kind].words})")
    return ", ".join(found)


def _checked(family: Family, layer: int | None, blocks: tuple[Layer, ...]) -> int:
    if layer is None:
        return typical(blocks_of(family, 1.0))
    if not 0 <= layer < len(blocks):
        raise BadOption(
            f"{family.name} has no layer {layer}; its layers are {layer_list(blocks)}.",
            f"--layer {min(max(layer, 0), len(blocks) - 1)}",
        )
    return layer


def typical(blocks: tuple[Layer, ...]) -> int:
    """Return the number of the most typical block: of the commonest kind, of the commonest channels, that keeps its shape."""
    entering = 0
    shapes = []
    for block in blocks:
        assert isinstance(block.row, Block)
        shapes.append((type(block.row), entering, block.row.out_channels, block.row.stride))
        entering = block.row.out_channels
    kinds, same = Counter(kind for kind, *_ in shapes), Counter(shapes)

    def rank(number: int) -> tuple[int, int, bool, bool]:
        kind, channels_in, channels_out, stride = shapes[number]
        return kinds[kind], same[shapes[number]], channels_in == channels_out and stride == 1, number > 0

    return max(range(len(blocks)), key=rank)


def _other_sizes(family: Family, here: Subject) -> Iterator[Subject]:
    """Yield the layer at other widths, at about 0.714 of the resolution, and at the next width there."""
    own = here.graph.source

    def at(width: float, resolution: int) -> Subject:
        return look_at(resolve(family, width, resolution), here.name)

    widths = sorted({*(family.widths or WIDTHS)} - {own.width}, reverse=True)
    yield from (at(width, own.resolution) for width in widths)
    lower = lower_resolution(family, own.resolution)
    if lower is not None:
        yield at(own.width, lower)
        yield at(_neighbour(widths, own.width), lower)


def _neighbour(widths: Iterable[float], width: float) -> float:
    """Return the next narrower width, or the next wider one where there is none."""
    return max((other for other in widths if other < width), default=min(widths))


def lower_resolution(family: Family, resolution: int) -> int | None:
    """Return about 0.714 of a resolution, whole maps where there are such; None where the family goes no lower.

    >>> lower_resolution(find_family("mobilenet_v1"), 224), lower_resolution(find_family("mobilenet_v1"), 16)
    (160, None)
    """
    stride = native_stride(family)
    whole = stride * round(resolution * RESOLUTION_RATIO / stride)
    lower = whole if 0 < whole < resolution else round(resolution * RESOLUTION_RATIO)
    return lower if lower >= family.min_resolution else None


def _part(subject: Subject) -> Section:
    """How much of the network the layer is."""
    network = subject.cost.total
    rows_ = (
        ("multiply-adds", subject.macs, network.macs, subject.macs / network.macs),
        ("weights", subject.weights, network.weights, subject.weights / network.weights),
    )
    return Section("Its part of the network", table=Table(("", "layer", "network", "share"), rows_))


def _sizes(kind: Kind, lesson: Lesson, here: Subject, others: tuple[Subject, ...]) -> Section:
    own = here.graph.source
    equations: tuple[Equation, ...] = ()
    letters: tuple[str, ...] = ()
    if kind.sizes is not None:
        near = _neighbour({other.graph.source.width for other in others} - {own.width}, own.width)
        sizes = [(other, other.graph.source) for other in others if other.graph.source.width in (own.width, near)]
        equations = tuple(kind.sizes(at, has.width / own.width, has.resolution / own.resolution) for at, has in sizes)
        letters = ("a: the width over this one (the paper's alpha), r: the resolution over this one (rho):",)
    table = Table(
        ("", "in", "out", "multiply-adds", "ratio", "weights", "ratio"),
        tuple(_compared(here, found) for found in (*lesson.comparisons, *(_sized(here, at) for at in (here, *others)))),
    )
    words = (*_words_on_sizes(here, others), "Ratios are to this layer.", *letters)
    return Section("What width and resolution do", kind.sizes_source, words, equations, table=table)


def _words_on_sizes(here: Subject, others: tuple[Subject, ...]) -> tuple[str, ...]:
    sizes = (here, *others)
    ends = ({size.entering.channels for size in sizes}, {size.leaving.channels for size in sizes})
    by_width = {
        0: "Width leaves this layer's channels in and out as they are.",
        1: "Width changes the channels at one end only: multiply-adds and weights follow it by less than its square.",
        2: "Width changes the channels in and out: multiply-adds and weights follow about its square.",
    }[sum(len(channels) > 1 for channels in ends)]
    return by_width, "Resolution changes both sides of the map: multiply-adds follow about its square, weights stay."


def _compared(here: Subject, found: Comparison) -> tuple[str | int | float, ...]:
    macs, weights = found.macs / here.macs, found.weights / here.weights
    return found.what, str(found.entering), str(found.leaving), found.macs, macs, found.weights, weights


def _sized(here: Subject, at: Subject) -> Comparison:
    own, has = here.graph.source, at.graph.source
    words = [f"width {has.width:g}"] if has.width != own.width else []
    if has.resolution != own.resolution:
        words.append(f"resolution {has.resolution} ({has.resolution / own.resolution:.3f})")
    what = " and ".join(words) or f"this layer: width {has.width:g}, resolution {has.resolution}"
    return Comparison(what, at.entering, at.leaving, at.macs, at.weights)
