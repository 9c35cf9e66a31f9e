"""Float graph -> graph in integers, and the file that is written of it."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from graphs import network, random_arrays, random_images, small
from pocketvision.compress.ranges import find_scales, observe
from pocketvision.errors import GraphError
from pocketvision.events import drain
from pocketvision.model.fake_quant import insert_fake_quant, without_fake_quant
from pocketvision.model.graph import Activation, Add, Conv, FakeQuant, GlobalPool, Linear
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.rewrite import fold_batch_norm
from pocketvision.run.engines import OnnxRuntime
from refusals import refused


def folded(name):
    graph = small(name)
    return fold_batch_norm(graph, random_arrays(graph))


def in_integers(name, method="largest", **options):
    """A graph in integers with its parameters, and the images that its ranges are of."""
    plain, arrays = folded(name)
    graph = insert_fake_quant(plain, **options)
    images = pixels(graph, 32)
    return graph, find_scales(graph, arrays, drain(observe(graph, arrays, images)), method), images


def pixels(graph, n):
    return random_images(graph, n).permute(0, 2, 3, 1).contiguous().numpy()


def test_every_layer_becomes_integers():
    plain, _ = folded("mobilenet_v2")
    graph = insert_fake_quant(plain)
    made = {op.name: op for op in graph.ops}
    for op in graph.ops:
        if isinstance(op, Conv | Linear) and op.name != "stem":
            assert op.weight_limit == 127
            assert isinstance(made[op.inputs[0]], FakeQuant) or isinstance(op, Linear)
        if isinstance(op, Add | GlobalPool):
            assert all(isinstance(made[name], FakeQuant) for name in op.inputs)
    assert isinstance(made[graph.outputs["logits"]], FakeQuant)


def test_an_activation_that_no_range_does_stands_between_two_ranges():
    plain, _ = folded("mobilenet_v3_small")
    graph = insert_fake_quant(plain)
    made = {op.name: op for op in graph.ops}
    swishes = [op for op in graph.ops if isinstance(op, Activation) and op.kind == "hard_swish"]
    assert swishes
    for op in swishes:
        assert isinstance(made[op.inputs[0]], FakeQuant)
    assert {op.activation for op in graph.ops if isinstance(op, Conv) and op.name != "stem"} <= {None, "relu"}


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "efficientnet_lite0"])
def test_taking_ranges_out_gives_the_float_graph(name):
    plain, _ = folded(name)
    assert without_fake_quant(insert_fake_quant(plain)) == plain


def test_layers_that_stay_in_floats():
    plain, _ = folded("mobilenet_v1")
    graph = insert_fake_quant(plain, floats=("block1.depthwise",))
    limits = {op.name: op.weight_limit for op in graph.ops if isinstance(op, Conv)}
    assert limits.pop("stem") is None, "it reads the pixels"
    assert limits.pop("block1.depthwise") is None
    assert set(limits.values()) == {127}
    assert not {"normalize.quant", "stem.quant"} & {op.name for op in graph.ops}, "nothing in integers reads these"


def test_refuses():
    plain, _ = folded("mobilenet_v1")
    with refused(GraphError, "'pool'"):
        insert_fake_quant(plain, floats=("pool",))
    with refused(GraphError, "'stem'", "batch norm"):
        insert_fake_quant(small("mobilenet_v1"))


def test_the_network_takes_the_values_of_its_steps():
    graph, arrays, images = in_integers("mobilenet_v1")
    names = [op.name for op in graph.ops if isinstance(op, FakeQuant)]
    net = network(graph, arrays)
    with torch.inference_mode():
        tensors = net.forward_features(torch.from_numpy(images).permute(0, 3, 1, 2), tuple(names))
    for name in names:
        steps = tensors[name].double() / float(arrays[f"{name}.scale"]) + float(arrays[f"{name}.zero_point"])
        assert (steps - steps.round()).abs().max() < 1e-3
        assert steps.round().min() >= 0 and steps.round().max() <= 255


def test_gradients_reach_all_weights():
    graph, arrays, images = in_integers("mobilenet_v2")
    net = network(graph, arrays).train()
    net(torch.from_numpy(images).permute(0, 3, 1, 2)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())
    assert not any("quant" in name for name, _ in net.named_parameters()), "steps are not trained"


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0"])
@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"])
def test_the_file_computes_what_the_network_does(name, level):
    """A rounding that falls the other way moves one step; networks of random weights make more of it in each layer."""
    graph, arrays, images = in_integers(name)
    made = [op for op in graph.ops if isinstance(op, FakeQuant)]
    first = [op.name for op in made[:3]]
    with torch.inference_mode():
        wanted = network(graph, arrays).forward_features(torch.from_numpy(images).permute(0, 3, 1, 2), tuple(first))
    proto = onnx.load_model_from_string(write_onnx(graph, arrays))
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in first)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    for name, found in zip(first, session.run(first, {"image": images}), strict=True):
        off = np.abs(found - wanted[name].numpy()) / float(arrays[f"{name}.scale"])
        assert (off > 0.5).mean() < 0.02, name


def test_gates_stay_integers(tmp_path):
    """Hard-sigmoid is the integers behind it with another step; hard-swish is these times the same integers, cut off."""
    graph, arrays, _ = in_integers("mobilenet_v3_small")
    kinds = optimised_kinds(write_onnx(graph, arrays), tmp_path)
    assert not {"HardSigmoid", "HardSwish"} & set(kinds[kinds.index("QLinearConv") :])
    assert kinds.count("QuantizeLinear") == 1, "behind the first layer"


def test_a_gate_of_another_range_is_floats():
    graph, arrays, _ = in_integers("mobilenet_v3_small")
    gate = next(op for op in graph.ops if isinstance(op, Activation) and op.kind == "hard_swish")
    arrays[f"{gate.inputs[0]}.scale"] = arrays[f"{gate.inputs[0]}.scale"] * np.float32(1.01)
    nodes = {node.name: node for node in onnx.load_model_from_string(write_onnx(graph, arrays)).graph.node}
    assert nodes[gate.name].op_type == "HardSwish"


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"])
def test_the_engine_runs_integers(name, tmp_path):
    """ONNX Runtime makes integer convolutions of all of them."""
    graph, arrays, images = in_integers(name)
    wanted = sum(getattr(op, "weight_limit", None) is not None for op in graph.ops)
    assert optimised_kinds(write_onnx(graph, arrays), tmp_path).count("QLinearConv") == wanted
    assert OnnxRuntime(write_onnx(graph, arrays)).run(images)["logits"].shape == (32, 10)


def test_a_layer_in_floats_stays_in_floats(tmp_path):
    """ONNX Runtime would make integers of its weights, if it stood right between two ranges."""
    graph, arrays, _ = in_integers("mobilenet_v2", floats=("block2.depthwise", "classifier"))
    wanted = sum(getattr(op, "weight_limit", None) is not None for op in graph.ops)
    kinds = optimised_kinds(write_onnx(graph, arrays), tmp_path)
    assert kinds.count("QLinearConv") == wanted
    assert kinds.count("Conv") == 2 and "Gemm" in kinds, "stem, block2.depthwise; classifier"


def optimised_kinds(model, folder):
    """The ops that are left when the engine has optimised a file."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node]
