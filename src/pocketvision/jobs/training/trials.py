"""The contest: each finalist is trained for a moment, with a whole schedule of its own; the best is then trained for real.

Successive halving with one rung. Source: Jamieson and Talwalkar 2016, arXiv:1502.07943.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.loader import Images, Pixels, Together, training_batches
from pocketvision.events import Epoch, Event, Note, Progress, Step
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.plan.timetable import CHECKED_EACH_EPOCH
from pocketvision.model.network import Network, build
from pocketvision.model.rewrite import Arrays
from pocketvision.run.metrics import negative_log_likelihood, top1
from pocketvision.run.paired import is_better
from pocketvision.train.evaluate import compute_logits, watch_logits
from pocketvision.train.loop import Objective, Trainer
from pocketvision.train.loss import as_tensor

TRIAL_SHARE = 0.05  # of the planned steps
FEWEST_STEPS = 400  # with fewer, networks of few pixels look better than they end: docs/log.md
CERTAIN = 2.0  # standard errors by which a network must be better than one that the prior puts before it


@dataclass(frozen=True)
class Entry:
    """One network in the contest.

    Attributes:
        plan: what would be trained.
        train, validation: images at its resolution.
        seed: of weights, order and augmentation.
        device: where training runs.
        start: weights that training starts from; None: drawn ones.
        objective: what is learnt in a step; None: the labels.
        held_back: of a cut, the validation images at the resolution that it is taught at; `validation` has its own.
    """

    plan: Plan
    train: Images
    validation: Pixels
    seed: int
    device: torch.device
    start: Arrays | None = None
    objective: Objective | None = None
    held_back: Pixels | None = None

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
        """Return a trainer of new weights, which follows the plan."""
        plan, most = self.plan, self.plan.recipe.most_epochs
        torch.manual_seed(self.seed)
        return Trainer(
            network=self.network().to(self.device),
            recipe=replace(plan.recipe, most_epochs=None if most is None else most - plan.epochs_on_all),
            epochs=plan.epochs,
            steps=plan.steps,
            class_weights=as_tensor(plan.weights, self.device),
            precision=plan.training_precision,
            stop_by=None if plan.stop_by is None else plan.stop_by - plan.seconds_on_all,
            objective=self.objective,
        )

    def train_with(self, trainer: Trainer) -> Generator[Event, None, None]:
        """Train to the end of the plan."""
        yield from trainer.run(self.batches, check(self.validation))

    def try_out(self, steps: int) -> Generator[Event, None, NDArray[np.bool_]]:
        """Train new weights for about so many steps, the learning rate going all its way; return which images they get right.

        Many steps are whole epochs, few are a part of one.
        """
        epochs = max(1, steps // self.plan.steps)
        trial = replace(self, plan=replace(self.plan, epochs=epochs, steps=min(steps, self.plan.steps), stop_by=None))
        trainer = trial.make_trainer()
        rows = checked_rows(self.validation)
        images, labels = self.validation[rows], self.validation.labels[rows]
        for event in trainer.run(trial.batches, check(self.validation)):
            if isinstance(event, Step):
                yield Progress(f"trial of {self.plan.graph.name}", trainer.done, trainer.total)
        right: NDArray[np.bool_] = compute_logits(trainer.average.network, images).argmax(1) == labels
        return right

    def batches(self, epoch: int, first: int) -> Any:
        """Return an epoch's batches from its first step on."""
        plan = self.plan
        return training_batches(self.train, plan.recipe.batch_size, plan.augmentation, self.seed, epoch, first)


@dataclass(frozen=True)
class Outcome:
    """How the contest ended.

    Attributes:
        winner: the one to train.
        trials: for each network its name, top-1 after the trial, steps of it; empty where none was held.
    """

    winner: Entry
    trials: tuple[dict[str, Any], ...] = ()


def hold_contest(entries: Sequence[Entry]) -> Generator[Event, None, Outcome]:
    """Try each entry for as many steps, and return the best. The prior's order is overruled only by what is no noise.

    Args:
        entries: in the order of the prior.
    """
    if len(entries) == 1:
        return Outcome(entries[0])
    steps = trial_steps([entry.plan for entry in entries])
    if steps < FEWEST_STEPS:
        yield Note("There is no time or too few images for a trial of several networks: the prior decides.")
        return Outcome(entries[0])
    hits, trials = [], []
    for entry in entries:
        name = entry.plan.name
        found = yield from entry.try_out(steps)
        yield Note(f"Trial: {name}, top-1 {found.mean():.4f} after {steps} steps.")
        hits.append(found)
        trials.append({"name": name, "steps": steps, "top1": round(float(found.mean()), 4)})
    best = choose_winner(hits)
    if best:
        yield Note(f"{entries[best].plan.name} was better than the prior thought.")
    return Outcome(entries[best], tuple(trials))


def trial_steps(plans: Sequence[Plan]) -> int:
    """Return the steps of each trial: a share of the shortest plan."""
    return int(TRIAL_SHARE * min(plan.epochs * plan.steps for plan in plans))


def choose_winner(hits: Sequence[NDArray[np.bool_]]) -> int:
    """Return the index of the winner: a later one must be better by two standard errors, paired on the same images.

    >>> choose_winner([np.array([True, False] * 50), np.array([True, True, False, False] * 25)])
    0
    """
    winner = 0
    for challenger in range(1, len(hits)):
        if is_better(hits[challenger], hits[winner], CERTAIN):
            winner = challenger
    return winner


def checked_rows(validation: Pixels) -> slice:
    """Return evenly spaced validation images for the check after each epoch."""
    return slice(None, None, max(1, len(validation) // CHECKED_EACH_EPOCH))


def retold(events: Iterable[Event], work: str, where: str) -> Iterator[Event]:
    """Yield the events of a training that is not the run's main one: steps as progress, epochs as notes."""
    for event in events:
        match event:
            case Step(epoch=epoch, steps=steps, step=step, epochs=epochs):
                yield Progress(work, (epoch - 1) * steps + step, epochs * steps)
            case Epoch(epoch=epoch, epochs=epochs, loss=loss):
                yield Note(f"Epoch {epoch} of {epochs} {where}: loss {loss:.4f}.")
            case _:
                yield event


def look_at_nothing(network: Network) -> Generator[Event, None, tuple[float, float]]:
    """Validate a training whose result is judged later."""
    yield from ()
    return 0.0, 0.0


def check(validation: Pixels) -> Callable[[Network], Generator[Event, None, tuple[float, float]]]:
    """Return the check after each epoch."""
    rows = checked_rows(validation)
    images, labels = validation[rows], validation.labels[rows]

    def judge(network: Network) -> Generator[Event, None, tuple[float, float]]:
        logits = yield from watch_logits(network, images, "validating")
        return negative_log_likelihood(logits, labels), top1(logits, labels)

    return judge
