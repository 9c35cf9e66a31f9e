"""Zero channels that make depthwise convolutions of a multiple of 16."""

import pytest
import torch

from graphs import network, random_arrays, random_images, small
from pocketvision.model.graph import Conv
from pocketvision.model.pad_channels import pad_channels
from pocketvision.model.rewrite import fold_batch_norm


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0"])
def test_the_network_computes_the_same(name):
    plain, arrays = fold_batch_norm(small(name), random_arrays(small(name)))
    wide, filled = pad_channels(plain, arrays)
    images = random_images(plain, 4)
    with torch.inference_mode():
        torch.testing.assert_close(network(wide, filled)(images), network(plain, arrays)(images), rtol=1e-4, atol=1e-4)
    assert any(isinstance(op, Conv) and op.is_depthwise for op in wide.ops)
    for old, new in zip(plain.ops, wide.ops, strict=True):
        if isinstance(new, Conv) and new.is_depthwise and old.name not in wide.outputs.values():
            assert new.out_channels % 16 == 0 and new.out_channels - old.out_channels < 16
    for output, op_name in plain.outputs.items():
        assert wide.shape_of(wide.outputs[output]) == plain.shape_of(op_name)


def test_what_fits_stays_as_it_is():
    plain, arrays = fold_batch_norm(small("mobilenet_v2"), random_arrays(small("mobilenet_v2")))
    wide, filled = pad_channels(plain, arrays)
    assert pad_channels(wide, filled)[0] == wide
