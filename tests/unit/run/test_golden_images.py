"""Goldens: made-up inputs that any machine makes again, and what is kept of the logits."""

from dataclasses import replace

import numpy as np
import pytest

from pocketvision.run.goldens import Goldens, golden_difference, golden_images, make_goldens

LOGITS = np.random.default_rng(0).normal(0, 3, (4, 10)).astype(np.float32)


@pytest.mark.parametrize(("count", "resolution", "channels"), [(5, 7, 3), (4, 32, 1), (2, 9, 3)])
def test_golden_images_are_those_of_the_documented_formula(count, resolution, channels):
    images = golden_images(count, resolution, channels)
    assert images.shape == (count, resolution, resolution, channels) and images.dtype == np.uint8
    for k in range(count):
        cell = max(1, resolution // 2 ** (k + 1))
        for y in range(resolution):
            for x in range(resolution):
                for channel in range(channels):
                    h = (1 + k + 101 * (y // cell) + 10007 * (x // cell) + 1000003 * channel) * 2654435761 % 2**32
                    h ^= h >> 15
                    h = h * 2246822519 % 2**32
                    assert images[k, y, x, channel] == h >> 24


def test_golden_images_stay_the_same_for_ever():
    """Written files hold the logits of these."""
    assert golden_images(2, 4, 3)[:, ::2, ::3].ravel().tolist() == [
        *(93, 128, 178, 232, 33, 18, 30, 110, 117, 172, 17, 246),
        *(212, 45, 134, 244, 93, 181, 194, 177, 248, 13, 253, 49),
    ]


def test_goldens_keep_all_logits_of_few_classes():
    goldens = make_goldens(LOGITS)
    assert goldens.count == 4 and goldens.indices == tuple(range(10))
    np.testing.assert_allclose(goldens.logits, LOGITS, rtol=1e-6)
    assert [list(row) for row in goldens.top] == [sorted(range(10), key=lambda i: -row[i])[:5] for row in LOGITS]
    assert goldens.largest == np.abs(LOGITS).max()
    assert make_goldens(LOGITS[:, :2]).top[0] == tuple(np.argsort(-LOGITS[0, :2]))


MANY = np.random.default_rng(1).normal(0, 1, (3, 300)).astype(np.float32)


def test_goldens_keep_64_logits_of_many_classes():
    goldens = make_goldens(MANY)
    assert len(goldens.indices) == 64 == len(set(goldens.indices))
    assert goldens.indices[0] == 0 and goldens.indices[-1] == 299
    assert set(np.diff(goldens.indices)) <= {4, 5}
    np.testing.assert_allclose(goldens.logits, MANY[:, goldens.indices], rtol=1e-6)
    assert [row[0] for row in goldens.top] == MANY.argmax(1).tolist()


@pytest.mark.parametrize("logits", [LOGITS, MANY], ids=["10", "300"])
def test_the_same_logits_pass(logits):
    goldens = make_goldens(logits)
    assert golden_difference(goldens, logits) < 2e-7
    assert golden_difference(goldens, logits * np.float32(1 + 5e-5)) == pytest.approx(5e-5, rel=0.3)
    assert golden_difference(goldens, logits * np.float32(1.01)) == pytest.approx(0.01, rel=0.3)


def test_a_difference_is_relative_to_the_largest_logit():
    goldens = make_goldens(LOGITS)
    other = LOGITS.copy()
    other[2, 3] += 0.5 * np.abs(LOGITS).max()
    assert golden_difference(goldens, other) == pytest.approx(0.5)
    silent = make_goldens(np.zeros((1, 3), np.float32))
    assert golden_difference(silent, np.zeros((1, 3), np.float32)) == 0


def unkept(gap):
    """Logits of 300 classes whose two largest lie `gap` apart, and are not among those kept."""
    goldens = make_goldens(MANY)
    first, second = [i for i in range(300) if i not in goldens.indices][:2]
    logits = MANY.copy()
    logits[:, first], logits[:, second] = 10.0, 10.0 - gap
    return logits, first, second


@pytest.mark.parametrize(("gap", "passes"), [(0.5, False), (0.01, False), (0.0005, True), (0.0, True)])
def test_the_top_classes_may_only_change_places_where_they_tie(gap, passes):
    logits, first, second = unkept(gap)
    goldens = make_goldens(logits)
    swapped = logits.copy()
    swapped[1, [first, second]] = logits[1, [second, first]]
    found = golden_difference(goldens, swapped)
    assert found < 1e-6 if passes else found == float("inf")


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_does_not_pass(kept, value):
    goldens = make_goldens(MANY)
    other = MANY.copy()
    other[1, goldens.indices[3] if kept else goldens.indices[3] + 1] = value
    assert not golden_difference(goldens, other) <= goldens.tolerance


def test_goldens_may_state_another_tolerance():
    logits, first, second = unkept(0.05)
    goldens: Goldens = replace(make_goldens(logits), tolerance=0.01)
    swapped = logits.copy()
    swapped[1, [first, second]] = logits[1, [second, first]]
    assert golden_difference(goldens, swapped) < 1e-6
