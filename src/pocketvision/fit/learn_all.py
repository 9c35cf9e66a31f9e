"""The end of fine-tuning on few images: once validation images have decided, the network learns from them, too.

They were kept back to choose the classifier's decay, how far fine-tuning is followed, the temperature and the threshold. All
that, and what is said of validation, stays as it was before this; the test part alone judges what comes out.

What is kept is the mean of the weights before and after: nothing is left to stop in time with, and the mean of two points of a
training is often better than both (Izmailov et al. 2018, arXiv:1803.05407; measured: docs/log.md).
"""

from collections.abc import Generator
from dataclasses import replace

from pocketvision.data.loader import Pixels, Together
from pocketvision.events import Epoch, Event, Progress, Step
from pocketvision.fit.contest import Entry
from pocketvision.model.network import Network
from pocketvision.train.loop import Trainer

SHARE_OF_ALL = 0.5  # of the way from before to after


def entry_of_all(entry: Entry, network: Network) -> Entry:
    """Return what goes on from a network with all images, for the epochs that the plan keeps for it."""
    assert isinstance(entry.train, Pixels)
    plan = replace(
        entry.plan,
        recipe=replace(entry.plan.recipe, most_epochs=entry.plan.epochs_on_all),
        epochs=entry.plan.epochs_on_all,
        steps=entry.plan.steps_on_all,
        epochs_on_all=0,
    )
    images = Together(entry.train, entry.validation)
    return replace(
        entry, plan=plan, train=images, start=network.arrays(), seed=entry.seed ^ 1
    )  # other draws than before


def learn_all(entry: Entry, trainer: Trainer) -> Generator[Event, None, None]:
    """Train to the end of the plan. No image is left to validate with, so nothing is said of it."""
    for event in trainer.run(entry.batches, _look_at_nothing):
        if isinstance(event, Step):
            yield Progress("learning from validation images, too", trainer.done, trainer.total)
        elif not isinstance(event, Epoch):
            yield event


def _look_at_nothing(network: Network) -> Generator[Event, None, tuple[float, float]]:
    yield from ()
    return 0.0, 0.0
