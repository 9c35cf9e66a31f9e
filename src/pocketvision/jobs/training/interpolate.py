"""After fine-tuning: how far to follow it. Weights between where it started and where it ended are often better than both.

Source: Wortsman et al. 2021, arXiv:2109.01903 (WiSE-FT), section 3. The share is chosen on validation images.
"""

import numpy as np

from pocketvision.events import Note, Progress, Work
from pocketvision.jobs.plan.timetable import LOOKS_BACK
from pocketvision.jobs.training.training import Training
from pocketvision.model.network import Network
from pocketvision.model.rewrite import mean_of
from pocketvision.run.assess import AS_IS, assess
from pocketvision.train.evaluate import outputs

# Of the way from the start, 0, to what training gave, 1.
SHARES = tuple(i / (LOOKS_BACK - 1) for i in range(LOOKS_BACK))
# Where batch-norm statistics moved: those of a mean of weights would be others.
ENDS = (0.0, 1.0)


def interpolate(training: Training, trained: Network) -> Work[tuple[Network, float]]:
    """Return the network that validation likes best on the way from the start to what training gave, and its share of the way.

    From scratch: the trained network. A newly initialised classifier is never a candidate, so share 0 is left out.
    """
    if training.start is None:
        return trained, 1.0
    end, network = trained.arrays(), training.network()
    losses, right = [], []
    shares = SHARES if training.plan.recipe.batch_norm_momentum is None else ENDS
    for number, share in enumerate(shares, start=1):
        network.load_arrays(mean_of(training.start, end, share))
        found = yield from assess(outputs(network, training.validation), training.validation.labels, calibration=AS_IS)
        losses.append(found.loss)
        right.append(found.top1)
        yield Progress("looking back", number, len(shares))
    is_new = training.plan.classifier_decay is None and training.held_back is None
    best = int(np.argmin(losses[is_new:])) + is_new
    network.load_arrays(mean_of(training.start, end, shares[best]))
    said = f"validation top-1 {right[0]:.4f} before, {right[-1]:.4f} after"
    if shares[best] == 0:
        yield Note(f"Fine-tuning did not help: {said}; the weights before it are kept.")
    elif shares[best] == 1:
        yield Note(f"Fine-tuning: {said}.")
    else:
        yield Note(f"Fine-tuning: {said}, {right[best]:.4f} at {shares[best]:.0%} of the way, which is kept.")
    return network, shares[best]
