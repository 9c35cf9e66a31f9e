"""The promise: a network's weights leave and come back unchanged, and a Network is a torch module like any other.

Arrays are those of each structure; what torch does to a module does not depend on its layers, and is tested with a few.
"""

import copy

import numpy as np
import pytest
import torch
from torch.func import functional_call

from graphs import FEW, network, random_arrays, random_images, shuffle_v1, steady
from pocketvision.model.init import initial_arrays
from pocketvision.model.network import Network, build


@pytest.fixture(params=FEW)
def graph(request):
    return steady(request.param)


@pytest.fixture
def net(graph):
    return network(graph)


@pytest.fixture
def logits(net, graph):
    return net(random_images(graph)).detach()


def test_arrays_are_named_and_shaped_by_the_graph_and_come_back_as_they_left(family):
    graph = steady(family)
    net, expected = network(graph), random_arrays(graph)
    arrays = net.arrays()
    assert [(name, array.shape) for name, array in arrays.items()] == [(p.name, p.shape) for p in graph.parameters()]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, expected[name])
    other = Network(graph, seed=1).eval()
    other.load_arrays(arrays)
    np.testing.assert_array_equal(other(random_images(graph)).detach(), net(random_images(graph)).detach())


def test_arrays_are_copies(graph, net, logits):
    for array in net.arrays().values():
        array += 1
    np.testing.assert_array_equal(net(random_images(graph)).detach(), logits)


def test_arrays_of_any_layout_can_be_loaded(graph, net, logits):
    arrays = {name: np.ascontiguousarray(array[::-1])[::-1] for name, array in net.arrays().items()}
    for array in arrays.values():
        array.flags.writeable = False
    other = Network(graph).eval()
    other.load_arrays(arrays)
    np.testing.assert_array_equal(other(random_images(graph)).detach(), logits)


def test_a_seed_decides_all_weights(graph):
    first, other, expected = Network(graph, 0).arrays(), Network(graph, 1).arrays(), initial_arrays(graph, 0)
    for p in graph.parameters():
        np.testing.assert_array_equal(first[p.name], expected[p.name])
        assert (first[p.name] != other[p.name]).any() == (p.role == "weight")


def test_channels_last_gives_the_same_logits(graph, net, logits):
    laid_out = build(graph).eval()
    laid_out.load_arrays(net.arrays())
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in laid_out.parameters() if p.ndim == 4)
    images = random_images(graph).contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(laid_out(images).detach(), logits, rtol=0, atol=1e-4 * logits.abs().max())
    for name, array in laid_out.arrays().items():
        np.testing.assert_array_equal(array, net.arrays()[name])


def test_functional_call_uses_the_weights_that_it_is_given(graph, net, logits):
    weights = {name: torch.from_numpy(array) for name, array in net.arrays().items()}
    other = Network(graph, seed=1).eval()
    np.testing.assert_array_equal(functional_call(other, weights, random_images(graph)), logits)


def test_torch_fx_traces_it(graph, net, logits):
    traced = torch.fx.symbolic_trace(net)
    np.testing.assert_array_equal(traced(random_images(graph)).detach(), logits)


def test_torch_export_takes_it():
    graph = shuffle_v1(12, groups=3)
    net, images = network(graph), random_images(graph)
    exported = torch.export.export(net, (images,)).module()
    np.testing.assert_array_equal(exported(images).detach(), net(images).detach())


def test_a_deep_copy_is_independent(graph, net, logits):
    twin = copy.deepcopy(net)
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    np.testing.assert_array_equal(twin(random_images(graph)).detach(), logits)


def test_bfloat16_autocast_runs_and_is_near(graph, net, logits):
    with torch.autocast("cpu", torch.bfloat16):
        mixed = net(random_images(graph))
    assert mixed.dtype == torch.bfloat16
    together = np.corrcoef(mixed.detach().float().flatten(), logits.flatten())[0, 1]
    assert together > 0.8, "8 bits through up to 80 layers of random weights: near, not equal"
