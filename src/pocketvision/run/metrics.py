"""Metrics in numpy: the same ones for the network in training, the quantised one and the exported file.

Scores are computed in float64. Everywhere `logits` and `probabilities` are (N, classes) float, `labels` (N,) integer.
"""

from math import ceil, exp, log, sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocketvision.errors import BadOption

Floats: TypeAlias = NDArray[np.float64]

TEMPERATURES = (0.05, 20.0)


def top1(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the share of images, 0 to 1, whose highest score is at the label.

    Raises:
        BadOption: the arrays do not fit together or hold no images.

    >>> top1([[1, 2], [4, 3]], [1, 1])
    0.5
    """
    return topk(logits, labels, k=1)


def topk(logits: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
    """Return the share of images, 0 to 1, whose label is among the k highest scores.

    Of equal scores the lower class comes first, as with `numpy.argmax`: a network that gives the same score to all
    classes is not counted as always right.

    Raises:
        BadOption: k is below 1, or the arrays do not fit together or hold no images.

    >>> topk([[1, 3, 2], [3, 2, 1]], [2, 2], k=2)
    0.5
    """
    if k < 1:
        raise BadOption(f"k is {k}; it is the number of guesses, at least 1.", "k=5")
    scores, classes = _checked(logits, labels)
    own = scores[np.arange(len(classes)), classes][:, None]
    before = (scores == own) & (np.arange(scores.shape[1]) < classes[:, None])
    return float(np.mean(((scores > own) | before).sum(axis=1) < k))


def softmax(logits: ArrayLike) -> Floats:
    """Return probabilities over the last axis, float64; logits of any size do not overflow.

    >>> softmax([0.0, 1000.0]).tolist()
    [0.0, 1.0]
    """
    scores = np.asarray(logits, dtype=np.float64)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def losses(logits: ArrayLike, labels: ArrayLike) -> Floats:
    """Return -log softmax(logits)[label] of each image, in nats, (N,) float64.

    Raises:
        BadOption: the arrays do not fit together or hold no images.

    >>> losses([[0.0, 0.0]], [1]).round(4).tolist()  # log 2
    [0.6931]
    """
    scores, classes = _checked(logits, labels)
    scores = scores - scores.max(axis=1, keepdims=True)
    own = scores[np.arange(len(classes)), classes]
    return np.asarray(np.log(np.exp(scores).sum(axis=1)) - own)


def negative_log_likelihood(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean of `losses`, in nats."""
    return float(np.mean(losses(logits, labels)))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Return the temperature T that calibrates softmax(logits / T).

    T minimises the negative log likelihood within 0.05 to 20. In 1/T that is a convex function, so its slope changes
    sign at most once: the interval is halved on log T until it is narrower than 1e-6. If no T is better than 1 (all
    logits equal; all images right by margins beyond float64), T is 1.

    Args:
        logits: (N, classes), of images that were not trained on.
        labels: (N,), 0 to classes - 1.

    Raises:
        BadOption: the arrays do not fit together or hold no images.

    Source: On Calibration of Modern Neural Networks, Guo et al. 2017, arXiv:1706.04599, §4.2, eq. 9.

    >>> round(fit_temperature([[4.0, 0.0]] * 4, [0, 0, 0, 1]), 3)  # 3 of 4 right: 4 / T = log 3
    3.641
    """
    scores, classes = _checked(logits, labels)
    scores = scores - scores.max(axis=1, keepdims=True)
    own = float(np.mean(scores[np.arange(len(classes)), classes]))
    low, high = (log(bound) for bound in TEMPERATURES)
    while high - low > 1e-6:
        middle = (low + high) / 2
        expected = float(np.mean(np.sum(softmax(scores / exp(middle)) * scores, axis=1)))
        low, high = (middle, high) if expected > own else (low, middle)  # slope in 1/T: positive means overconfident
    temperature = exp((low + high) / 2)
    better = negative_log_likelihood(scores / temperature, classes) < negative_log_likelihood(scores, classes)
    return temperature if better else 1.0


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Return the expected calibration error, 0 to 1: |confidence - accuracy| over bins of equal width, weighted by images.

    Args:
        probabilities: (N, classes), 0 to 1.
        labels: (N,), 0 to classes - 1.
        bins: of the top probability; bin m holds (m - 1) / bins < p <= m / bins.

    Raises:
        BadOption: bins is below 1, or the arrays do not fit together or hold no images.

    Source: Guo et al. 2017, arXiv:1706.04599, §2, eq. 3; 15 bins as in their Table 1.

    >>> expected_calibration_error([[0.75, 0.25]] * 4, [0, 0, 1, 1])
    0.25
    """
    images, confidence, right = calibration_bins(probabilities, labels, bins)
    return float(np.abs(right - confidence).sum() / images.sum())


def calibration_bins(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> tuple[Floats, Floats, Floats]:
    """Return the data of a calibration curve, as sums over the images of each bin.

    Args:
        probabilities: (N, classes), 0 to 1.
        labels: (N,), 0 to classes - 1.
        bins: see `expected_calibration_error`.

    Returns:
        For each bin its images, the sum of their top probabilities, and how many are right.

    Raises:
        BadOption: see `expected_calibration_error`.

    >>> [sums.tolist() for sums in calibration_bins([[0.75, 0.25]] * 4, [0, 0, 1, 1], bins=2)]
    [[0.0, 4.0], [0.0, 3.0], [0.0, 2.0]]
    """
    if bins < 1:
        raise BadOption(f"bins is {bins}; at least 1 is needed.", "bins=15")
    scores, classes = _checked(probabilities, labels)
    confidence = scores.max(axis=1)
    bin_of = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    images, sums, right = (
        np.bincount(bin_of, weights=weights, minlength=bins).astype(np.float64)
        for weights in (np.ones(len(classes)), confidence, scores.argmax(axis=1) == classes)
    )
    return images, sums, right


def unknown_threshold(probabilities: ArrayLike, labels: ArrayLike, keep: float = 0.95) -> float:
    """Return a probability that at least `keep` of the correctly classified images exceed.

    It lies halfway between the lowest probability of these and the next lower one (or 0), so that rounding decides no image.
    An image below it is called unknown, so at most 1 - keep of the right answers are withheld.

    Args:
        probabilities: (N, classes), calibrated.
        labels: (N,), 0 to classes - 1.
        keep: share of the right answers to keep, above 0 up to 1.

    Returns:
        The threshold; 0.0, which withholds nothing, if no image is classified correctly.

    Raises:
        BadOption: keep is out of range, or the arrays do not fit together.

    >>> unknown_threshold([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [0, 0, 0], keep=0.5)
    0.75
    """
    if not 0 < keep <= 1:
        raise BadOption(f"keep is {keep}; it is a part of the right answers, above 0 up to 1.", "keep=0.95")
    if np.size(labels) == 0:
        return 0.0
    scores, classes = _checked(probabilities, labels)
    right = np.sort(scores.max(axis=1)[scores.argmax(axis=1) == classes])
    if len(right) == 0:
        return 0.0
    kept = max(1, ceil(keep * len(right) - 1e-9))  # 1e-9: 0.95 * 20 is 19, whatever float64 makes of it
    lowest = right[-kept]
    below = right[right < lowest]
    return float((lowest + (below[-1] if len(below) else 0.0)) / 2)


def standard_error(accuracy: float, n: int) -> float:
    """Return the standard error of an accuracy measured on n images: sqrt(a (1 - a) / n).

    Raises:
        BadOption: the accuracy is not from 0 to 1, or n is below 1.

    >>> standard_error(0.5, 100)
    0.05
    """
    if not 0 <= accuracy <= 1:
        raise BadOption(f"accuracy is {accuracy}; it is a part, from 0 to 1.", "accuracy / 100, if it is in percent")
    if n < 1:
        raise BadOption(f"n is {n}; an accuracy is measured on at least 1 image.", "n=len(labels)")
    return sqrt(accuracy * (1 - accuracy) / n)


def confusion_matrix(predicted: ArrayLike, labels: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Count the images by true and predicted class.

    Args:
        predicted: (N,) integer, 0 to classes - 1.
        labels: (N,) integer, 0 to classes - 1.
        classes: how many there are.

    Returns:
        (classes, classes) int64; row: the true class, column: the predicted one.

    Raises:
        BadOption: the arrays differ in length, or hold something that is not a class.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    columns, rows = _checked_classes(predicted, classes, "predicted"), _checked_classes(labels, classes, "labels")
    if len(columns) != len(rows):
        raise BadOption(
            f"{len(columns)} predictions for {len(rows)} labels; one for each is needed.",
            "predictions and labels of the same images",
        )
    return np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Return scores as (N, classes) float64 and labels as (N,) int64 of at least one image."""
    floats = np.asarray(scores, dtype=np.float64)
    if floats.ndim != 2 or floats.size == 0:
        raise BadOption(f"scores have shape {floats.shape}; (images, classes) is needed, with at least one of each.")
    if not np.isfinite(floats).all():
        raise BadOption("scores hold NaN or infinity; only finite ones can be ranked.", "pocketvision verify FILE")
    classes = _checked_classes(labels, floats.shape[1], "labels")
    if len(classes) != len(floats):
        raise BadOption(
            f"scores of {len(floats)} images for {len(classes)} labels; one for each is needed.",
            "scores and labels of the same images",
        )
    return floats, classes


def _checked_classes(values: ArrayLike, classes: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise BadOption(f"{name} have shape {array.shape} and dtype {array.dtype}; (images,) of integers is needed.")
    if array.size and not 0 <= array.min() <= array.max() < classes:
        raise BadOption(
            f"{name} reach from {array.min()} to {array.max()}; with {classes} classes they go from 0 to {classes - 1}."
        )
    return array.astype(np.int64)
