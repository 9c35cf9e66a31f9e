"""Network: what it refuses, and that it equals timm's MobileNetV1, an implementation by others."""

import weakref

import numpy as np
import pytest
import torch

from graphs import builder, finish, network, random_arrays, random_images, residual, small
from pocketvision.errors import GraphError
from pocketvision.model.network import Network, _activate, _pad, _pads_first
from pocketvision.model.resolve import resolve
from refusals import refused


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


GOOD = random_arrays(residual(4))
REFUSED = {
    "missing": (without(GOOD, "stem.bn.bias"), ("'residual_4'", "1 names", "'stem.bn.bias'")),
    "left over": ({**GOOD, "a": np.ones(1)}, ("'residual_4'", "1 names", "'a'")),
    "shape": ({**GOOD, "classifier.weight": np.ones((5, 3), np.float32)}, ("'classifier.weight'", "(5, 3)", "(5, 4)")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arrays_that_do_not_fit_are_refused(what):
    arrays, named = REFUSED[what]
    with refused(GraphError, *named):
        Network(residual(4)).load_arrays(arrays)


def test_features_come_in_the_order_asked_for():
    graph = residual(4)
    keep = ("project", "stem", "expand")
    assert list(network(graph).forward_features(random_images(graph), keep)) == [*keep, "classifier"]


def test_tensors_are_dropped_after_their_last_reader(monkeypatch):
    """While an inverted residual runs, its input, the op's input and the op's output are alive, and nothing else."""
    graph, made, alive = residual(4), [], []
    net, images, run = network(graph), random_images(graph), Network._run

    def watched(self, op, inputs):
        output = run(self, op, inputs)
        made.append(weakref.ref(output))
        alive.append(sum(tensor() is not None for tensor in made))
        return output

    monkeypatch.setattr(Network, "_run", watched)
    with torch.no_grad():
        net(images)
    assert dict(zip([op.name for op in graph.ops], alive, strict=True)) == {
        "stem": 1,
        "expand": 2,
        "depthwise": 3,
        "project": 3,
        "sum": 3,
        "pool": 2,
        "classifier": 2,
    }


def test_one_tensor_may_be_read_twice_by_one_op():
    b = builder()
    graph = b.graph("double", {"logits": b.add("image", "image", "sum")})
    images = random_images(graph)
    np.testing.assert_array_equal(Network(graph)(images), 2 * images.float().flatten(1))


def test_dropout_works_in_training_only():
    b = builder()
    graph = b.graph("dropout", {"logits": b.dropout("image", "dropout", 0.5)})
    images, net = random_images(graph, n=1).clamp(min=1), Network(graph)
    assert 0.3 < (net.train()(images) == 0).float().mean() < 0.7
    np.testing.assert_array_equal(net.eval()(images), images.float().flatten(1))


def test_a_shuffle_reads_the_table_of_groups_column_by_column():
    b = builder()
    x = b.concat(("image", "image"), "six")
    graph = b.graph("shuffle", {"logits": b.global_pool(b.channel_shuffle(x, "shuffle", 3), "pool")})
    images = torch.arange(3)[None, :, None, None].expand(1, 3, 8, 8)  # 0 1 | 2 0 | 1 2
    assert Network(graph)(images).tolist() == [[0, 2, 1, 1, 0, 2]]


def test_pixels_are_centred_and_scaled():
    graph = small("mobilenet_v1")
    images = torch.tensor([0, 128, 255], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 32, 32)
    pixels = network(graph).forward_features(images, keep=("normalize",))["normalize"]
    assert pixels[0, :, 5, 5].tolist() == [-1, 0, 127 / 128]


def test_a_convolution_of_networks_from_scratch_by_hand():
    """3x3 at stride 2 with a pixel of zeros on each side, then batch norm with an epsilon of 0.001, then ReLU6."""
    b = builder()
    stem = b.conv("image", "stem", 4, kernel=3, stride=2, activation="relu6")
    graph = b.graph("by_hand", {"logits": b.global_pool(stem, "pool")})
    arrays, images = random_arrays(graph), random_images(graph, n=1)
    weight, scale, shift, mean, variance = (arrays[f"stem.{name}"].astype(float) for name in (
        "conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"
    ))  # fmt: skip
    padded = np.pad(images[0].double().numpy(), ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros((4, 4, 4))
    for out, y, x in np.ndindex(4, 4, 4):
        summed = (weight[out] * padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]).sum()
        expected[out, y, x] = (summed - mean[out]) / np.sqrt(variance[out] + 1e-3) * scale[out] + shift[out]
    found = network(graph, arrays).double().forward_features(images.double(), keep=("stem",))["stem"][0]
    np.testing.assert_allclose(found.detach(), expected.clip(0, 6), rtol=1e-9)
    assert 0 < np.mean((expected > 0) & (expected < 6)) < 1, "some values are cut off, others are not"


TIMM_NAMES = {"depthwise": ("conv_dw", "bn1"), "pointwise": ("conv_pw", "bn2")}


def timm_name(name, blocks):
    """block3.depthwise.bn.weight -> blocks.1.1.bn1.weight."""
    layer, *rest = name.split(".")
    if layer == "stem":
        return ".".join(({"conv": "conv_stem", "bn": "bn1"}[rest[0]], rest[1]))
    if layer == "classifier":
        return name
    half, kind, leaf = rest
    return f"{blocks[int(layer.removeprefix('block')) - 1]}.{TIMM_NAMES[half][kind == 'bn']}.{leaf}"


def test_mobilenet_v1_equals_timms():
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("mobilenetv1_100", num_classes=10).eval()
    graph = resolve("mobilenet_v1", 1.0, 64, classes=10)
    arrays, images = random_arrays(graph), random_images(graph, n=2)
    blocks = [f"blocks.{i}.{j}" for i, stage in enumerate(theirs.blocks) for j in range(len(stage))]
    state = {timm_name(name, blocks): torch.tensor(array) for name, array in arrays.items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing)
    assert unexpected == []
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = graph["stem"].batch_norm_eps
    with torch.no_grad():
        expected = theirs.double()((images.double() - 128) / 128)
        actual = network(graph, arrays).double()(images.double())
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def biased():
    """A convolution with a bias before its batch norm."""
    b = builder()
    return finish(b, b.conv("image", "stem", 8, bias=True, activation="relu"), "biased")


@pytest.mark.parametrize("graph", [small("mobilenet_v3_small"), biased()], ids=lambda graph: graph.name)
def test_statistics_that_stand_still_give_the_same_gradients_as_batch_norms_of_their_own(graph):
    """In training with kept statistics the batch norm is part of the filters; all parameters still learn the same."""
    net = network(graph, random_arrays(graph)).double().train()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    images = random_images(graph, n=3).double()
    torch.manual_seed(0)  # of the dropout
    net(images).square().sum().backward()
    ours = {name: parameter.grad.clone() for name, parameter in net.named_parameters()}
    net.zero_grad()
    convolve = net._convolve
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(net, "_convolve", lambda op, x: apart(net, op, x, convolve))
        torch.manual_seed(0)
        net(images).square().sum().backward()
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-8, atol=1e-8 * float(parameter.grad.abs().max()))


def apart(net, op, x, convolve):
    if op.batch_norm_eps is None:
        return convolve(op, x)
    conv, bn = (net.get_submodule(f"{op.name}.{name}") for name in ("conv", "bn"))
    x = _pad(x, op.padding, 0.0) if _pads_first(op) else x
    return _activate(bn(conv(x)), op.activation)
