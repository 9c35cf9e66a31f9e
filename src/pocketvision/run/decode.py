"""From a network's outputs to results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact, BadOption, CheckFailed
from pocketvision.run.results import Label, Labels

_ROUNDING = 1e-5  # by which a float32 softmax may be outside of 0 to 1


def decode_labels(
    probabilities: NDArray[np.floating[Any]], names: Sequence[str], threshold: float | None = None, top: int = 5
) -> Labels:
    """Name the most probable classes of one image.

    Args:
        probabilities: (classes,) float32, 0 to 1.
        names: one for each class, in the network's order.
        threshold: below this top probability the image counts as unknown; None: never.
        top: how many labels to return; all if there are fewer.

    Returns:
        Labels by falling probability; of equal ones the lower index comes first.

    Raises:
        BadArtifact: the number of names is not that of the probabilities.
        CheckFailed: the network gave something that is not a probability.
        BadOption: threshold or top are out of range.

    >>> decode_labels(np.array([0.125, 0.25, 0.625], np.float32), ["ant", "bee", "cat"], threshold=0.7, top=2)
    unknown, nearest [Label(name='cat', probability=0.625), Label(name='bee', probability=0.25)]
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(names),):
        raise BadArtifact(
            f"probabilities of shape {values.shape} for {len(names)} labels; one for each label is needed.",
            "pocketvision verify FILE",
        )
    if not np.all((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)):  # NaN fails too
        raise CheckFailed(
            f"the network gave probabilities from {values.min()} to {values.max()}; they must be from 0 to 1.",
            "pocketvision verify FILE",
        )
    if top < 1:
        raise BadOption(f"top is {top}; at least 1 label must be asked for.", "top=1")
    if threshold is not None and not 0 <= threshold <= 1:
        raise BadOption(f"threshold is {threshold}; it is a probability, 0 to 1.", "threshold=0.5, or None")
    best = np.argsort(-values, kind="stable")[:top]
    unknown = threshold is not None and bool(values[best[0]] < threshold)
    return Labels((Label(names[i], float(np.clip(values[i], 0, 1)), int(i)) for i in best), unknown)
