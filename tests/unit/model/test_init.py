"""Initial weights: their statistics, and that each array has a stream of its own."""

import numpy as np
import pytest

from pocketvision.model.init import initial_arrays
from pocketvision.model.resolve import resolve

GRAPH = resolve("mobilenet_v1", 0.5, 32, classes=1000)
ARRAYS = initial_arrays(GRAPH, seed=3)


@pytest.mark.parametrize(
    ("name", "std"),
    [
        ("block13.pointwise.conv.weight", (2 / 512) ** 0.5),
        ("block12.depthwise.conv.weight", (2 / 9) ** 0.5),
        ("stem.conv.weight", (2 / 27) ** 0.5),
        ("classifier.weight", 0.01),
    ],
)
def test_weights_have_the_spread_that_he_or_the_classifier_asks_for(name, std):
    weight = ARRAYS[name]
    error = 4 / (2 * weight.size) ** 0.5  # four standard errors of a standard deviation
    assert weight.std() == pytest.approx(std, rel=error)
    assert abs(weight.mean()) < 4 * std / weight.size**0.5
    assert weight.dtype == np.float32


@pytest.mark.parametrize(
    ("suffix", "value"), [("bn.weight", 1), ("bn.running_var", 1), ("bn.bias", 0), ("bn.running_mean", 0)]
)
def test_batch_norms_begin_as_identity(suffix, value):
    chosen = [array for name, array in ARRAYS.items() if name.endswith(suffix)]
    assert len(chosen) == 27
    assert all((array == value).all() for array in chosen)


def test_the_classifiers_bias_begins_at_zero():
    assert not ARRAYS["classifier.bias"].any()


def test_another_op_changes_no_other_array():
    deeper, shallower = ARRAYS, initial_arrays(resolve("mobilenet_v1_shallow", 0.5, 32), seed=3)
    for name in ("stem.conv.weight", "block6.pointwise.conv.weight", "classifier.weight"):
        np.testing.assert_array_equal(deeper[name], shallower[name])


def test_known_numbers():
    """The first weights of seed 0; should numpy ever draw others, no old run can be repeated."""
    stem = initial_arrays(GRAPH, seed=0)["stem.conv.weight"]
    np.testing.assert_allclose(stem.flat[:3], [0.1134577, -0.2679036, 0.13549559], rtol=1e-6)
