"""The stages of a run: up to three trainings, each with a checkpoint folder of its own, all run and resumed in one way."""

from collections.abc import Iterator
from dataclasses import dataclass

from pocketvision.events import Event, Note, Work
from pocketvision.jobs.runs.checkpointing import Checkpointing
from pocketvision.jobs.training.training import Training
from pocketvision.train.checkpoint import Snapshot
from pocketvision.train.loop import Trainer

# Later stages: what their progress is called, and where their epochs are.
WORK = {"pick": "training {network} further", "all": "learning from validation images, too"}
WHERE = {"pick": "of the pick", "all": "on all images"}


@dataclass(frozen=True, eq=False)
class Stage:
    """One training of a run.

    Attributes:
        name: "main", "pick" (a cut of an elastic network, trained further) or "all" (with the validation images, too).
        training: ready to run.
        origin: digest of the weights that it starts from, where these are in another stage's checkpoint.
    """

    name: str
    training: Training
    origin: str = ""

    def run(self, trainer: Trainer) -> Iterator[Event]:
        """Train to the end of the plan; only the main training is validated on the way."""
        if self.name == "main":
            return self.training.run(trainer)
        work = WORK[self.name].format(network=self.training.plan.graph.name)
        return self.training.run_unwatched(trainer, work, WHERE[self.name])


def run_stage(stage: Stage, trainer: Trainer, snapshot: Snapshot | None, checkpointing: Checkpointing) -> Work[None]:
    """Train a stage to its end, from where it was saved last.

    Args:
        stage: what to train.
        trainer: of its training, as that begins.
        snapshot: where it was saved last; None: it begins now.
        checkpointing: saves its state now and then.

    Raises:
        NonFiniteLoss: the training diverged.
        KeyboardInterrupt: the user asked to stop; the state was saved.
    """
    if snapshot is not None:
        trainer.restore(snapshot)
        yield Note(
            f"Resuming after epoch {trainer.epoch}, step {trainer.step} of {trainer.steps} (stage {stage.name!r})."
        )
    elif stage.origin:
        checkpointing.save(trainer, stage.name, stage.origin)  # with the time that came before it
    yield from checkpointing.train(stage.run(trainer), trainer, stage.name, stage.origin)
