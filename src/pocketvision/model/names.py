"""What others call the arrays of a network: one table for each source, read in both directions.

A layout gives, for each layer of a graph, the name of its convolution (or matrix) and of its batch norm. The names are
patterns; these numbers may stand in them:

    {block}    number of the block, the stem being 0        {stage} {copy}   place in runs of blocks of equal width
    {at}       place of the layer in its block              {level} {turn}   place in runs of blocks from a stride to the next
    {place}    number of the block, pools counted, too      {even} {odd}     2 block - 2 and 2 block - 1

and {block:-1} is one less. A key is the layer's own name within its block, followed by "first" if the block has no expansion,
or by "of block2" if one block is named differently from others of its kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

from pocketvision.errors import GraphError
from pocketvision.model.families import efficientnet_lite, find_family, mobilenet_v3, mobilenet_v4, squeezenet
from pocketvision.model.graph import Graph, Op
from pocketvision.model.rows import Block, MaxPool, Row

Layers = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Layout:
    """How one source names the layers of some families.

    Attributes:
        name: of the layout.
        families: their names.
        conventions: that are assumed for a file that does not state them; timm's MobileNetV1 has others.
        layers: layer -> (convolution or matrix, batch norm).
    """

    name: str
    families: tuple[str, ...]
    conventions: str
    layers: Layers


V1 = ("mobilenet_v1", "mobilenet_v1_relu", "mobilenet_v1_shallow")  # those of depthwise and pointwise layers
V2, XCEPTION = ("mobilenet_v2",), ("xception",)
V3, V4, LITE, SQUEEZENET = (
    tuple(family.name for family in file.FAMILIES)
    for file in (mobilenet_v3, mobilenet_v4, efficientnet_lite, squeezenet)
)

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

_TORCHVISION: Layers = {
    "stem": ("features.{block}.0", "features.{block}.1"),
    "expand": ("features.{block}.conv.{at}.0", "features.{block}.conv.{at}.1"),
    "depthwise": ("features.{block}.conv.{at}.0", "features.{block}.conv.{at}.1"),
    "project": ("features.{block}.conv.{at}", "features.{block}.conv.{at:+1}"),
    "last": ("features.{block}.0", "features.{block}.1"),
    "classifier": ("classifier.1", ""),
}

_TORCHVISION_V3: Layers = {
    "stem": ("features.{block}.0", "features.{block}.1"),
    "expand": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
    "depthwise": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
    "project": ("features.{block}.block.{at}.0", "features.{block}.block.{at}.1"),
    "reduce": ("features.{block}.block.{at}.fc1", ""),
    "excite": ("features.{block}.block.{at}.fc2", ""),
    "last": ("features.{block}.0", "features.{block}.1"),
    "head": ("classifier.0", ""),
    "classifier": ("classifier.3", ""),
}

_TIMM_V4: Layers = {
    "stem": ("conv_stem", "bn1"),
    "last": ("blocks.{level}.{turn}.conv", "blocks.{level}.{turn}.bn1"),
    "fused": ("blocks.{level}.{turn}.conv_exp", "blocks.{level}.{turn}.bn1"),
    "project first": ("blocks.{level}.{turn}.conv_pwl", "blocks.{level}.{turn}.bn2"),
    **{
        layer: (f"blocks.{{level}}.{{turn}}.{theirs}.conv", f"blocks.{{level}}.{{turn}}.{theirs}.bn")
        for layer, theirs in {
            "start": "dw_start",
            "expand": "pw_exp",
            "depthwise": "dw_mid",
            "project": "pw_proj",
        }.items()
    },
    "head": ("conv_head", "norm_head"),
    "classifier": ("classifier", ""),
}

_TIMM_XCEPTION: Layers = {
    "stem": ("conv1", "bn1"),
    "last": ("conv2", "bn2"),
    "shortcut": ("block{block:-1}.skip", "block{block:-1}.skipbn"),
    **{
        f"filter{number}.{half}{of}": (f"{at}.{theirs}", f"block{{block:-1}}.rep.{number * 3 - start + 1}")
        for number in (1, 2, 3)
        for of, start in ((" of block2", 3), ("", 2))
        for at in [f"block{{block:-1}}.rep.{number * 3 - start}"]
        for half, theirs in (("depthwise", "conv1"), ("pointwise", "pointwise"))
    },
    "depthwise": ("conv{block:-11}.conv1", ""),
    "pointwise": ("conv{block:-11}.pointwise", "bn{block:-11}"),
    "classifier": ("fc", ""),
}

_TORCHVISION_SHUFFLENET: Layers = {
    "stem": ("conv1.0", "conv1.1"),
    **{
        layer: (f"stage{{stage:+2}}.{{copy}}.{branch}.{at}", f"stage{{stage:+2}}.{{copy}}.{branch}.{at + 1}")
        for layer, branch, at in (
            ("shortcut.depthwise", "branch1", 0),
            ("shortcut.pointwise", "branch1", 2),
            ("pointwise1", "branch2", 0),
            ("depthwise", "branch2", 3),
            ("pointwise2", "branch2", 5),
        )
    },
    "last": ("conv5.0", "conv5.1"),
    "classifier": ("fc", ""),
}

_TORCHVISION_SQUEEZENET: Layers = {
    "stem": ("features.0", ""),
    "squeeze": ("features.{place:+1}.squeeze", ""),
    "expand1": ("features.{place:+1}.expand1x1", ""),
    "expand3": ("features.{place:+1}.expand3x3", ""),
    "classifier": ("classifier.1", ""),
}

_TIMM_V3: Layers = {
    **_TIMM,
    "last": ("blocks.{stage}.{copy}.conv", "blocks.{stage}.{copy}.bn1"),
    "head": ("conv_head", ""),
}

_TRANSFORMERS_V1: Layers = {
    "stem": ("mobilenet_v1.conv_stem.convolution", "mobilenet_v1.conv_stem.normalization"),
    "depthwise": ("mobilenet_v1.layer.{even}.convolution", "mobilenet_v1.layer.{even}.normalization"),
    "pointwise": ("mobilenet_v1.layer.{odd}.convolution", "mobilenet_v1.layer.{odd}.normalization"),
    "classifier": ("classifier", ""),
}

_TRANSFORMERS_V2: Layers = {
    **{
        layer: (f"mobilenet_v2.{where}.convolution", f"mobilenet_v2.{where}.normalization")
        for layer, where in {
            "stem": "conv_stem.first_conv",
            "depthwise first": "conv_stem.conv_3x3",
            "project first": "conv_stem.reduce_1x1",
            "expand": "layer.{block:-2}.expand_1x1",
            "depthwise": "layer.{block:-2}.conv_3x3",
            "project": "layer.{block:-2}.reduce_1x1",
            "last": "conv_1x1",
        }.items()
    },
    "classifier": ("classifier", ""),
}

_EFFICIENTNET_PYTORCH: Layers = {
    "stem": ("_conv_stem", "_bn0"),
    "expand": ("_blocks.{block:-1}._expand_conv", "_blocks.{block:-1}._bn0"),
    "depthwise": ("_blocks.{block:-1}._depthwise_conv", "_blocks.{block:-1}._bn1"),
    "project": ("_blocks.{block:-1}._project_conv", "_blocks.{block:-1}._bn2"),
    "last": ("_conv_head", "_bn1"),
    "classifier": ("_fc", ""),
}

LAYOUTS = (
    Layout("torchvision", V2, "torchvision", _TORCHVISION),
    Layout("torchvision_v3", V3, "torchvision_v3", _TORCHVISION_V3),
    Layout("timm", (*V1, *V2, *LITE), "timm", _TIMM),
    Layout("timm_v4", V4, "timm", _TIMM_V4),
    Layout("timm_xception", XCEPTION, "timm_half", _TIMM_XCEPTION),
    Layout("torchvision_shufflenet", ("shufflenet_v2",), "torchvision", _TORCHVISION_SHUFFLENET),
    Layout("torchvision_squeezenet", SQUEEZENET, "torchvision", _TORCHVISION_SQUEEZENET),
    Layout("timm_v3", V3, "timm", _TIMM_V3),
    Layout("transformers_v1", V1, "transformers", _TRANSFORMERS_V1),
    Layout("transformers_v2", V2, "transformers", _TRANSFORMERS_V2),
    Layout("efficientnet_pytorch", LITE, "tensorflow_lite", _EFFICIENTNET_PYTORCH),
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
        kinds = [f"{layer} of block{numbers['block']}", *[f"{layer} first"] * (not numbers["has_expansion"]), layer]
        kind = next((kind for kind in kinds if kind in layers), None)
        if kind is None:
            raise GraphError(f"layout {layout!r} has no name for {op.name!r} of {graph.name!r}.")
        convolution, batch_norm = (pattern.format(**numbers) for pattern in layers[kind])
        for parameter in op.parameters():
            *_, owner, leaf = parameter.name.split(".")
            found[parameter.name] = f"{batch_norm if owner == 'bn' else convolution}.{leaf}"
    return found


class _Number(int):
    """A number that a pattern may shift: {block:-1}."""

    def __format__(self, shift: str) -> str:
        return str(int(self) + int(shift or 0))


class _Run:
    """Counts runs of blocks, and blocks within their run."""

    def __init__(self) -> None:
        self.run, self.member = -1, 0

    def step(self, is_new: bool) -> None:
        self.run, self.member = (self.run + 1, 0) if is_new else (self.run, self.member + 1)


def _places(graph: Graph) -> Iterator[tuple[Op, str, dict[str, _Number]]]:
    """Yield every op that owns arrays, the layer's name within its block, and the numbers that may stand in its name."""
    rows = find_family(graph.source.family).rows
    last_block = max(index for index, row in enumerate(rows) if isinstance(row, Block))
    places = [0, *accumulate(row.repeat if isinstance(row, Block) else isinstance(row, MaxPool) for row in rows)]
    block, place, row_before, block_before, index_before = -1, -1, None, "", -1
    stages, levels = _Run(), _Run()
    at: dict[str, int] = {}
    for op in graph.ops:
        row = rows[op.origin.row] if op.origin.row >= 0 else None
        if row is not None and op.origin.block != block_before:
            place = places[op.origin.row] if op.origin.row != index_before else place + 1
            block_before, index_before, at = op.origin.block, op.origin.row, {}
            if isinstance(row, Block):
                block += 1
                if block:
                    stages.step(_width(row) != _width(row_before) or block == 1)
                    is_next_row = row is not row_before
                    levels.step(is_next_row and (row.stride > 1 or op.origin.row == last_block))
                row_before = row
        if not op.parameters():
            continue
        layer = op.name.partition(".")[2] or ("last" if op.name.startswith("block") else op.name)
        at.setdefault("gate" if layer in ("reduce", "excite") else layer, len(at))
        numbers = {
            "block": block, "place": place, "even": 2 * block - 2, "odd": 2 * block - 1,
            "stage": stages.run, "copy": stages.member, "level": levels.run, "turn": levels.member,
            "at": at["gate" if layer in ("reduce", "excite") else layer], "has_expansion": "expand" in at,
        }  # fmt: skip
        yield op, layer, {name: _Number(number) for name, number in numbers.items()}


def _width(row: Row | None) -> int:
    return row.out_channels if isinstance(row, Block) else 0
