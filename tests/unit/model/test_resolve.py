"""resolve: names, options, and the whole text of every refusal."""

import pytest

from pocketvision.errors import BadOption, BadOutputStride, BadResolution, BadWidth, UnknownFamily
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import Conv, Options
from pocketvision.model.resolve import native_stride, resolve
from pocketvision.model.rows import Conv as ConvRow
from pocketvision.model.rows import Family, SeparableConv, floor_from_8

KNOWN = ", ".join(FAMILIES)
REFUSED = [
    (
        {"family": "mobilenet_v22"},
        UnknownFamily,
        f"no family 'mobilenet_v22'. Known: {KNOWN}. Try: mobilenet_v2",
    ),
    *(
        (
            {"width": width},
            BadWidth,
            f"width must be above 0 and at most 4; got {width}. mobilenet_v1 takes any in between; published: "
            "0.25, 0.5, 0.75, 1. Try: width=0.5",
        )
        for width in (0, -1.0, 4.1, float("nan"), float("inf"))
    ),
    *(
        (
            {"family": "shufflenet_v2", "width": width},
            BadWidth,
            f"shufflenet_v2 has only the widths of its paper's table: 0.5, 1, 1.5, 2; got {width}. Try: width={better}",
        )
        for width, better in ((0.3, 0.5), (5, 2), (float("nan"), 0.5))
    ),
    *(
        (
            {"resolution": resolution},
            BadResolution,
            f"mobilenet_v1 needs a resolution of at least 16 whole pixels; got {resolution}. Try: resolution={better}",
        )
        for resolution, better in ((15, 16), (-3, 16), (0, 16), (31.5, 32))
    ),
    ({"classes": 1}, BadOption, "a classifier needs at least 2 classes; got 1. Try: classes=2"),
    ({"in_channels": 4}, BadOption, "in_channels must be 3 (RGB) or 1 (grey); got 4. Try: in_channels=3"),
    *(
        (
            {"output_stride": stride},
            BadOutputStride,
            f"mobilenet_v1 can have an output stride of 1, 2, 4, 8, 16, 32; got {stride}. Try: output_stride={better}",
        )
        for stride, better in ((64, 32), (0, 1), (7, 8), (20, 16))
    ),
]


@pytest.mark.parametrize(("options", "error", "message"), REFUSED, ids=lambda x: str(x) if isinstance(x, dict) else "")
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error) as caught:
        resolve(**{"family": "mobilenet_v1", **options})
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


NAMES = [
    ({}, "mobilenet_v1_w1.00_r224"),
    ({"width": 1}, "mobilenet_v1_w1.00_r224"),
    ({"width": 0.5, "resolution": 160}, "mobilenet_v1_w0.50_r160"),
    ({"width": 0.375}, "mobilenet_v1_w0.375_r224"),
    ({"resolution": 192.0}, "mobilenet_v1_w1.00_r192"),
    ({"output_stride": 8}, "mobilenet_v1_w1.00_r224_s8"),
    ({"output_stride": 32}, "mobilenet_v1_w1.00_r224"),
    ({"output_stride": 16, "dilate": True}, "mobilenet_v1_w1.00_r224_s16_dilated"),
    ({"dilate": True}, "mobilenet_v1_w1.00_r224"),
]


@pytest.mark.parametrize(("options", "name"), NAMES, ids=[str(options) for options, _ in NAMES])
def test_names(options, name):
    assert resolve("mobilenet_v1", **options).name == name


def test_options_give_the_same_graph_again():
    graph = resolve("mobilenet_v1", 0.3, 33, 7, in_channels=1, output_stride=8, dilate=True)
    assert graph.options == Options("mobilenet_v1", 0.3, 33, 7, 1, 8, True)
    assert resolve(**graph.options._asdict()) == graph


def test_a_family_may_be_given_itself():
    assert resolve(FAMILIES["mobilenet_v1"], 0.5) == resolve("mobilenet_v1", 0.5)


def test_ops_and_origins_of_mobilenet_v1():
    graph = resolve("mobilenet_v1", 0.5, 64, classes=10)
    assert [op.name for op in graph.ops] == [
        "normalize",
        "stem",
        *(f"block{i}.{part}" for i in range(1, 14) for part in ("depthwise", "pointwise")),
        "pool",
        "classifier",
    ]
    assert graph["normalize"].mean == graph["normalize"].std == (128.0,) * 3
    assert graph["normalize"].origin == (-1, "")
    assert graph["block8.pointwise"].origin == (7, "block8")
    assert graph["block11.depthwise"].origin == (7, "block11")
    assert graph["block12.depthwise"].origin == (8, "block12")
    assert [graph[f"block{i}.pointwise"].out_channels for i in range(1, 14)] == [
        32, 64, 64, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512,
    ]  # fmt: skip
    assert [i for i in range(1, 14) if graph[f"block{i}.depthwise"].stride == (2, 2)] == [2, 4, 6, 12]


@pytest.mark.parametrize(("family", "activation"), [("mobilenet_v1", "relu6"), ("mobilenet_v1_relu", "relu")])
def test_activations(family, activation):
    graph = resolve(family)
    assert {op.activation for op in graph.ops if isinstance(op, Conv)} == {activation}


def test_only_the_first_copy_of_a_repeated_row_has_its_stride():
    rows = (ConvRow(out_channels=8, stride=2), SeparableConv(out_channels=16, stride=2, repeat=3))
    graph = resolve(Family(name="f", title="", source="", rows=rows, rounding=floor_from_8), resolution=16)
    assert graph.outputs == {}
    assert [(op.name, *op.shape) for op in graph.ops if not op.name.endswith("depthwise")] == [
        ("normalize", 3, 16, 16),
        ("stem", 8, 8, 8),
        ("block1.pointwise", 16, 4, 4),
        ("block2.pointwise", 16, 4, 4),
        ("block3.pointwise", 16, 4, 4),
    ]
    strides = [graph[f"block{i}.depthwise"].stride.height for i in (1, 2, 3)]
    assert strides == [2, 1, 1]


def test_dilation_doubles_at_every_removed_stride():
    graph = resolve("mobilenet_v1", output_stride=8, dilate=True)
    dilations = [graph[f"block{i}.depthwise"].dilation.height for i in range(1, 14)]
    assert dilations == [1] * 6 + [2] * 6 + [4]


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(32, 1.0, 32), (512, 0.75, 384), (32, 0.25, 8), (32, 0.1, 8), (4, 0.5, 4), (64, 0.37, 23), (32, 1.5, 48)],
)
def test_floor_from_8(channels, width, expected):
    assert floor_from_8(channels, width) == expected


def test_native_strides():
    others = {"effnet": 8, "squeezenet1_0": 16, "squeezenet1_1": 16}
    assert {name: native_stride(family) for name, family in FAMILIES.items()} == dict.fromkeys(FAMILIES, 32) | others
