"""Factors that move between layers: the same function, ranges alike, and a network that is rescued by it."""

import numpy as np
import pytest
import torch

from graphs import far_apart, network, random_arrays, random_images, small
from pocketvision.compress.equalise import equalise, with_relu
from pocketvision.compress.ladder import reach_by_op
from pocketvision.compress.ranges import find_scales, observe
from pocketvision.events import drain
from pocketvision.model.fake_quant import insert_fake_quant
from pocketvision.model.graph import Conv
from pocketvision.model.rewrite import fold_batch_norm


def pixels(graph, n=32):
    return random_images(graph, n).permute(0, 2, 3, 1).contiguous().numpy()


def logits(graph, arrays, images):
    with torch.inference_mode():
        return network(graph, arrays)(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()


def seen(graph, arrays, images):
    integers = insert_fake_quant(graph)
    return integers, drain(observe(integers, arrays, images))


@pytest.mark.parametrize("name", ["mobilenet_v1_relu", "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"])
def test_it_computes_the_same(name):
    graph, arrays = fold_batch_norm(small(name), random_arrays(small(name)))
    images = pixels(graph)
    integers, values = seen(graph, arrays, images)
    balanced, _ = equalise(graph, arrays, reach_by_op(integers, values))
    before = logits(graph, arrays, images)
    np.testing.assert_allclose(logits(graph, balanced, images), before, atol=2e-4 * np.abs(before).max())


def test_channels_reach_alike():
    graph, arrays = fold_batch_norm(small("mobilenet_v1_relu"), random_arrays(small("mobilenet_v1_relu")))
    arrays = far_apart(graph, arrays)
    images = pixels(graph)
    integers, values = seen(graph, arrays, images)
    balanced, skipped = equalise(graph, arrays, reach_by_op(integers, values))
    assert "block1.depthwise" not in skipped
    _, after = seen(graph, balanced, images)

    def spread(found):
        reach = found["block1.depthwise.quant"].largest
        return reach[reach > 0].max() / reach[reach > 0].min()

    assert spread(values) > 100 and spread(after) < spread(values) ** 0.6


def test_relu6_forbids_it_and_relu_in_its_place_does_not():
    graph, arrays = fold_batch_norm(small("mobilenet_v1"), random_arrays(small("mobilenet_v1")))
    integers, values = seen(graph, arrays, pixels(graph))
    largest = reach_by_op(integers, values)
    balanced, skipped = equalise(graph, arrays, largest)
    assert {op.name for op in graph.ops if isinstance(op, Conv)} <= set(skipped)
    assert all(np.array_equal(balanced[name], array) for name, array in arrays.items())
    changed = with_relu(graph)
    assert {op.activation for op in changed.ops if isinstance(op, Conv)} == {"relu"}
    _, skipped = equalise(changed, arrays, largest)
    assert "block1.depthwise" not in skipped and skipped, "the features and the logits keep their scale"


def test_it_rescues_a_network_on_which_static_ranges_fail():
    """Depthwise channels 10,000 times as large as others: most of them would be one step."""
    graph, arrays = fold_batch_norm(small("mobilenet_v1_relu"), random_arrays(small("mobilenet_v1_relu")))
    arrays, images = far_apart(graph, arrays), pixels(graph, 64)
    wanted = logits(graph, arrays, images)

    def error(parameters):
        integers, values = seen(graph, parameters, images)
        found = logits(integers, find_scales(integers, parameters, values, "largest"), images)
        return np.abs(found - wanted).mean() / np.abs(wanted).mean()

    integers, values = seen(graph, arrays, images)
    balanced, _ = equalise(graph, arrays, reach_by_op(integers, values))
    plain, rescued = error(arrays), error(balanced)
    assert rescued < 0.5 * plain
