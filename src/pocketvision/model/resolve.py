"""resolve: a family's rows, a width and a resolution -> a Graph. The only code that knows multipliers and rounding."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pocketvision.errors import BadOption, BadOutputStride, BadResolution, BadWidth
from pocketvision.model import rows
from pocketvision.model.blocks import BLOCKS, max_pool
from pocketvision.model.builder import Builder
from pocketvision.model.conventions import SCRATCH
from pocketvision.model.families import find_family
from pocketvision.model.graph import CLASSIFIER, Graph, Options, Origin, Shape
from pocketvision.model.rows import Block, Family, Row, Wide
from pocketvision.model.settle import Channels, Copy, applied_width, settle


def resolve(
    family: str | Family,
    width: float = 1.0,
    resolution: int | None = None,
    classes: int = 1000,
    in_channels: int = 3,
    output_stride: int | None = None,
    dilate: bool = False,
    thin_head: bool = False,
    conventions: str = SCRATCH,
) -> Graph:
    """Return the family's network at one width and resolution.

    Args:
        family: a name of FAMILIES, or a Family.
        width: multiplies the channels of every layer (the paper's alpha).
        resolution: height and width of the input in pixels; None is the paper's.
        classes: outputs of the classifier.
        in_channels: 3 for RGB, 1 for grey.
        output_stride: input size over the size of the last map. Below the family's own, the LAST strides are removed.
        dilate: dilate the layers behind a removed stride instead, so that each still sees as much of the image.
        thin_head: below width 1 thin the layers that the published networks leave as they are, too, above all those behind
            the last block: with few classes they are most of a narrow network.
        conventions: a name of CONVENTIONS: what the weights to be loaded were trained with.

    Raises:
        UnknownFamily, BadWidth, BadResolution, BadOutputStride, BadOption: with what the family can do.

    >>> resolve("mobilenet_v1", width=0.5, resolution=160).name
    'mobilenet_v1_w0.50_r160'
    """
    family = find_family(family) if isinstance(family, str) else family
    resolution = family.resolution if resolution is None else resolution
    native = native_stride(family)
    stride = native if output_stride is None else output_stride
    _check(family, width, resolution, classes, in_channels, stride)
    thin_head = thin_head and any(isinstance(row, Wide) and row.scales != "always" for row in family.rows)
    options = Options(
        family.name, float(width), int(resolution), classes, in_channels, stride, dilate, thin_head, conventions
    )

    builder = Builder(Shape(in_channels, options.resolution, options.resolution), conventions)
    x = builder.normalize("image", "normalize", builder.conventions.mean, builder.conventions.std)
    outputs: dict[str, str] = {}
    features: dict[int, str] = {}
    total = 1
    for layer in layers(family, width, stride, dilate, thin_head):
        builder.origin = Origin(layer.row_index, layer.name)
        match layer.row:
            case rows.GlobalPool():
                x = outputs["features"] = builder.global_pool(x, layer.name)
            case rows.Dropout(rate=rate):
                x = builder.dropout(x, layer.name, rate)
            case rows.Dense(out_channels=out_channels, batch_norm=norm, activation=activation):
                x = builder.conv(x, layer.name, out_channels, bias=not norm, batch_norm=norm, activation=activation)
            case rows.Classifier(bias=bias):
                x = outputs["logits"] = builder.linear(x, layer.name, classes, bias=bias)
            case rows.MapClassifier(activation=activation):
                outputs["features"] = builder.global_pool(x, "pool")
                x = builder.conv(x, layer.name, classes, bias=True, batch_norm=False, activation=activation)
                x = outputs["logits"] = builder.global_pool(x, f"{layer.name}.pool")
            case rows.MaxPool() as row:
                x = max_pool(builder, x, row, layer.name)
                total *= row.stride
                features[total] = x
            case Block() as row:
                x = BLOCKS[type(row)](builder, x, row, layer.name, layer.dilation)
                total *= row.stride
                features[total] = x
    return builder.graph(full_name(options, native), outputs, tuple(features.values()), options)


def resolve_again(content: Mapping[str, Any]) -> Graph:
    """Return the network whose options were written as JSON values.

    Raises:
        KeyError: an option is missing.
    """
    return resolve(**{name: content[name] for name in Options._fields})


PLAIN_NAMES: dict[type[Row], str] = {
    rows.GlobalPool: "pool",
    rows.Dense: "head",
    rows.Dropout: "dropout",
    rows.Classifier: CLASSIFIER,
    rows.MapClassifier: CLASSIFIER,
}


class Layer(NamedTuple):
    """One row, or one copy of a repeated row, with concrete numbers."""

    row_index: int  # of the row in the family's table
    name: str
    row: Row
    dilation: int


def layers(family: Family, width: float, output_stride: int, dilate: bool, thin_head: bool) -> Iterator[Layer]:
    """Yield the rows unrolled: thinned by the width, strides beyond `output_stride` removed."""
    total, dilation, block, pools = 1, 1, 0, 0
    channels = Channels(1, 1)
    before: tuple[str, Block] | None = None
    for index, row in enumerate(family.rows):
        if isinstance(row, rows.MaxPool):
            pools += 1
            kept = row.stride if total * row.stride <= output_stride else 1
            if kept == row.stride:
                yield Layer(index, f"max_pool{pools}", row, 1)
            total *= kept
            dilation *= row.stride // kept if dilate else 1
            continue
        if not isinstance(row, Wide):
            yield Layer(index, PLAIN_NAMES[type(row)], row, 1)
            continue
        applied, rounding = applied_width(row, width, thin_head), row.rounding or family.rounding
        if not isinstance(row, Block):
            yield Layer(
                index, PLAIN_NAMES[type(row)], replace(row, out_channels=rounding(row.out_channels, applied)), 1
            )
            continue
        for number in range(row.repeat):
            stride = row.stride if number == 0 else 1
            kept = stride if total * stride <= output_stride else 1
            name = "stem" if block == 0 else f"block{block}"
            keeps_shape = stride == 1 and channels.at_width_1 == row.out_channels
            settled = settle(row, Copy(applied, rounding, channels, stride, number, before, keeps_shape))
            yield Layer(index, name, replace(settled, stride=kept, repeat=1), dilation)
            total *= kept
            dilation *= stride // kept if dilate else 1
            block += 1
            before = name, settled
            channels = Channels(row.out_channels, settled.out_channels)


def native_stride(family: Family) -> int:
    """Return the product of all strides in the family's table."""
    return math.prod(row.stride for row in family.rows if isinstance(row, Block | rows.MaxPool))


def full_name(options: Options, native: int) -> str:
    """Return the name that says everything that changes the network's structure.

    >>> full_name(Options("mobilenet_v1", 0.375, 28, 10, 1, 8, False), 32)
    'mobilenet_v1_w0.375_r28_s8'
    """
    width = f"{options.width:.2f}" if round(options.width, 2) == options.width else f"{options.width:g}"
    name = f"{options.family}_w{width}_r{options.resolution}"
    if options.output_stride != native:
        name += f"_s{options.output_stride}" + ("_dilated" if options.dilate else "")
    return f"{name}_thin" if options.thin_head and options.width < 1 else name


def _check(family: Family, width: float, resolution: int, classes: int, in_channels: int, output_stride: int) -> None:
    if family.widths and width not in family.widths:
        known = ", ".join(f"{each:g}" for each in family.widths)
        raise BadWidth(
            f"{family.name} has only the widths of its paper's table: {known}; got {width:g}.",
            f"width={min(family.widths, key=lambda each: abs(each - width)):g}",
        )
    if not (math.isfinite(width) and 0 < width <= 4):
        raise BadWidth(
            f"width must be above 0 and at most 4; got {width}. {family.name} takes any in between; published: "
            f"{', '.join(f'{known:g}' for known in sorted({claim.width for claim in family.claims}))}.",
            "width=0.5",
        )
    if resolution != int(resolution) or resolution < family.min_resolution:
        raise BadResolution(
            f"{family.name} needs a resolution of at least {family.min_resolution} whole pixels; got {resolution}.",
            f"resolution={max(family.min_resolution, math.ceil(resolution))}",
        )
    if classes < 2:
        raise BadOption(f"a classifier needs at least 2 classes; got {classes}.", "classes=2")
    if in_channels not in (1, 3):
        raise BadOption(f"in_channels must be 3 (RGB) or 1 (grey); got {in_channels}.", "in_channels=3")
    reachable = _reachable_strides(family)
    if output_stride not in reachable:
        raise BadOutputStride(
            f"{family.name} can have an output stride of {', '.join(map(str, reachable))}; got {output_stride}.",
            f"output_stride={min(reachable, key=lambda s: abs(s - output_stride))}",
        )


def _reachable_strides(family: Family) -> list[int]:
    reachable = [1]
    for row in family.rows:
        if isinstance(row, Block | rows.MaxPool) and row.stride > 1:
            reachable.append(reachable[-1] * row.stride)
    return reachable
