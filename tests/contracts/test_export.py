"""The promise: the ONNX file gives the answers of the torch network, from uint8 pixels, in any batch size."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from graphs import CUTS, FEW, HAND_MADE, network, random_arrays, random_images, small, steady
from pocketvision.model.onnx_writer import write_onnx


def session(content):
    """An ONNX Runtime session with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(file, images):
    """(probabilities, logits) for images as torch has them: (N, C, R, R)."""
    return file.run(["probabilities", "logits"], {"image": images.permute(0, 2, 3, 1).numpy()})


def run_file(content, images):
    """What a new session of the file answers."""
    return answers(session(content), images)


def check(graph):
    """The file is whole, has no batch norm and nothing outside of it, and says what torch says."""
    arrays, images = random_arrays(graph), random_images(graph)
    content = write_onnx(graph, arrays)
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    with torch.no_grad():
        expected = network(graph, arrays)(images).numpy()
    _, logits = run_file(content, images)
    assert np.ptp(expected, axis=0).max() > 0.01, "the logits depend on the image"
    assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    "options", [{}, {"output_stride": 8, "dilate": True, "resolution": 33, "in_channels": 1}], ids=str
)
def test_logits_equal_torch(family, options):
    check(steady(family, **options))


@pytest.mark.parametrize("name", HAND_MADE)
def test_logits_of_hand_made_graphs_equal_torch(name):
    check(CUTS[name]()[0])


@pytest.mark.parametrize("family", FEW)
def test_logits_equal_torch_at_other_widths_and_resolutions(family):
    for options in ({"in_channels": 1, "resolution": 28}, {"resolution": 33, "width": 0.4}):
        check(steady(family, **options))


@pytest.mark.parametrize("family", FEW)
def test_probabilities_are_the_softmax_of_logits_over_temperature(family):
    graph = small(family)
    for temperature in (1.0, 0.5, 3.0):
        probabilities, logits = run_file(write_onnx(graph, random_arrays(graph), temperature), random_images(graph))
        powers = np.exp((logits - logits.max(1, keepdims=True)) / temperature)
        np.testing.assert_allclose(probabilities, powers / powers.sum(1, keepdims=True), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("family", FEW)
def test_any_batch_gives_each_image_its_own_answer(family):
    graph = small(family)
    file, images = session(write_onnx(graph, random_arrays(graph))), random_images(graph, n=7)
    for n in (1, 2, 7):
        _, alone = answers(file, images[n - 1 : n])
        _, together = answers(file, images[:n])
        np.testing.assert_allclose(together[n - 1 :], alone, rtol=1e-4, atol=1e-5)


def test_inputs_and_outputs_are_as_documented(family):
    graph = small(family, in_channels=1, resolution=28)
    file = session(write_onnx(graph, random_arrays(graph)))
    assert [(x.name, x.type, x.shape) for x in file.get_inputs()] == [("image", "tensor(uint8)", ["N", 28, 28, 1])]
    assert [(x.name, x.type, x.shape) for x in file.get_outputs()] == [
        ("probabilities", "tensor(float)", ["N", 10]),
        ("features", "tensor(float)", ["N", graph.shape_of("pool").channels]),
        ("logits", "tensor(float)", ["N", 10]),
    ]
    assert file.get_modelmeta().graph_name == graph.name


@pytest.mark.parametrize("family", FEW)
def test_the_same_weights_give_the_same_bytes(family):
    graph = small(family)
    arrays = random_arrays(graph)
    assert write_onnx(graph, arrays) == write_onnx(graph, dict(reversed(arrays.items())))
