"""The promise: an op that graph.py declares is understood by everything that reads graphs."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_export import run_file

from graphs import random_arrays, random_images
from pocketvision.cost.count import count
from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.builder import Builder
from pocketvision.model.network import Network
from pocketvision.model.onnx_writer import WRITERS, write_onnx
from pocketvision.model.rewrite import cut, leading_indices
from pocketvision.model.spaces import spaces
from refusals import refused

ALL_OPS = {
    kind for _, kind in inspect.getmembers(ops, inspect.isclass) if issubclass(kind, ops.Op) and kind is not ops.Op
}


def everything():
    """A graph with every op, and with every padding lopsided."""
    b = Builder(ops.Shape(3, 12, 12))
    x = b.normalize("image", "normalize", (120.0,), (60.0,))
    x = b.conv(x, "conv", 8, kernel=3, stride=2, padding=ops.Padding(0, 1, 2, 0), bias=True, activation="relu6")
    x = b.conv(x, "wide", 8, kernel=ops.Pair(3, 1), dilation=ops.Pair(2, 1), groups=2)
    x = b.channel_shuffle(b.activation(x, "activation", "relu"), "shuffle", 4)
    left, right = b.split(x, "split", (3, 5))
    x = b.concat((right, b.depthwise(left, "depthwise", kernel=3)), "concat")
    gate = b.linear(b.global_pool(x, "squeeze"), "gate", 8)
    x = b.mul(x, gate, "mul")
    x = b.add(x, x, "twice", activation="relu")
    x = b.max_pool(x, "max", kernel=3, stride=2, padding=ops.Padding(0, 1, 1, 0))
    x = b.average_pool(x, "average", kernel=3, stride=2, padding=ops.Padding(0, 1, 1, 1))
    x = b.dropout(b.global_pool(x, "pool"), "dropout", 0.5)
    graph = b.graph("everything", {"logits": b.linear(x, "classifier", 4)})
    quant = ops.FakeQuant(name="quant", inputs=("classifier",), shape=ops.Shape(4, 1, 1), origin=ops.Origin(-1, ""))
    return replace(graph, ops=(*graph.ops, quant), outputs={"logits": "quant"})


class Strange(ops.Op):
    """An op that no reader knows."""


def strange():
    op = Strange(name="odd", inputs=("image",), shape=ops.Shape(3, 8, 8), origin=ops.Origin(-1, ""))
    return ops.Graph(name="strange", image=ops.Shape(3, 8, 8), ops=(op,), outputs={"logits": "odd"})


def test_the_graph_below_holds_every_op():
    assert {type(op) for op in everything().ops} == ALL_OPS


def test_torch_makes_the_shapes_that_the_graph_states():
    graph = everything()
    names = tuple(op.name for op in graph.ops)
    tensors = Network(graph).eval().forward_features(random_images(graph, n=2), keep=names)
    assert {name: tuple(t.shape[1:]) for name, t in tensors.items()} == {op.name: op.shape for op in graph.ops}


def test_onnx_equals_torch():
    graph = everything()
    arrays, images = random_arrays(graph), random_images(graph)
    net = Network(graph).eval()
    net.load_arrays(arrays)
    with torch.no_grad():
        expected = net(images).numpy()
    _, logits = run_file(write_onnx(graph, arrays), images)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_every_op_can_be_written():
    assert set(WRITERS) == ALL_OPS


def test_spaces_count_and_cut_take_it():
    graph = everything()
    arrays = random_arrays(graph)
    assert set(spaces(graph).tensors) == {"image", *(op.name for op in graph.ops)}
    assert [op.name for op in count(graph).ops] == [op.name for op in graph.ops]
    assert cut(arrays, graph, graph, leading_indices(graph, graph)).keys() == arrays.keys()


def run(graph):
    Network(graph)(torch.zeros(1, 3, 8, 8))


def write(graph):
    write_onnx(graph, {})


@pytest.mark.parametrize(("read", "file"), [(spaces, "spaces.py"), (run, "network.py"), (write, "onnx_writer.py")])
def test_an_unknown_op_is_refused_by_name(read, file):
    with refused(GraphError, "'odd' (Strange)", file):
        read(strange())


@pytest.mark.parametrize(("read", "file"), [(run, "network.py"), (write, "onnx_writer.py")])
def test_an_unknown_activation_is_refused_by_name(read, file):
    op = ops.Activation(name="odd", inputs=("image",), shape=ops.Shape(3, 8, 8), origin=ops.Origin(-1, ""), kind="wavy")
    with refused(GraphError, "'wavy'", file):
        read(ops.Graph(name="strange", image=ops.Shape(3, 8, 8), ops=(op,), outputs={"logits": "odd"}))


@pytest.mark.parametrize("kind", ops.ACTIVATIONS)
def test_every_activation_runs_and_is_written(kind):
    b = Builder(ops.Shape(3, 8, 8))
    x = b.activation(b.normalize("image", "normalize", (100.0,), (10.0,)), "activation", kind)
    graph = b.graph(kind, {"logits": b.global_pool(x, "pool")})
    images = random_images(graph)
    _, logits = run_file(write_onnx(graph, {}), images)
    np.testing.assert_allclose(logits, Network(graph)(images), rtol=1e-5)
