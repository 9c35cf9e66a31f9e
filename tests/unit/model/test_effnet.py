"""EffNet's Table 1: the floats behind each layer, of its own network and of the three that it is compared with."""

import re
from itertools import pairwise
from math import prod

import pytest

from figures import network, operations, rows
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Conv, Linear, MaxPool, Padding, Pair, Shape

FLATTENED = 4 * 4 * 256  # floats that the paper's fully connected layers read


class Cifar(Builder):
    """Builds the three networks, whose layers are those of Table 1 in its own order."""

    def __init__(self):
        super().__init__(Shape(3, 32, 32))

    def pooled(self, x, name, out_channels):
        """3x3 + mp."""
        x = self.conv(x, name, out_channels, kernel=3, activation="leaky_relu")
        return self.max_pool(x, f"{name}.pool", kernel=2, stride=2)

    def strided(self, x, name):
        """Dw 3x3 + stride."""
        return self.depthwise(x, name, kernel=3, stride=2, activation="leaky_relu")

    def pointwise(self, x, name, out_channels, groups=1):
        """1x1, or gc4 1x1."""
        return self.conv(x, name, out_channels, groups=groups, activation="leaky_relu")

    def finished(self, x, name):
        """Fully connected to all floats of the map: a convolution with a kernel as large as the map."""
        side = self.shape(x).height
        logits = self.conv(x, "classifier", 10, kernel=side, padding=Padding(), bias=True, batch_norm=False)
        return self.graph(name, {"logits": logits})


def baseline():
    b = Cifar()
    x = b.pooled("image", "conv1", 64)
    x = b.pooled(x, "conv2", 128)
    return b.finished(b.pooled(x, "conv3", 256), "baseline")


def mobilenet():
    b = Cifar()
    x = b.pooled("image", "conv1", 64)
    for channels in (128, 256):
        x = b.pointwise(b.strided(x, f"depthwise{channels}"), f"pointwise{channels}", channels)
    return b.finished(x, "mobilenet")


def shufflenet():
    b = Cifar()
    x = b.pooled("image", "conv1", 64)
    for channels in (128, 256):
        x = b.pointwise(x, f"reduce{channels}", channels // 4, groups=4)
        x = b.channel_shuffle(x, f"shuffle{channels}", 4)
        x = b.pointwise(b.strided(x, f"depthwise{channels}"), f"restore{channels}", channels, groups=4)
    return b.finished(x, "shufflenet")


NETS = {
    "baseline": baseline(),
    "mobilenet": mobilenet(),
    "shufflenet": shufflenet(),
    "effnet": network("effnet", 1.0, 32, 10),
}


def layers(graph):
    """What Table 1 has a line for: a pool belongs to the layer before it."""
    found = [op for op in graph.ops if isinstance(op, Conv | Linear | MaxPool)]
    return [op for op, after in pairwise([*found, None]) if not isinstance(after, MaxPool)]


@pytest.mark.parametrize("model", NETS)
def test_floats_after_each_layer(model):
    printed = [int(row["floats_out"]) for row in rows("arch_effnet.csv", model=model)]
    assert [prod(op.shape) for op in layers(NETS[model])] == printed


def described(graph, op):
    """A layer in the words of Table 1, the sides of one-dimensional kernels sorted: the ports disagree on their axes."""
    if isinstance(op, Linear) or op.name == "classifier":
        return "fully connected"
    pool = op if isinstance(op, MaxPool) else None
    op = graph[op.inputs[0]] if pool else op
    words = f"{op.kernel.height}x{op.kernel.width}" if op.kernel != Pair(1, 2) else "2x1"
    words += "" if op.is_depthwise else f"x{op.out_channels}"
    kind = "dw " if op.is_depthwise else f"gc{op.groups} " if op.groups > 1 else ""
    if pool:
        return f"{kind}{words} + {'mp' if pool.kernel.width == pool.kernel.height else '1d mp'}"
    strides = {Pair(1, 1): "", Pair(2, 2): " + stride", Pair(1, 2): " + 1d stride"}
    return kind + words + strides[op.stride]


@pytest.mark.parametrize("model", NETS)
def test_layers_are_those_of_table_1(model):
    printed = [row["layer"] for row in rows("arch_effnet.csv", model=model)]
    assert [described(NETS[model], op) for op in layers(NETS[model])] == printed


def operations_as_in_the_paper(model):
    """Convolutions and the fully connected layer, two operations a multiply-add.

    Biases, batch norms, activations, pools and shuffles are left out. Our EffNet's classifier reads the means of 256 maps; the
    paper's reads all floats.
    """
    missing = (FLATTENED - 256) * 10 if model == "effnet" else 0
    return operations(NETS[model]) + 2 * missing / 1e6


CIFAR = {
    row["model"].lower(): row
    for row in rows("other_nets_results.csv", dataset="cifar10", source="EffNet paper (arXiv 1801.06434) Table 2")
}


@pytest.mark.parametrize(
    ("model", "printed", "counted"),
    [("baseline", 80.3, 79.1), ("mobilenet", 5.8, 5.8), ("shufflenet", 4.7, 4.5), ("effnet", 11.4, 11.3)],
)
def test_operations_of_table_2(model, printed, counted):
    """1 % more is printed for the baseline and EffNet, 5 % for ShuffleNet; nothing that is left out explains all three."""
    assert float(CIFAR[model]["macs_m"]) == printed
    assert round(operations_as_in_the_paper(model), 1) == counted
    assert 0.99 < printed / operations_as_in_the_paper(model) < 1.06


@pytest.mark.parametrize("model", NETS)
def test_factors_of_table_2_are_met_to_the_last_digit(model):
    factor = float(re.search(r"factor ([\d.]+)", CIFAR[model]["note"])[1])
    assert round(operations_as_in_the_paper(model) / operations_as_in_the_paper("baseline"), 2) == factor


def test_effnet_never_keeps_less_than_half_of_the_floats_of_the_layer_before():
    floats = [prod(op.shape) for op in layers(NETS["effnet"])[:-1]]
    assert all(2 * after >= before for before, after in pairwise(floats))
    squeezed = {
        model: min(after / before for before, after in pairwise([prod(op.shape) for op in layers(NETS[model])[:-1]]))
        for model in NETS
    }
    assert squeezed == {"baseline": 0.5, "mobilenet": 0.25, "shufflenet": 0.25, "effnet": 0.5}
