"""After fine-tuning: how far to follow it. Weights between where it started and where it ended are often better than both.

Source: Wortsman et al. 2021, arXiv:2109.01903 (WiSE-FT), section 3. The share is chosen on validation images.
"""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from pocketvision.events import Event, Note, Progress
from pocketvision.jobs.plan.timetable import LOOKS_BACK
from pocketvision.jobs.training.trials import Entry
from pocketvision.model.network import Network
from pocketvision.model.rewrite import Arrays
from pocketvision.run.metrics import negative_log_likelihood, top1
from pocketvision.train.evaluate import compute_logits

SHARES = tuple(
    i / (LOOKS_BACK - 1) for i in range(LOOKS_BACK)
)  # of the way; 0: the fitted classifier on the weights as they were
ENDS = (0.0, 1.0)  # where batch-norm statistics moved: those of a mean of weights would be others


def settle(entry: Entry, trained: Network) -> Generator[Event, None, tuple[Network, float]]:
    """Return the network that validation likes best on the way from the start to what training gave, and its share of the way.

    Without weights to start from it is the trained one; where they came with a drawn classifier, the start is none to keep.
    """
    if entry.start is None:
        return trained, 1.0
    labels, end = entry.validation.labels, trained.arrays()
    network = entry.network()
    losses, right = [], []
    shares = SHARES if entry.plan.recipe.batch_norm_momentum is None else ENDS
    for number, share in enumerate(shares, start=1):
        network.load_arrays(between(entry.start, end, share))
        logits = compute_logits(network, entry.validation)
        losses.append(negative_log_likelihood(logits, labels))
        right.append(top1(logits, labels))
        yield Progress("looking back", number, len(shares))
    has_drawn = entry.plan.classifier_decay is None and entry.held_back is None
    best = int(np.argmin(losses[has_drawn:])) + has_drawn
    network.load_arrays(between(entry.start, end, shares[best]))
    found = f"validation top-1 {right[0]:.4f} before, {right[-1]:.4f} after"
    if shares[best] == 0:
        yield Note(f"Fine-tuning did not help: {found}; the weights before it are kept.")
    elif shares[best] == 1:
        yield Note(f"Fine-tuning: {found}.")
    else:
        yield Note(f"Fine-tuning: {found}, {right[best]:.4f} at {shares[best]:.0%} of the way, which is kept.")
    return network, shares[best]


def between(start: Arrays, end: Arrays, share: float) -> dict[str, NDArray[np.float32]]:
    """Return the weights at a share of the straight way from start to end."""
    return {name: np.asarray((1 - share) * start[name] + share * end[name], np.float32) for name in end}
