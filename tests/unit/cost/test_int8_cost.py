"""What a network takes in integers, counted from its float graph, against the file that is written of it."""

import onnx
import pytest

from graphs import small
from pocketvision.choose.candidates import file_bytes
from pocketvision.cost.count import count
from pocketvision.cost.int8 import count_int8, counted_memory_mb, name_in
from pocketvision.model.fake_quant import untrained_int8
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve

FAMILIES = ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_bytes_are_those_of_the_file(name):
    graph = small(name)
    model = onnx.load_model_from_string(write_onnx(*untrained_int8(graph)))
    stored = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    cost = count_int8(graph)
    assert cost.weight_bytes <= stored <= 1.1 * cost.weight_bytes + 600, (
        "zero points, which layers share, and constants"
    )
    assert cost.arrays <= len(model.graph.initializer) <= cost.arrays + 100


@pytest.mark.parametrize("name", FAMILIES)
def test_integers_take_less(name):
    graph = resolve(name, width=1.0, resolution=224, classes=1000)
    assert count_int8(graph).weight_bytes < 0.3 * count(graph).weight_bytes
    assert count_int8(graph).peak_activation_bytes <= count(graph).peak_activation_bytes, "the first layer is floats"
    assert counted_memory_mb(graph, "int8") < 0.6 * counted_memory_mb(graph, "fp32")
    assert counted_memory_mb(graph, "fp16-storage") == count(graph).memory_mb, "the engine makes floats of fp16"


def test_layers_in_floats_count_as_floats():
    graph = resolve("mobilenet_v2", width=1.0, resolution=224, classes=1000)
    whole, mixed = count_int8(graph), count_int8(graph, ("block2.expand", "classifier"))
    assert mixed.weight_bytes > whole.weight_bytes + 2.9 * 1280 * 1000
    assert mixed.peak_activation_bytes > 2 * whole.peak_activation_bytes
    assert counted_memory_mb(graph, "int8", ("classifier",)) > counted_memory_mb(graph, "int8")


def test_the_file_is_estimated_in_each_precision():
    graph = resolve("mobilenet_v2", width=1.0, resolution=224, classes=1000)
    labels = [f"class {i}" for i in range(1000)]
    whole, fp16, integers = (file_bytes(graph, labels, precision) for precision in ("fp32", "fp16-storage", "int8"))
    assert fp16 == pytest.approx(0.5 * whole, rel=0.03)
    assert integers < 0.3 * whole


def test_names():
    assert [name_in(precision, "v1_w0.50") for precision in ("fp32", "int8")] == ["v1_w0.50", "v1_w0.50_int8"]
