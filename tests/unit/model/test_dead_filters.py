"""Dead filters are found after folding, layer by layer, and change nothing that an image could show."""

import numpy as np
import pytest
import torch

from graphs import exact_logits, random_arrays, random_images, small
from pocketvision.model.dead_filters import count_dead_filters, is_dead
from pocketvision.model.rewrite import fold_batch_norm

LAYER = "block3.depthwise"


@pytest.fixture
def graph():
    return small("mobilenet_v1")


def killed(graph, channels, how):
    """Weights with some filters of one layer dead."""
    arrays = random_arrays(graph)
    for parameter in ("conv.weight",) if how == "by weight" else ("bn.weight",):
        arrays[f"{LAYER}.{parameter}"] = arrays[f"{LAYER}.{parameter}"].copy()
        arrays[f"{LAYER}.{parameter}"][channels] *= 1e-6
    return arrays


def test_every_depthwise_layer_is_counted_and_healthy_filters_are_alive(graph):
    found = count_dead_filters(graph, random_arrays(graph))
    assert list(found) == [f"block{number}.depthwise" for number in range(1, 14)]
    assert set(found.values()) == {0}


@pytest.mark.parametrize("how", ["by weight", "by batch norm"])
def test_dead_filters_are_counted_where_they_are(graph, how):
    found = count_dead_filters(graph, killed(graph, [0, 2, 5], how))
    assert {name: dead for name, dead in found.items() if dead} == {LAYER: 3}


def test_folded_or_not_is_the_same(graph):
    arrays = killed(graph, [1], "by batch norm")
    assert count_dead_filters(*fold_batch_norm(graph, arrays)) == count_dead_filters(graph, arrays)


def test_a_dead_filter_leaves_a_constant(graph):
    """Without its weights the logits are the same: nothing of the image went through it."""
    arrays = killed(graph, [0, 2, 5], "by weight")
    without = {**arrays, f"{LAYER}.conv.weight": arrays[f"{LAYER}.conv.weight"].copy()}
    without[f"{LAYER}.conv.weight"][[0, 2, 5]] = 0
    images = random_images(graph, n=2)
    with torch.no_grad():
        a, b = (exact_logits(graph, weights, images) for weights in (arrays, without))
    np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("norms", "dead"),
    [
        ([1, 1, 1, 1], 0),
        ([1, 1, 1, 0.05], 0),
        ([1, 1, 1, 0.002], 1),
        ([1, 1, 0, 0, 0], 3),  # more than half are dead
        ([100, 1, 1, 1, 1], 0),  # one giant kills no other
        ([0, 0], 2),
    ],
)
def test_small_is_small_beside_the_others_of_the_layer(norms, dead):
    filters = np.ones((len(norms), 1, 3, 3), np.float32) / 3 * np.array(norms, np.float32)[:, None, None, None]
    assert is_dead(filters).sum() == dead
