"""The end of fine-tuning on few images: once validation images have decided, the network learns from them, too.

They were kept back to choose the classifier's decay, how far fine-tuning is followed, the temperature and the threshold. All
that, and what is said of validation, stays as it was before this; the test part alone judges what comes out.

What is kept is the mean of the weights before and after: nothing is left to stop in time with, and the mean of two points of a
training is often better than both (Izmailov et al. 2018, arXiv:1803.05407; measured: docs/log.md).
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace

from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Event, Note
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.runs.checkpointing import Saved, digest, take_up
from pocketvision.jobs.training.head import fit_head_again
from pocketvision.jobs.training.interpolate import between
from pocketvision.jobs.training.trials import Entry, look_at_nothing, retold
from pocketvision.model.network import Network
from pocketvision.text import plural
from pocketvision.train.loop import Trainer

SHARE_OF_ALL = 0.5  # of the way from before to after


def go_on_with_all(
    entry: Entry, network: Network, share: float, saved: Saved
) -> Generator[Event, None, tuple[Network, str]]:
    """Learn from the validation images, too, what helped on them: all layers, or the classifier alone where `share` is 0.

    Return the network, and what was done; where there is no time or the loss is no number, nothing was, and it is as before. So
    it is with a cut that validation liked best as it was: images to fit its classifier on would have to be decoded again, at
    its resolution.
    """
    if share == 0 and entry.held_back is not None:
        yield Note("Nothing is learnt from the validation images, either.")
        return network, ""
    images = f"its {len(entry.validation):,} images, too"
    if share == 0:
        yield Note(f"Validation has decided: the classifier is fitted again, with {images}. The test part judges it.")
        network.load_arrays((yield from fit_head_again(entry.plan, network.arrays(), entry.all_images)))
        return network, "the classifier again"
    origin = digest(network.arrays())
    snapshot = yield from take_up(saved.run.checkpoint_of_all, origin)
    epochs = epochs_in_time(entry.plan) if snapshot is None else entry.plan.epochs_on_all
    if epochs == 0:
        yield Note("There is no time left to learn from the validation images, too.")
        return network, ""
    last = entry_of_all(entry, network, epochs)
    trainer = last.make_trainer()
    if snapshot is not None:
        trainer.restore(snapshot)
    more = plural(trainer.epochs, "epoch")
    yield Note(f"Validation has decided: {more} more, with {images}. The test part judges what comes out.")
    if snapshot is not None:
        yield Note(f"Going on after step {trainer.done} of {trainer.total}.")
    try:
        yield from saved.train(learn_all(last, trainer), trainer, saved.run.checkpoint_of_all, origin)
    except NonFiniteLoss as error:
        yield Note(f"The network stays as it was before that: {error.problem}")
        return network, ""
    network.load_arrays(between(network.arrays(), trainer.average.network.arrays(), SHARE_OF_ALL))
    return network, plural(trainer.epochs, "epoch")


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
    return replace(entry, plan=plan, train=entry.all_images, start=network.arrays(), seed=other_draws)


def learn_all(entry: Entry, trainer: Trainer) -> Iterator[Event]:
    """Train to the end of the plan. No image is left to validate with, so only the training's loss is said."""
    events = trainer.run(entry.batches, look_at_nothing)
    return retold(events, "learning from validation images, too", "on all images")
