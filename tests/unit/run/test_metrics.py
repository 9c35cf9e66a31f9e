import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics

from pocketvision.errors import BadOption
from pocketvision.run.metrics import (
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    softmax,
    standard_error,
    top1,
    topk,
    unknown_threshold,
)
from refusals import refused


def scored(n=500, classes=7, scale=2.0, seed=0):
    """Logits that are right more often than not, and their labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1.5
    return (scale * logits).astype(np.float32), labels


def test_top1_and_topk_against_sklearn():
    logits, labels = scored()
    assert top1(logits, labels) == np.mean(logits.argmax(axis=1) == labels)
    for k in (1, 2, 5):
        expected = sklearn.metrics.top_k_accuracy_score(labels, logits, k=k, labels=range(7))
        assert topk(logits, labels, k) == pytest.approx(expected)
    assert topk(logits, labels, 7) == topk(logits, labels, 99) == 1.0


def test_equal_scores_are_won_by_the_lower_class():
    flat, labels = np.zeros((4, 4)), np.arange(4)
    assert [topk(flat, labels, k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


def test_softmax_and_likelihood_against_scipy_and_sklearn():
    logits, labels = scored()
    np.testing.assert_allclose(softmax(logits), scipy.special.softmax(logits.astype(np.float64), axis=1), rtol=1e-12)
    expected = sklearn.metrics.log_loss(labels, softmax(logits))
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected, rel=1e-6)
    assert negative_log_likelihood([[0.0, 1e4]], [0]) == 1e4  # log(softmax) would be infinite
    assert softmax(np.zeros((2, 3, 4), np.float16)).shape == (2, 3, 4)


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
def test_temperature_against_scipy(scale):
    logits, labels = scored(scale=scale)
    found = scipy.optimize.minimize_scalar(
        lambda t: negative_log_likelihood(logits / np.exp(t), labels), bounds=np.log([0.05, 20]), method="bounded"
    )
    assert fit_temperature(logits, labels) == pytest.approx(np.exp(found.x), rel=1e-3)


def test_temperature_undoes_a_scale_and_ignores_an_offset():
    logits, labels = scored()
    temperature = fit_temperature(logits, labels)
    assert fit_temperature(logits * 4, labels) == pytest.approx(4 * temperature, rel=1e-5)
    assert fit_temperature(logits + 1000, labels) == pytest.approx(temperature, rel=1e-3)


def test_temperature_improves_calibration():
    logits, labels = scored(n=5000, scale=6.0)
    before = expected_calibration_error(softmax(logits), labels)
    after = expected_calibration_error(softmax(logits / fit_temperature(logits, labels)), labels)
    assert after < 0.03 < 0.15 < before


def test_temperature_stays_within_its_bounds():
    right = np.eye(3) * 2
    assert fit_temperature(right, [0, 1, 2]) == pytest.approx(0.05, rel=1e-5)  # never wrong: as sure as allowed
    assert fit_temperature(right, [1, 2, 0]) == pytest.approx(20, rel=1e-5)  # always wrong: as unsure as allowed


def test_temperature_is_1_where_none_is_better():
    assert fit_temperature(np.zeros((5, 3)), [0, 1, 2, 0, 1]) == 1.0
    assert fit_temperature(np.eye(3) * 1e6, [0, 1, 2]) == 1.0


def ece_by_hand(probabilities, labels, bins):
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_by_hand(bins):
    logits, labels = scored()
    probabilities = softmax(logits)
    expected = ece_by_hand(probabilities, labels, bins)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_the_certain():
    assert expected_calibration_error(np.eye(3), [0, 1, 2]) == 0.0
    assert expected_calibration_error(np.eye(3), [1, 2, 0]) == 1.0


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.95, 1.0])
def test_threshold_keeps_the_right_answers_and_no_more_than_it_must(keep):
    for n in (1, 2, 19, 20, 21, 41, 100, 500):
        logits, labels = scored(n)
        probabilities = softmax(logits)
        right = probabilities.max(axis=1)[probabilities.argmax(axis=1) == labels]
        threshold = unknown_threshold(probabilities, labels, keep)
        assert np.mean(right >= threshold) >= keep, n
        above = right[right >= threshold].min()
        assert np.mean(right > above) < keep, f"the next higher one would keep too few of {n}"
        assert threshold == pytest.approx((above + right[right < threshold].max(initial=0)) / 2), f"halfway; {n}"


def test_threshold_of_float32_keeps_the_image_it_was_read_from():
    probabilities = np.array([[0.7, 0.3]], np.float32)
    assert unknown_threshold(probabilities, [0]) == pytest.approx(0.35)


def test_threshold_of_nothing_right_is_zero():
    assert unknown_threshold([[0.9, 0.1]], [1]) == 0.0
    assert unknown_threshold(np.zeros((0, 3)), np.zeros(0, int)) == unknown_threshold([], []) == 0.0


def test_standard_error_is_the_spread_of_repeated_measurements():
    draws = np.random.default_rng(0).binomial(200, 0.8, 20_000) / 200
    assert standard_error(0.8, 200) == pytest.approx(draws.std(), rel=0.02)
    assert standard_error(1.0, 5) == standard_error(0.0, 5) == 0.0


def test_confusion_matrix_against_sklearn():
    logits, labels = scored()
    predicted = logits.argmax(axis=1)
    expected = sklearn.metrics.confusion_matrix(labels, predicted)
    got = confusion_matrix(predicted.astype(np.uint8), labels, 7)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, expected)
    assert confusion_matrix([], [], 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("function", [top1, topk, negative_log_likelihood, fit_temperature, expected_calibration_error])
def test_arrays_that_do_not_fit(function):
    for scores, labels, *named in (
        ([0.5, 0.5], [0], "shape (2,)"),
        (np.zeros((0, 3)), [], "shape (0, 3)"),
        ([[0.5, np.nan]], [0], "NaN"),
        ([[0.5, 0.5]], [0, 1], "1 images", "2 labels"),
        ([[0.5, 0.5]], [2], "labels reach from 2 to 2", "from 0 to 1"),
        ([[0.5, 0.5]], [-1], "labels reach from -1 to -1", "from 0 to 1"),
        ([[0.5, 0.5]], [0.0], "shape (1,)", "float64"),
    ):
        with refused(BadOption, *named, attempt=""):
            function(scores, labels)


def test_options_out_of_range():
    one = ([[0.5, 0.5]], [0])
    with refused(BadOption, "k is 0"):
        topk(*one, k=0)
    with refused(BadOption, "bins is 0"):
        expected_calibration_error(*one, bins=0)
    for keep in (0, 1.5, float("nan")):
        with refused(BadOption, f"keep is {keep}"):
            unknown_threshold(*one, keep=keep)
    with refused(BadOption, "accuracy is 93.1", attempt="accuracy / 100"):
        standard_error(93.1, 10)
    with refused(BadOption, "n is 0"):
        standard_error(0.5, 0)
    with refused(BadOption, "2 predictions", "1 labels"):
        confusion_matrix([0, 1], [0], 2)
    with refused(BadOption, "predicted reach from 0 to 2", "from 0 to 1", attempt=""):
        confusion_matrix([0, 2], [0, 1], 2)
