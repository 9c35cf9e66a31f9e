"""The one place that scores: against scikit-learn and brute force, in batches of any size."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

from pocketvision.errors import BadOption
from pocketvision.events import Progress, drain
from pocketvision.run.assess import AS_IS, Calibration, assess, in_batches
from pocketvision.run.metrics import fit_temperature, unknown_threshold

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (500, 4)).astype(np.float32)
LABELS = np.where(RNG.random(500) < 0.6, LOGITS.argmax(1), RNG.integers(0, 4, 500))


def brute_force_ece(probabilities, labels, bins=15):
    total = 0.0
    for low in range(bins):
        inside = [
            (p.max(), p.argmax() == label)
            for p, label in zip(probabilities, labels, strict=True)
            if low / bins < p.max() <= (low + 1) / bins
        ]
        if inside:
            sure, right = np.mean([s for s, _ in inside]), np.mean([r for _, r in inside])
            total += len(inside) / len(labels) * abs(sure - right)
    return total


def softmax(logits):
    return np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(1, keepdims=True)


def test_the_figures():
    calibration = Calibration(temperature=3.0, unknown_threshold=0.4)
    whole = drain(assess([LOGITS], LABELS, "test", calibration))
    found, accuracy = whole.evaluation, accuracy_score(LABELS, LOGITS.argmax(1))
    assert (found.part, found.images, whole.calibration) == ("test", 500, calibration)
    assert found.top1 == whole.top1 == pytest.approx(accuracy)
    assert found.standard_error == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / 500), rel=0.01)
    assert found.ece == pytest.approx(brute_force_ece(softmax(LOGITS / 3), LABELS))
    assert found.ece_uncalibrated == pytest.approx(brute_force_ece(softmax(LOGITS), LABELS))
    assert found.unknown == pytest.approx(np.mean([max(row) < 0.4 for row in softmax(LOGITS / 3)]))
    assert 0 < found.unknown < 1 and found.ece != found.ece_uncalibrated


def test_image_by_image():
    found = drain(assess([LOGITS], LABELS, calibration=Calibration(3.0)))
    assert (found.each == (LOGITS.argmax(1) == LABELS)).all() and (found.answers == LOGITS.argmax(1)).all()
    np.testing.assert_allclose(found.confidence, softmax(LOGITS / 3).max(1))
    np.testing.assert_allclose(found.losses, -np.log(softmax(LOGITS)[np.arange(500), LABELS]))
    assert found.loss == pytest.approx(log_loss(LABELS, softmax(LOGITS)))
    assert (found.confusion == confusion_matrix(LABELS, LOGITS.argmax(1))).all() and found.classes == 4


def test_without_a_calibration_it_is_fitted_on_the_images():
    found = drain(assess([LOGITS], LABELS))
    temperature = fit_temperature(LOGITS, LABELS)
    assert found.calibration.temperature == temperature
    expected = unknown_threshold(softmax(LOGITS / temperature), LABELS)
    assert found.calibration.unknown_threshold == pytest.approx(expected, rel=1e-12)


def test_batches_of_any_size_give_the_same_and_say_how_far_they_are():
    job, events = assess(in_batches(lambda rows: LOGITS[rows], np.arange(500), 200), LABELS, work="judging"), []
    try:
        while True:
            events.append(next(job))
    except StopIteration as stop:
        found = stop.value
    assert events == [Progress("judging", done, 500) for done in (200, 400, 500)]
    assert found.evaluation == drain(assess([LOGITS], LABELS)).evaluation


@pytest.mark.parametrize("outputs", [[], [LOGITS[:3]], [np.full((500, 4), np.nan, np.float32)]])
def test_outputs_that_cannot_be_scored(outputs):
    with pytest.raises(BadOption):
        drain(assess(outputs, LABELS, calibration=AS_IS))


def test_figures_as_json():
    record = drain(assess([LOGITS], LABELS, "all", AS_IS)).evaluation.to_json()
    assert set(record) == {"part", "images", "top1", "standard_error", "ece", "ece_uncalibrated", "unknown"}
    assert record["part"] == "all" and record["images"] == 500 and record["unknown"] == 0.0
    assert all(value == round(value, 6) for value in record.values() if isinstance(value, float))
