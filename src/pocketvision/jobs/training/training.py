"""A training that is ready to run: one network, its images, and its plan."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.pixels import Images, Pixels, Together
from pocketvision.events import Epoch, Event, Note, Progress, Step, Work, drain
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.plan.timetable import CHECKED_EACH_EPOCH
from pocketvision.model.network import Network, build
from pocketvision.model.rewrite import Arrays
from pocketvision.run.assess import AS_IS, Assessment, assess
from pocketvision.train.batches import training_batches
from pocketvision.train.evaluate import outputs
from pocketvision.train.loop import Objective, Trainer
from pocketvision.train.loss import as_tensor


@dataclass(frozen=True)
class Training:
    """One network with all that its training needs.

    Attributes:
        plan: what is trained, and how.
        train, validation: images at its resolution.
        seed: of initial weights, order and augmentation.
        device: where training runs.
        start: weights that training starts from; None: they are initialised.
        objective: what is learnt in a step; None: the labels.
        held_back: of a cut, the validation images at the resolution that it is taught at; `validation` has its own.
        part: of the timetable by whose end it must be done: "main", "pick" or "all".
    """

    plan: Plan
    train: Images
    validation: Pixels
    seed: int
    device: torch.device
    start: Arrays | None = None
    objective: Objective | None = None
    held_back: Pixels | None = None
    part: str = "main"

    @property
    def all_images(self) -> Together:
        """Those that train, and those that validate."""
        return Together(self.train, self.validation if self.held_back is None else self.held_back)

    def network(self) -> Network:
        """Return the network as training starts."""
        network = build(self.plan.graph, self.seed)
        if self.start is not None:
            network.load_arrays(self.start)
        return network

    def make_trainer(self) -> Trainer:
        """Return a trainer of the network as training starts, which follows the plan."""
        plan, most = self.plan, self.plan.recipe.most_epochs
        torch.manual_seed(self.seed)
        return Trainer(
            network=self.network().to(self.device),
            recipe=replace(plan.recipe, most_epochs=None if most is None else most - plan.epochs_on_all),
            epochs=plan.epochs,
            steps=plan.steps,
            class_weights=as_tensor(plan.weights, self.device),
            precision=plan.training_precision,
            stop_by=plan.timetable.stop(self.part),
            objective=self.objective,
        )

    def run(self, trainer: Trainer) -> Iterator[Event]:
        """Train to the end of the plan; validate after each epoch."""
        return trainer.run(self.batches, check(self.validation))

    def run_unwatched(self, trainer: Trainer, work: str, where: str) -> Iterator[Event]:
        """Train to the end of the plan without validation, another one than the run's main training.

        Steps become progress of some `work`, and epochs notes that say `where` they were.
        """
        for event in trainer.run(self.batches):
            match event:
                case Step(epoch=epoch, steps=steps, step=step, epochs=epochs):
                    yield Progress(work, (epoch - 1) * steps + step, epochs * steps)
                case Epoch(epoch=epoch, epochs=epochs, loss=loss):
                    yield Note(f"Epoch {epoch} of {epochs} {where}: loss {loss:.4f}.")
                case _:
                    yield event

    def try_out(self, steps: int) -> Work[NDArray[np.bool_]]:
        """Train from the start for about so many steps, the learning rate going all its way; return which images are right.

        Many steps are whole epochs, few are a part of one.
        """
        plan = self.plan
        timeless = replace(plan.timetable, deadline=None)
        plan = replace(plan, epochs=max(1, steps // plan.steps), steps=min(steps, plan.steps), timetable=timeless)
        trial = replace(self, plan=plan)
        trainer = trial.make_trainer()
        for event in trial.run(trainer):
            if isinstance(event, Step):
                yield Progress(f"trial of {plan.graph.name}", trainer.done, trainer.total)
        return drain(check(self.validation)(trainer.average.network)).each

    def batches(self, epoch: int, first: int) -> Any:
        """Return an epoch's batches from its first step on."""
        plan = self.plan
        return training_batches(self.train, plan.recipe.batch_size, plan.augmentation, self.seed, epoch, first)


def check(validation: Pixels) -> Callable[[Network], Work[Assessment]]:
    """Return what assesses a network after each epoch: on evenly spaced validation images."""
    rows = slice(None, None, max(1, len(validation) // CHECKED_EACH_EPOCH))
    images, labels = validation[rows], validation.labels[rows]

    def look(network: Network) -> Work[Assessment]:
        return assess(outputs(network, images), labels, calibration=AS_IS, work="validating")

    return look
