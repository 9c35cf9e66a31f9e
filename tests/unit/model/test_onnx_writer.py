"""The ONNX writer refuses names that its file needs for something else."""

import pytest

from graphs import builder, random_arrays
from pocketvision.errors import GraphError
from pocketvision.model.onnx_writer import write_onnx
from refusals import refused


def last_named(name):
    b = builder()
    x = b.conv("image", "stem", 4, activation="relu6")
    return b.graph("net", {"logits": b.linear(b.global_pool(x, "pool"), name, 3)})


@pytest.mark.parametrize("name", ["logits", "probabilities", "pixels", "temperature", "six", "stem.linear"])
def test_names_that_clash_are_refused(name):
    graph = last_named(name)
    with refused(GraphError, repr(name)):
        write_onnx(graph, random_arrays(graph))


def test_other_names_are_written():
    graph = last_named("classifier")
    assert write_onnx(graph, random_arrays(graph))
