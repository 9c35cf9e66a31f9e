"""The promise: `features` are the last maps at each stride, with the sizes that the strides imply, in Graph and in torch.

A smaller output stride removes the last strides. `dilate` then spreads the kernels behind them, so that every remaining
position sees what it saw before: every n-th position of the dilated map holds the very values of the strided map.
"""

from itertools import product

import numpy as np
import pytest
import torch

from graphs import STRUCTURES, nearest_stride, network, random_arrays, random_images, small
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import AveragePool, Conv, MaxPool, Mul
from pocketvision.model.resolve import native_stride

UNPADDED = (
    "xception",
    "squeezenet",
)  # some of their windows stay within the map: it shrinks a little more than by half


def pools(family):
    """The windows of a family's network that take a maximum or a mean."""
    return [op for op in small(family).ops if isinstance(op, MaxPool | AveragePool)]


def has_gate(family):
    return any(isinstance(op, Mul) for op in small(family).ops)


PADDED = [name for name in STRUCTURES if not name.startswith(UNPADDED)]
ONLY_CONVOLUTIONS = [name for name in STRUCTURES if not pools(name)]
# Pools have no dilation, and a gate sees the mean of another map
DILATABLE = [name for name in STRUCTURES if {op.name for op in pools(name)} <= {"max_pool1"} and not has_gate(name)]


def expected_sizes(family, output_stride, resolution):
    """The sides of the last map at each stride: 2, 4, 8 ... up to the output stride; all families halve at every stride."""
    strides = [2**i for i in range(1, nearest_stride(family, output_stride).bit_length())]
    return [(-(-resolution // stride),) * 2 for stride in strides]


def check_sizes(family, graph, output_stride):
    """As the strides say; without padding, less by as many pixels as windows overlap at most."""
    sizes = [graph.shape_of(name)[1:] for name in graph.features]
    expected = expected_sizes(family, output_stride, graph.image.height)
    if family in PADDED:
        assert sizes == expected
        return
    assert len(sizes) == len(expected)
    for (height, width), (most, _) in zip(sizes, expected, strict=True):
        assert height == width and max(1, most - 6) <= height <= most


def test_sizes_follow_from_the_strides(family):
    for resolution, output_stride, dilate in product((16, 28, 64), (32, 8), (False, True)):
        graph = small(family, resolution=resolution, output_stride=output_stride, dilate=dilate)
        check_sizes(family, graph, output_stride)
        if not dilate:
            assert {op.dilation for op in graph.ops if isinstance(op, Conv)} == {(1, 1)}


# maps smaller than filters; sides that every stride rounds up
@pytest.mark.parametrize(("resolution", "output_stride", "dilate"), [(16, 32, False), (33, 8, True)])
def test_the_sizes_are_those_of_the_tensors(family, resolution, output_stride, dilate):
    graph = small(family, resolution=resolution, output_stride=output_stride, dilate=dilate)
    check_sizes(family, graph, output_stride)
    with torch.no_grad():
        tensors = network(graph).forward_features(random_images(graph, n=1), keep=graph.features)
    assert list(tensors) == [*graph.features, *graph.outputs.values()]
    for name, tensor in tensors.items():
        assert tuple(tensor.shape[1:]) == graph.shape_of(name)


@pytest.mark.parametrize("family", PADDED)  # the others' maps change size without a stride, too
def test_each_feature_is_what_the_last_block_of_its_size_gives(family):
    graph = small(family, resolution=64)
    blocks = {op.origin.block: op for op in graph.ops if op.origin.block}  # the last op of each
    last = {op.shape.height: op.name for op in blocks.values() if op.shape.height > 1}
    assert list(graph.features) == [last[size] for size, _ in expected_sizes(family, 32, 64)]


@pytest.mark.parametrize("family", ONLY_CONVOLUTIONS)  # where all strides are those of convolutions behind each other
def test_the_last_strides_are_removed_first(family):
    native = [op for op in small(family).ops if isinstance(op, Conv)]
    for output_stride in (16, 8, 4, 2, 1):
        convs = [op for op in small(family, output_stride=output_stride).ops if isinstance(op, Conv)]
        total = 1
        for now, before in zip(convs, native, strict=True):
            total *= before.stride.height
            expected = before.stride if total <= output_stride else (1, 1)
            assert (now.name, now.stride) == (before.name, expected), output_stride


@pytest.mark.parametrize("family", DILATABLE)
@pytest.mark.parametrize(("output_stride", "resolution"), [(16, 64), (4, 33)])
def test_dilated_maps_hold_the_strided_ones(family, output_stride, resolution):
    strided = small(family, resolution=resolution)
    dilated = small(family, resolution=resolution, output_stride=output_stride, dilate=True)
    arrays, images = random_arrays(strided), random_images(strided, n=1)
    assert [*strided.parameters()] == [*dilated.parameters()]
    factor = native_stride(FAMILIES[family]) // output_stride
    with torch.no_grad():
        few = network(strided, arrays).forward_features(images, strided.features)[strided.features[-1]]
        many = network(dilated, arrays).forward_features(images, dilated.features)[dilated.features[-1]]
    assert many.shape[-1] > few.shape[-1]
    np.testing.assert_allclose(many[..., ::factor, ::factor], few, rtol=1e-4, atol=1e-5 * few.abs().max())


def test_the_promises_apply_to_most_structures():
    """A list that is empty proves nothing."""
    assert set(PADDED) >= set(ONLY_CONVOLUTIONS) >= {"mobilenet_v1", "mobilenet_v3_large", "mobilenet_v4_conv_medium"}
    assert {"mobilenet_v1", "mobilenet_v2", "shufflenet_v2", "mobilenet_v4_conv_medium"} <= set(DILATABLE)
