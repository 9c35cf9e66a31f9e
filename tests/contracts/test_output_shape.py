"""The promise: images in, (N, classes) finite logits out, whatever the options, in training and in evaluation mode."""

import numpy as np
import pytest
import torch

from graphs import FEW, random_images, small
from pocketvision.model.network import Network

OPTIONS = [
    {},
    {"width": 0.1},
    {"width": 0.4},
    {"width": 0.75, "resolution": 16},
    {"resolution": 16},
    {"resolution": 28, "in_channels": 1},
    {"resolution": 64, "classes": 2},
    {"output_stride": 16},
    {"output_stride": 8, "dilate": True, "resolution": 33},
    {"output_stride": 1, "resolution": 16},
]


def check(graph):
    """In both modes."""
    net = Network(graph)
    for is_training in (False, True):
        with torch.no_grad():
            logits = net.train(is_training)(random_images(graph, n=3))
        assert logits.shape == (3, graph.options.classes)
        assert logits.dtype == torch.float32
        assert torch.isfinite(logits).all(), f"{is_training=}"
        assert (logits[0] != logits[1]).any(), f"other images, other logits; {is_training=}"


def test_logits_are_finite_and_one_row_an_image(family):
    check(small(family, resolution=33))


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(f"{k}={v}" for k, v in o.items()) or "defaults")
def test_whatever_the_options(options):
    for family in FEW:
        check(small(family, **options))


def test_uint8_and_float_pixels_give_the_same_logits():
    for family in FEW:
        graph = small(family)
        net, images = Network(graph).eval(), random_images(graph)
        for dtype in (torch.float32, torch.float16):
            np.testing.assert_array_equal(net(images).detach(), net(images.to(dtype)).detach())


def test_gradients_reach_every_parameter(family):
    graph = small(family)
    net = Network(graph).train()
    net(random_images(graph)).square().sum().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
