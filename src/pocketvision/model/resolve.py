"""resolve: a family's rows, a width and a resolution -> a Graph. The only code that knows multipliers and rounding."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from pocketvision.errors import BadOption, BadOutputStride, BadResolution, BadWidth
from pocketvision.model import rows
from pocketvision.model.blocks import BLOCKS
from pocketvision.model.builder import Builder
from pocketvision.model.families import find_family
from pocketvision.model.graph import Graph, Options, Origin, Shape
from pocketvision.model.rows import Block, Family, Row


def resolve(
    family: str | Family,
    width: float = 1.0,
    resolution: int | None = None,
    classes: int = 1000,
    in_channels: int = 3,
    output_stride: int | None = None,
    dilate: bool = False,
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
    options = Options(family.name, float(width), int(resolution), classes, in_channels, stride, dilate)

    builder = Builder(Shape(in_channels, options.resolution, options.resolution), family.batch_norm_eps)
    x = builder.normalize("image", "normalize", family.mean, family.std)
    features: dict[int, str] = {}
    total = 1
    for layer in layers(family, width, stride, dilate):
        builder.origin = Origin(layer.row_index, layer.name)
        match layer.row:
            case rows.GlobalPool():
                x = builder.global_pool(x, layer.name)
            case rows.Dropout(rate=rate):
                x = builder.dropout(x, layer.name, rate)
            case rows.Classifier():
                x = builder.linear(x, layer.name, classes)
            case Block() as row:
                x = BLOCKS[type(row)](builder, x, row, layer.name, layer.dilation)
                total *= row.stride
                features[total] = x
    return builder.graph(full_name(options, native), {"logits": x}, tuple(features.values()), options)


PLAIN_NAMES: dict[type[Row], str] = {rows.GlobalPool: "pool", rows.Dropout: "dropout", rows.Classifier: "classifier"}


class Layer(NamedTuple):
    """One row, or one copy of a repeated row, with concrete numbers."""

    row_index: int  # of the row in the family's table
    name: str
    row: Row
    dilation: int


def layers(family: Family, width: float, output_stride: int, dilate: bool) -> Iterator[Layer]:
    """Yield the rows unrolled: thinned by the width, strides beyond `output_stride` removed."""
    total, dilation, block = 1, 1, 0
    for index, row in enumerate(family.rows):
        if not isinstance(row, Block):
            yield Layer(index, PLAIN_NAMES[type(row)], row, 1)
            continue
        thin: dict[str, Any] = {name: family.rounding(getattr(row, name), width) for name in row.thinned}
        for copy in range(row.repeat):
            stride = row.stride if copy == 0 else 1
            kept = stride if total * stride <= output_stride else 1
            name = "stem" if block == 0 else f"block{block}"
            yield Layer(index, name, replace(row, **thin, stride=kept, repeat=1), dilation)
            total *= kept
            dilation *= stride // kept if dilate else 1
            block += 1


def native_stride(family: Family) -> int:
    """Return the product of all strides in the family's table."""
    return math.prod(row.stride for row in family.rows if isinstance(row, Block))


def full_name(options: Options, native: int) -> str:
    """Return the name that says everything that changes the network's structure.

    >>> full_name(Options("mobilenet_v1", 0.375, 28, 10, 1, 8, False), 32)
    'mobilenet_v1_w0.375_r28_s8'
    """
    width = f"{options.width:.2f}" if round(options.width, 2) == options.width else f"{options.width:g}"
    name = f"{options.family}_w{width}_r{options.resolution}"
    if options.output_stride != native:
        name += f"_s{options.output_stride}" + ("_dilated" if options.dilate else "")
    return name


def _check(family: Family, width: float, resolution: int, classes: int, in_channels: int, output_stride: int) -> None:
    if not (math.isfinite(width) and 0 < width <= 4):
        raise BadWidth(
            f"width must be above 0 and at most 4; got {width}. {family.name} takes any in between; "
            "the paper gives 0.25, 0.5, 0.75 and 1.",
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
        if isinstance(row, Block) and row.stride > 1:
            reachable.append(reachable[-1] * row.stride)
    return reachable
