"""The loss, and the class weights for data with rare classes."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

UNBALANCED = 1.5  # largest over smallest class, from which on "auto" weighs
LARGEST_WEIGHT = 10.0


def class_weights(labels: NDArray[np.int64], classes: int, mode: str = "auto") -> NDArray[np.float32] | None:
    """Return one weight a class, or None for equal weights.

    The weight is (images / (classes * images of the class)), at most ten, scaled so that the mean over all images is 1.

    Args:
        labels: (N,) of the training images.
        classes: how many there are.
        mode: "balanced", "none", or "auto": balanced where the largest class has 1.5 times the images of the smallest.
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    if mode == "none" or (mode == "auto" and counts.max() < UNBALANCED * counts[present].min()):
        return None
    weights = np.minimum(len(labels) / (classes * np.maximum(counts, 1)), LARGEST_WEIGHT)
    scaled: NDArray[np.float32] = (weights / weights[labels].mean()).astype(np.float32)
    return scaled


def classification_loss(logits: Tensor, labels: Tensor, smoothing: float, weights: Tensor | None) -> Tensor:
    """Return the mean cross-entropy in nats, each image weighed by its class.

    Args:
        logits: (N, classes).
        labels: (N,) int64.
        smoothing: share of the target spread over all classes (Szegedy et al. 2015, arXiv:1512.00567, section 7).
        weights: (classes,), or None.
    """
    each = F.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    return each.mean() if weights is None else (each * weights[labels]).mean()


def as_tensor(weights: NDArray[np.float32] | None, device: torch.device) -> Tensor | None:
    """Return class weights as a tensor on the device."""
    return None if weights is None else torch.from_numpy(weights).to(device)
