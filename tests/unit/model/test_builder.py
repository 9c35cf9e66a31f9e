"""The Builder and the Graph refuse what does not fit together, naming the op."""

import pytest

from graphs import builder
from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.builder import Builder, same_padding
from pocketvision.model.graph import Graph, Origin, Padding, Pair, Shape, differences
from refusals import refused

# what is refused, and what the error names beside the op
REFUSED = {
    "window": (lambda b: b.conv("image", "odd", 4, kernel=9, padding=Padding()), ("9x9", "8x8", "(0, 0, 0, 0)")),
    "dilated window": (
        lambda b: b.conv("image", "odd", 4, kernel=Pair(3, 1), dilation=5, padding=Padding(1, 0, 1, 0)),
        ("3x1", "dilation 5", "8x8", "(1, 0, 1, 0)"),
    ),
    "pool": (
        lambda b: b.max_pool("image", "odd", kernel=10, stride=2, padding=Padding(1, 0, 0, 0)),
        ("10x10", "8x8", "(1, 0, 0, 0)"),
    ),
    "groups of the input": (lambda b: b.conv("image", "odd", 4, groups=2), ("in_channels 3", "groups 2")),
    "groups of the output": (lambda b: b.conv("image", "odd", 4, groups=3), ("out_channels 4", "groups 3")),
    "linear": (lambda b: b.linear("image", "odd", 4), ("1x1", "'image' is 8x8")),
    "add": (lambda b: b.add("image", b.conv("image", "conv", 4), "odd"), ("'image' (3x8x8)", "'conv' (4x8x8)")),
    "mul": (
        lambda b: b.mul("image", b.conv("image", "gate", 3, stride=2), "odd"),
        ("'gate' is 3x4x4", "3x8x8 or 3x1x1"),
    ),
    "concat": (lambda b: b.concat(("image", b.global_pool("image", "pool")), "odd"), ("[(1, 1), (8, 8)]",)),
    "split": (lambda b: b.split("image", "odd", (1, 1)), ("3 channels", "(1, 1)")),
    "shuffle": (lambda b: b.channel_shuffle("image", "odd", 2), ("3 channels", "groups 2")),
    "activation": (lambda b: b.activation("image", "odd", "wavy"), ("'wavy'", *ops.ACTIVATIONS)),
    "activation of a convolution": (lambda b: b.conv("image", "odd", 3, activation="wavy"), ("'wavy'",)),
    "activation of a sum": (lambda b: b.add("image", "image", "odd", activation="wavy"), ("'wavy'",)),
    "one name twice": (lambda b: b.graph("net", {"logits": b.conv(b.conv("image", "odd", 3), "odd", 3)}), ("'net'",)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(what):
    use, named = REFUSED[what]
    with refused(GraphError, "'odd'", *named):
        use(builder())


def test_graphs_that_contradict_themselves_are_refused():
    b = builder()
    with refused(GraphError, "'net'", "'image'"):
        b.graph("net", {"logits": b.conv("image", "image", 3)})
    with refused(GraphError, "'logits' of 'net'", "'nothing'"):
        builder().graph("net", {"logits": "nothing"})
    with refused(GraphError, "'net'", "'nothing'"):
        builder().graph("net", {})["nothing"]
    late = ops.GlobalPool(name="pool", inputs=("conv",), shape=Shape(3, 1, 1), origin=Origin(0, ""))
    with refused(GraphError, "'pool'", "'conv'", "'net'"):
        Graph(name="net", image=Shape(3, 8, 8), ops=(late,), outputs={})


SHAPES = {
    "same": (lambda b: b.conv("image", "x", 4, kernel=3), (4, 8, 8)),
    "dilated": (lambda b: b.conv("image", "x", 4, kernel=5, dilation=3), (4, 8, 8)),
    "stride 2": (lambda b: b.conv("image", "x", 4, kernel=3, stride=2), (4, 4, 4)),
    "stride 3": (lambda b: b.conv("image", "x", 4, kernel=3, stride=3), (4, 3, 3)),
    "along one axis": (lambda b: b.conv("image", "x", 4, kernel=Pair(1, 3), stride=Pair(1, 2)), (4, 8, 4)),
    "one side padded": (lambda b: b.conv("image", "x", 4, kernel=3, stride=2, padding=Padding(0, 0, 1, 1)), (4, 4, 4)),
    "no padding": (lambda b: b.average_pool("image", "x", kernel=2, stride=2, padding=Padding()), (3, 4, 4)),
    "concat": (lambda b: b.concat(("image", "image"), "x"), (6, 8, 8)),
    "second piece": (lambda b: b.split("image", "x", (1, 2))[1], (2, 8, 8)),
}


@pytest.mark.parametrize("what", SHAPES)
def test_shapes(what):
    use, shape = SHAPES[what]
    b = builder()
    assert b.shape(use(b)) == shape


def test_padding_grows_with_kernel_and_dilation():
    assert same_padding(Pair(3, 5), Pair(1, 2)) == Padding(top=1, left=4, bottom=1, right=4)


def test_a_convolution_of_one_channel_is_not_depthwise():
    b = Builder(Shape(1, 8, 8))
    one, two = b.depthwise("image", "one", kernel=3), b.conv("image", "two", 2)
    b.depthwise(two, "three", kernel=3)
    graph = b.graph("net", {})
    assert [graph[name].is_depthwise for name in (one, two, "three")] == [False, False, True]


def test_parameters_say_whose_channels_their_axes_follow():
    b = builder()
    x = b.conv("image", "conv", 6, kernel=3, groups=3, bias=True)
    b.linear(b.global_pool(x, "pool"), "fc", 2)
    assert [(p.name, p.shape, p.axes, p.role, p.is_trained, p.size) for p in b.graph("net", {}).parameters()] == [
        ("conv.conv.weight", (6, 1, 3, 3), ("out", "in", None, None), "weight", True, 54),
        ("conv.conv.bias", (6,), ("out",), "bias", True, 6),
        ("conv.bn.weight", (6,), ("out",), "scale", True, 6),
        ("conv.bn.bias", (6,), ("out",), "shift", True, 6),
        ("conv.bn.running_mean", (6,), ("out",), "mean", False, 6),
        ("conv.bn.running_var", (6,), ("out",), "variance", False, 6),
        ("fc.weight", (2, 6), ("out", "in"), "weight", True, 12),
        ("fc.bias", (2,), ("out",), "bias", True, 2),
    ]


def test_the_last_reader_of_a_tensor():
    b = builder()
    x = b.conv("image", "first", 3)
    y = b.conv(x, "second", 3)
    graph = b.graph("net", {"logits": b.add(x, y, "sum")})
    assert graph.last_reader() == {"image": 0, "first": 2, "second": 2, "sum": 3}


def test_differences_name_the_fields():
    a = ops.Dropout(name="a", inputs=("x",), shape=Shape(1, 1, 1), origin=Origin(0, ""), rate=0.1)
    b = ops.Dropout(name="b", inputs=("x",), shape=Shape(2, 1, 1), origin=Origin(0, ""), rate=0.2)
    assert differences(a, b) == ["name", "rate"]
