"""The promise: `features` are the last maps at each stride, with the sizes that the strides imply, in Graph and in torch.

A smaller output stride removes the last strides. `dilate` then spreads the kernels behind them, so that every remaining
position sees what it saw before: every n-th position of the dilated map holds the very values of the strided map.
"""

import numpy as np
import pytest
import torch

from graphs import nearest_stride, network, random_arrays, random_images, small
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import AveragePool, Conv, MaxPool, Mul
from pocketvision.model.resolve import native_stride

UNPADDED = (
    "xception",
    "squeezenet",
)  # some of their windows stay within the map, which shrinks a little more than by half


def expected_sizes(family, output_stride, resolution):
    """The sides of the last map at each stride: 2, 4, 8 ... up to the output stride; all families halve at every stride."""
    strides = [2**i for i in range(1, nearest_stride(family, output_stride).bit_length())]
    return [(-(-resolution // stride),) * 2 for stride in strides]


def check_sizes(family, graph, output_stride):
    """As the strides say; without padding, less by as many pixels as windows overlap at most."""
    sizes = [graph.shape_of(name)[1:] for name in graph.features]
    expected = expected_sizes(family, output_stride, graph.image.height)
    if not family.startswith(UNPADDED):
        assert sizes == expected
        return
    assert len(sizes) == len(expected)
    for (height, width), (most, _) in zip(sizes, expected, strict=True):
        assert height == width and max(1, most - 6) <= height <= most


@pytest.mark.parametrize("output_stride", [32, 8])
@pytest.mark.parametrize("dilate", [False, True], ids=["plain", "dilated"])
def test_sizes_follow_from_the_strides(family, output_stride, dilate):
    for resolution in (16, 28, 64):
        graph = small(family, resolution=resolution, output_stride=output_stride, dilate=dilate)
        check_sizes(family, graph, output_stride)


@pytest.mark.parametrize("resolution", [16, 33])  # maps smaller than filters; sides that every stride rounds up
@pytest.mark.parametrize(("output_stride", "dilate"), [(32, False), (8, True)])
def test_the_sizes_are_those_of_the_tensors(family, resolution, output_stride, dilate):
    graph = small(family, resolution=resolution, output_stride=output_stride, dilate=dilate)
    check_sizes(family, graph, output_stride)
    with torch.no_grad():
        tensors = network(graph).forward_features(random_images(graph, n=1), keep=graph.features)
    assert list(tensors) == [*graph.features, *graph.outputs.values()]
    for name, tensor in tensors.items():
        assert tuple(tensor.shape[1:]) == graph.shape_of(name)


def test_each_feature_is_what_the_last_block_of_its_size_gives(family):
    graph = small(family, resolution=64)
    if family.startswith(UNPADDED):
        return  # their maps change size without a stride, too
    blocks = {op.origin.block: op for op in graph.ops if op.origin.block}  # the last op of each
    last = {op.shape.height: op.name for op in blocks.values() if op.shape.height > 1}
    assert list(graph.features) == [last[size] for size, _ in expected_sizes(family, 32, 64)]


@pytest.mark.parametrize("output_stride", [16, 8, 4, 2, 1])
def test_the_last_strides_are_removed_first(family, output_stride):
    """Where all of them are those of convolutions behind each other; the sizes above hold for all."""
    if any(isinstance(op, MaxPool | AveragePool) for op in small(family).ops):
        return
    convs = [op for op in small(family, output_stride=output_stride).ops if isinstance(op, Conv)]
    native = [op for op in small(family).ops if isinstance(op, Conv)]
    total = 1
    for now, before in zip(convs, native, strict=True):
        total *= before.stride.height
        expected = before.stride if total <= output_stride else (1, 1)
        assert (now.name, now.stride) == (before.name, expected)


@pytest.mark.parametrize("output_stride", [16, 8, 4])
@pytest.mark.parametrize("resolution", [64, 33])
def test_dilated_maps_hold_the_strided_ones(family, output_stride, resolution):
    """Not so behind a gate, which sees the mean of another map, nor where pools shrink the map: they have no dilation."""
    strided = small(family, resolution=resolution)
    pools = [op for op in strided.ops if isinstance(op, MaxPool | AveragePool) and op.name != "max_pool1"]
    if pools or any(isinstance(op, Mul) for op in strided.ops):
        return
    dilated = small(family, resolution=resolution, output_stride=output_stride, dilate=True)
    arrays, images = random_arrays(strided), random_images(strided, n=1)
    assert [*strided.parameters()] == [*dilated.parameters()]
    factor = native_stride(FAMILIES[family]) // output_stride
    with torch.no_grad():
        few = network(strided, arrays).forward_features(images, strided.features)[strided.features[-1]]
        many = network(dilated, arrays).forward_features(images, dilated.features)[dilated.features[-1]]
    assert many.shape[-1] > few.shape[-1]
    np.testing.assert_allclose(many[..., ::factor, ::factor], few, rtol=1e-4, atol=1e-5 * few.abs().max())


def test_without_dilation_positions_see_less(family):
    plain = small(family, output_stride=8)
    assert {op.dilation for op in plain.ops if isinstance(op, Conv)} == {(1, 1)}
