"""The promise: folding batch norms into the convolutions before them changes no output."""

import numpy as np
import pytest

from graphs import CUTS, FEW, builder, exact_logits, finish, random_arrays, random_images, small, steady
from pocketvision.model.graph import Conv
from pocketvision.model.rewrite import fold_batch_norm

FLOAT32_ROUNDING = 3e-5  # of the largest |logit|: folded filters are float32, and errors grow through up to 80 layers


def check(graph):
    arrays, images = random_arrays(graph), random_images(graph)
    folded, its_arrays = fold_batch_norm(graph, arrays)
    expected = exact_logits(graph, arrays, images)
    actual = exact_logits(folded, its_arrays, images)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=FLOAT32_ROUNDING * np.abs(expected).max())
    assert set(its_arrays) == {p.name for p in folded.parameters()}
    assert not [op.name for op in folded.ops if isinstance(op, Conv) and op.batch_norm_eps is not None]


def test_families_fold(family):
    check(steady(family))


@pytest.mark.parametrize("name", ["residual", "ShuffleNetV1, 3 groups", "squeeze-excite", "Fire"])
def test_hand_made_graphs_fold(name):
    check(CUTS[name]()[0])


def test_a_convolution_with_bias_and_batch_norm_folds():
    b = builder()
    check(finish(b, b.conv("image", "stem", 8, bias=True, activation="relu"), "biased"))


@pytest.mark.parametrize("family", FEW)
def test_folding_twice_is_folding_once(family):
    graph = small(family)
    once, arrays = fold_batch_norm(graph, random_arrays(graph))
    twice, same = fold_batch_norm(once, arrays)
    assert twice == once
    assert all((same[name] == arrays[name]).all() for name in arrays)
