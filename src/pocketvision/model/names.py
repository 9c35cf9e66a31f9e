"""What others call the arrays of a network: one table a source, read in both directions.

A layout gives, for each layer of a graph, the name of its convolution (or matrix) and of its batch norm. The names are
patterns; these numbers may stand in them:

    {block}           number of the block, the stem being 0          {stage} {copy}   place in runs of blocks of equal width
    {at} {after}      place of the layer in its block, and the next  {before}         block - 1
    {under}           block - 2                                      {even} {odd}     2 block - 2 and 2 block - 1

A key is the layer's own name within its block; "first" is added where the block has no expansion before it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pocketvision.errors import GraphError
from pocketvision.model.families import efficientnet_lite, find_family, mobilenet_v3
from pocketvision.model.graph import Graph, Op
from pocketvision.model.rows import Block

Layers = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Layout:
    """How one source names the layers of some families.

    Attributes:
        name: of the layout.
        families: their names.
        layers: layer -> (convolution or matrix, batch norm).
    """

    name: str
    families: tuple[str, ...]
    layers: Layers

    def knows(self, family: str) -> bool:
        """Whether it names the layers of a family."""
        return family in self.families


V1 = ("mobilenet_v1", "mobilenet_v1_relu", "mobilenet_v1_shallow")  # those of depthwise and pointwise layers
V2 = ("mobilenet_v2",)
V3 = tuple(family.name for family in mobilenet_v3.FAMILIES)
LITE = tuple(family.name for family in efficientnet_lite.FAMILIES)

_TIMM: Layers = {
    "stem": ("conv_stem", "bn1"),
    "depthwise first": ("blocks.{stage}.{copy}.conv_dw", "blocks.{stage}.{copy}.bn1"),
    "pointwise first": ("blocks.{stage}.{copy}.conv_pw", "blocks.{stage}.{copy}.bn2"),
    "project first": ("blocks.{stage}.{copy}.conv_pw", "blocks.{stage}.{copy}.bn2"),
    "expand": ("blocks.{stage}.{copy}.conv_pw", "blocks.{stage}.{copy}.bn1"),
    "depthwise": ("blocks.{stage}.{copy}.conv_dw", "blocks.{stage}.{copy}.bn2"),
    "project": ("blocks.{stage}.{copy}.conv_pwl", "blocks.{stage}.{copy}.bn3"),
    "reduce": ("blocks.{stage}.{copy}.se.conv_reduce", ""),
    "excite": ("blocks.{stage}.{copy}.se.conv_expand", ""),
    "last": ("conv_head", "bn2"),
    "classifier": ("classifier", ""),
}

LAYOUTS = (
    Layout(
        "torchvision",
        V2,
        {
            "stem": ("features.{block}.0", "features.{block}.1"),
            "expand": ("features.{block}.conv.{at}.0", "features.{block}.conv.{at}.1"),
            "depthwise": ("features.{block}.conv.{at}.0", "features.{block}.conv.{at}.1"),
            "project": ("features.{block}.conv.{at}", "features.{block}.conv.{after}"),
            "last": ("features.{block}.0", "features.{block}.1"),
            "classifier": ("classifier.1", ""),
        },
    ),
    Layout(
        "torchvision_v3",
        V3,
        {
            "stem": ("features.{block}.0", "features.{block}.1"),
            "expand": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
            "depthwise": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
            "project": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
            "reduce": ("features.{block}.block.{at}.fc1", ""),
            "excite": ("features.{block}.block.{at}.fc2", ""),
            "last": ("features.{block}.0", "features.{block}.1"),
            "head": ("classifier.0", ""),
            "classifier": ("classifier.3", ""),
        },
    ),
    Layout("timm", (*V1, *V2, *LITE), _TIMM),
    Layout(
        "timm_v3",
        V3,
        {
            **_TIMM,
            "last": ("blocks.{stage}.{copy}.conv", "blocks.{stage}.{copy}.bn1"),
            "head": ("conv_head", ""),
        },
    ),
    Layout(
        "transformers_v1",
        V1,
        {
            "stem": ("mobilenet_v1.conv_stem.convolution", "mobilenet_v1.conv_stem.normalization"),
            "depthwise": ("mobilenet_v1.layer.{even}.convolution", "mobilenet_v1.layer.{even}.normalization"),
            "pointwise": ("mobilenet_v1.layer.{odd}.convolution", "mobilenet_v1.layer.{odd}.normalization"),
            "classifier": ("classifier", ""),
        },
    ),
    Layout(
        "transformers_v2",
        V2,
        {
            layer: (f"mobilenet_v2.{where}.convolution", f"mobilenet_v2.{where}.normalization")
            for layer, where in {
                "stem": "conv_stem.first_conv",
                "depthwise first": "conv_stem.conv_3x3",
                "project first": "conv_stem.reduce_1x1",
                "expand": "layer.{under}.expand_1x1",
                "depthwise": "layer.{under}.conv_3x3",
                "project": "layer.{under}.reduce_1x1",
                "last": "conv_1x1",
            }.items()
        }
        | {"classifier": ("classifier", "")},
    ),
    Layout(
        "efficientnet_pytorch",
        LITE,
        {
            "stem": ("_conv_stem", "_bn0"),
            "expand": ("_blocks.{before}._expand_conv", "_blocks.{before}._bn0"),
            "depthwise": ("_blocks.{before}._depthwise_conv", "_blocks.{before}._bn1"),
            "project": ("_blocks.{before}._project_conv", "_blocks.{before}._bn2"),
            "last": ("_conv_head", "_bn1"),
            "classifier": ("_fc", ""),
        },
    ),
)
OWN = "pocketvision"  # the layout of the project's own files: the graph's names


def names(layout: str, graph: Graph) -> dict[str, str]:
    """Return our name -> their name, for every array of the graph, in its order.

    Args:
        layout: name of one of LAYOUTS, or "pocketvision".
        graph: made by `resolve`.

    Raises:
        GraphError: the layout does not name a layer of the graph.
    """
    if layout == OWN:
        return {parameter.name: parameter.name for parameter in graph.parameters()}
    layers = next(known.layers for known in LAYOUTS if known.name == layout)
    found = {}
    for op, layer, numbers in _places(graph):
        for kind in (f"{layer} first", layer) if numbers["is_first"] else (layer,):
            if kind in layers:
                break
        else:
            raise GraphError(f"layout {layout!r} has no name for {op.name!r} of {graph.name!r}.")
        convolution, batch_norm = (pattern.format(**numbers) for pattern in layers[kind])
        for parameter in op.parameters():
            *_, owner, leaf = parameter.name.split(".")
            found[parameter.name] = f"{batch_norm if owner == 'bn' else convolution}.{leaf}"
    return found


def _places(graph: Graph) -> Iterator[tuple[Op, str, dict[str, Any]]]:
    """Yield every op that owns arrays, the layer's name within its block, and the numbers that may stand in its name."""
    assert graph.options is not None
    rows = find_family(graph.options.family).rows
    block, stage, copy, width_before, block_before = -1, -1, 0, 0, ""
    at: dict[str, int] = {}
    for op in graph.ops:
        if not op.parameters():
            continue
        row = rows[op.origin.row] if op.origin.row >= 0 else None
        if isinstance(row, Block) and op.origin.block != block_before:
            block, block_before, at = block + 1, op.origin.block, {}
            if block:
                is_same = row.out_channels == width_before
                stage, copy, width_before = stage + (not is_same), copy + 1 if is_same else 0, row.out_channels
        layer = op.name.rpartition(".")[2] if "." in op.name else "last" if op.name.startswith("block") else op.name
        place = at.setdefault("gate" if layer in ("reduce", "excite") else layer, len(at))
        yield op, layer, {
            "block": block, "before": block - 1, "under": block - 2, "even": 2 * block - 2, "odd": 2 * block - 1,
            "stage": stage, "copy": copy, "at": place, "after": place + 1, "is_first": "expand" not in at,
        }  # fmt: skip
