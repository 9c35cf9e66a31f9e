import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from pocketvision.train.loss import as_tensor, class_weights, classification_loss


def labels_of(*counts):
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize("counts", [(5, 10, 20), (1, 1, 8), (30, 100, 7, 90)])
@pytest.mark.parametrize("mode", ["auto", "balanced"])
def test_class_weights_are_those_of_sklearn_up_to_scale(counts, mode):
    labels = labels_of(*counts)
    weights = class_weights(labels, len(counts), mode)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    np.testing.assert_allclose(weights / weights[0], expected / expected[0], rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)
    assert weights.dtype == np.float32


def test_a_rare_class_is_weighed_by_ten_at_most():
    labels = labels_of(1, 999)
    rare, common = class_weights(labels, 2)  # sklearn: 500 and 0.5005
    assert rare / common == pytest.approx(10 / (1000 / (2 * 999)))
    assert (rare + 999 * common) / 1000 == pytest.approx(1)


def test_auto_weighs_from_one_and_a_half_times_on():
    assert class_weights(labels_of(10, 14), 2) is None
    assert class_weights(labels_of(10, 15), 2) is not None
    assert class_weights(labels_of(10, 14), 2, "balanced") is not None
    assert class_weights(labels_of(1, 100), 2, "none") is None


def test_a_class_without_images_does_not_count_as_the_smallest():
    assert class_weights(labels_of(10, 0, 10), 3) is None
    weights = class_weights(labels_of(10, 0, 30), 3)
    assert np.isfinite(weights).all()
    assert weights[0] / weights[2] == pytest.approx(3)


LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 1.0]])
LABELS = torch.tensor([0, 2])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [2.0, 9.0, 0.5]])
def test_the_loss_by_hand(smoothing, weights):
    logs = LOGITS.numpy() - np.log(np.exp(LOGITS.numpy()).sum(1, keepdims=True))
    each = [-(1 - smoothing) * row[label] - smoothing * row.mean() for row, label in zip(logs, LABELS, strict=True)]
    shares = [1, 1] if weights is None else [weights[0], weights[2]]
    expected = np.mean(np.multiply(each, shares))
    tensor = None if weights is None else torch.tensor(weights)
    assert classification_loss(LOGITS, LABELS, smoothing, tensor).item() == pytest.approx(expected, rel=1e-6)


def test_the_loss_is_torchs_and_in_float32():
    loss = classification_loss(LOGITS.bfloat16(), LABELS, 0.1, None)
    assert loss.dtype == torch.float32
    expected = torch.nn.functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)  # these logits are exact
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_class_weights_as_a_tensor():
    assert as_tensor(None, torch.device("cpu")) is None
    assert as_tensor(np.array([1, 2], np.float32), torch.device("cpu")).tolist() == [1.0, 2.0]
