"""The end of fine-tuning on few images: once validation images have decided, the network learns from them, too.

They were kept back to choose the classifier's decay, how far fine-tuning is followed, the temperature and the threshold. All
that, and what is said of validation, stays as it was before this; the test part alone judges what comes out.

What is kept is the mean of the weights before and after: nothing is left to stop in time with, and the mean of two points of a
training is often better than both (Izmailov et al. 2018, arXiv:1803.05407; measured: docs/log.md).
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pocketvision.data.loader import Together
from pocketvision.events import Event
from pocketvision.fit.contest import Entry, look_at_nothing, retold
from pocketvision.fit.plan import Plan
from pocketvision.model.network import Network
from pocketvision.model.rewrite import Arrays
from pocketvision.train.loop import Trainer

SHARE_OF_ALL = 0.5  # of the way from before to after


def epochs_in_time(plan: Plan) -> int:
    """Return how many of the planned epochs on all images still have time, of whole ones; all where time is no limit."""
    if plan.stop_by is None or not plan.seconds_on_all:
        return plan.epochs_on_all
    each = plan.seconds_on_all / plan.epochs_on_all
    return max(0, min(plan.epochs_on_all, round((plan.stop_by - time.monotonic()) / each)))


def entry_of_all(entry: Entry, network: Network, epochs: int) -> Entry:
    """Return what goes on from a network with all images, for so many epochs."""
    plan = replace(
        entry.plan,
        recipe=replace(entry.plan.recipe, most_epochs=epochs),
        epochs=epochs,
        steps=entry.plan.steps_on_all,
        epochs_on_all=0,
    )
    other_draws = entry.seed ^ 1
    images = Together(entry.train, entry.validation)
    return replace(entry, plan=plan, train=images, start=network.arrays(), seed=other_draws)


def digest(arrays: Arrays) -> str:
    """Return the SHA-256 of weights: what a later training went on from."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def learn_all(entry: Entry, trainer: Trainer) -> Iterator[Event]:
    """Train to the end of the plan. No image is left to validate with, so only the training's loss is said."""
    events = trainer.run(entry.batches, look_at_nothing)
    return retold(events, "learning from validation images, too", "on all images")
