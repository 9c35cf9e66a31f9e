"""The end of fine-tuning on few images: once validation images have decided, the network learns from them, too.

They were kept back to choose the classifier's decay, how far fine-tuning is followed, the temperature and the threshold. All
that, and what is said of validation, stays as it was before this; the test part alone judges what comes out.

What is kept is the mean of the weights before and after: nothing is left to stop in time with, and the mean of two points of a
training is often better than both (Izmailov et al. 2018, arXiv:1803.05407; measured: docs/log.md).
"""

from dataclasses import replace

from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Note, Work
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.runs.checkpointing import Checkpointing, digest
from pocketvision.jobs.training.classifier import fit_classifier_again
from pocketvision.jobs.training.stages import Stage, run_stage
from pocketvision.jobs.training.training import Training
from pocketvision.model.network import Network
from pocketvision.model.rewrite import mean_of
from pocketvision.text import plural

# Of the way from before to after.
SHARE_OF_ALL = 0.5


def learn_all(
    training: Training, network: Network, share: float, checkpointing: Checkpointing
) -> Work[tuple[Network, str]]:
    """Train a little longer on train and validation images: all layers, or the classifier alone where `share` is 0.

    Return the network, and what was done; empty: nothing, and the network is unchanged: that was not planned, no time is left,
    the loss diverges, or the pick of an elastic run was best as it was cut.
    """
    if not training.plan.epochs_on_all:
        return network, ""
    if share == 0 and training.held_back is not None:
        yield Note("Nothing is learnt from the validation images, either.")
        return network, ""
    images = f"its {len(training.validation):,} images, too"
    if share == 0:
        yield Note(f"Validation has decided: the classifier is fitted again, with {images}. The test part judges it.")
        network.load_arrays((yield from fit_classifier_again(training.plan, network.arrays(), training.all_images)))
        return network, "the classifier again"
    origin = digest(network.arrays())
    snapshot = yield from checkpointing.take_up("all", origin)
    epochs = epochs_in_time(training.plan) if snapshot is None else training.plan.epochs_on_all
    if epochs == 0:
        yield Note("There is no time left to learn from the validation images, too.")
        return network, ""
    yield Note(
        f"Validation has decided: {plural(epochs, 'epoch')} more, with {images}. The test part judges what comes out."
    )
    stage = Stage("all", training_on_all(training, network, epochs), origin)
    trainer = stage.training.make_trainer()
    try:
        yield from run_stage(stage, trainer, snapshot, checkpointing)
    except NonFiniteLoss as error:
        yield Note(f"The network stays as it was before that: {error.problem}")
        return network, ""
    network.load_arrays(mean_of(network.arrays(), trainer.average.network.arrays(), SHARE_OF_ALL))
    return network, plural(trainer.epochs, "epoch")


def epochs_in_time(plan: Plan) -> int:
    """Return how many of the planned epochs on all images still have time, of whole ones; all where time is no limit."""
    if not plan.timetable.is_limited or not plan.seconds_on_all:
        return plan.epochs_on_all
    each = plan.seconds_on_all / plan.epochs_on_all
    return max(0, min(plan.epochs_on_all, round(plan.timetable.left("all") / each)))


def training_on_all(training: Training, network: Network, epochs: int) -> Training:
    """Return the training that continues from a network with all images, for so many epochs."""
    plan = replace(
        training.plan,
        recipe=replace(training.plan.recipe, most_epochs=epochs),
        epochs=epochs,
        steps=training.plan.steps_on_all,
        epochs_on_all=0,
    )
    return replace(
        training,
        plan=plan,
        train=training.all_images,
        start=network.arrays(),
        seed=training.seed ^ 1,  # other images in a batch, other augmentation
        part="all",
    )
