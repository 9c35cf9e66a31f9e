"""The promise: a sub-network of an elastic network is the cut: the narrow network made of the sliced parameters, no more."""

import numpy as np
import pytest
import torch

from graphs import (
    CUTS,
    ONE_EACH,
    exact_logits,
    network,
    random_arrays,
    random_images,
    small,
)
from pocketvision.cost.count import count
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.slice import SubNetwork
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import cut, importance, leading_indices, sort_by_importance
from pocketvision.model.spaces import spaces


@pytest.fixture(params=ONE_EACH)
def graphs(request):
    return CUTS[request.param]()


def test_the_sliced_network_equals_the_cut(graphs):
    wide, narrow = graphs
    kept = leading_indices(wide, narrow)
    arrays, images = random_arrays(wide), random_images(wide)[:, kept["image"]]
    expected = exact_logits(narrow, cut(arrays, wide, narrow, kept), images)
    with torch.no_grad():
        actual = SubNetwork(wide, narrow)(network(wide, arrays).double(), images.double()).numpy()
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_training_a_sub_network_reaches_its_own_parameters_and_no_statistics(graphs):
    wide, narrow = graphs
    net = network(wide).train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    SubNetwork(wide, narrow)(net, random_images(narrow)).square().sum().backward()
    assert all(torch.equal(buffer, before[name]) for name, buffer in net.named_buffers())
    kept = cut({name: np.ones(p.shape) for name, p in net.named_parameters()} | arrays_of(net), wide, narrow,
               leading_indices(wide, narrow))  # fmt: skip
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all()
        assert int((parameter.grad != 0).sum()) <= kept[name].size, "gradients outside the slice"
    assert any(bool((parameter.grad != 0).any()) for parameter in net.parameters())


def arrays_of(net):
    """Its statistics."""
    return {name: buffer.numpy() for name, buffer in net.named_buffers() if buffer.ndim}


def test_a_cut_is_the_family_at_that_size(family):
    space = ElasticSpace.below(small(family, 0.5), (0.25, 0.375), (16,) if small(family).image.height > 32 else (24,))
    for width in space.widths:
        for side in space.resolutions:
            graph, made = space.cut(width, side), small(family, width, side)
            assert graph.ops == made.ops and graph.name == made.name
            assert count(graph) == count(made)


def test_a_cut_has_all_other_options_of_the_largest():
    options = {"classes": 7, "in_channels": 1, "output_stride": 16, "thin_head": True, "conventions": "torchvision"}
    top = resolve("mobilenet_v2", width=0.75, resolution=96, **options)
    for graph in ElasticSpace.below(top, (0.25, 0.5), (64,)).graphs:
        made = resolve("mobilenet_v2", width=graph.options.width, resolution=graph.options.resolution, **options)
        assert (graph.ops, graph.options, count(graph)) == (made.ops, made.options, count(made))


def test_sorting_by_importance_changes_no_output(graphs):
    graph, _ = graphs
    arrays, images = random_arrays(graph), random_images(graph)
    ordered = sort_by_importance(graph, arrays)
    expected = exact_logits(graph, arrays, images)
    np.testing.assert_allclose(exact_logits(graph, ordered, images), expected, rtol=1e-9)
    weight = importance(graph, ordered)
    for space in spaces(graph):
        if space.name not in ("image", "classifier"):
            for part in space.parts.values():
                assert (np.diff(weight[space.name][part]) <= 1e-12).all()
