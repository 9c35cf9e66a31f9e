"""The plan: everything that is decided or measured before the first step."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.choose.candidates import Candidate
from pocketvision.cost.count import describe
from pocketvision.cost.int8 import name_in
from pocketvision.data.geometry import Augmentation
from pocketvision.data.pixels import steps_per_epoch
from pocketvision.data.split import Split
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.events import Note
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.recipe import chosen_augmentation, rate_of
from pocketvision.jobs.plan.sizes import ElasticPlan, workload
from pocketvision.jobs.plan.timetable import (
    CHECKED_EACH_EPOCH,
    FORWARD_SHARE,
    INT8_SHARE,
    SLACK,
    Timetable,
    finish_seconds,
    look_seconds,
    looks_back,
    timed_images,
    whole_epochs,
)
from pocketvision.model.graph import Graph
from pocketvision.model.kernels.library import kernels
from pocketvision.model.resolve import resolve_again
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.loop import Objective
from pocketvision.train.loss import class_weights
from pocketvision.train.recipe import Recipe
from pocketvision.train.speed import Workload

# Images: 15 % more of so many are worth learning from; more of them are enough as they are.
FEW_TO_VALIDATE = 2000
# Of the epochs, that learn from validation images, too.
SHARE_ON_ALL = 0.25
# Attributes of a plan that are JSON values as they are.
PLAIN = (
    *("reason", "epochs", "training_precision", "step_seconds"),
    *("epochs_on_all", "steps_on_all", "classifier_decay", "precision"),
)


@dataclass(frozen=True)
class Pace:
    """How fast networks train here.

    Attributes:
        precision: that they are trained in, "float32" or "bfloat16".
        step_seconds: of one optimizer step in it; None: not measured.
    """

    precision: str
    step_seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """What will be trained, and how.

    Attributes:
        graph: the network.
        reason: why this one.
        recipe: with the user's changes.
        epochs, steps: passes, and optimizer steps in each.
        training_precision: "float32" or "bfloat16".
        augmentation: for images of this size.
        weights: one a class, (classes,) float32, or None.
        preprocessing: from an image to the network's input; published weights bring their own.
        timetable: with what is reserved for all that comes after the training.
        step_seconds: of one optimizer step, where that was measured.
        epochs_on_all, steps_on_all: more epochs, after validation has decided, on its images, too; and steps in each.
        classifier_decay: of the classifier that training starts from, where one was fitted.
        elastic: how all smaller sizes are trained with it; None: they are not.
        precision: of the file: "fp32", "int8" or "fp16-storage".
    """

    graph: Graph
    reason: str
    recipe: Recipe
    epochs: int
    steps: int
    training_precision: str
    augmentation: Augmentation
    weights: NDArray[np.float32] | None
    preprocessing: Preprocessing
    timetable: Timetable
    step_seconds: float | None = None
    epochs_on_all: int = 0
    steps_on_all: int = 0
    classifier_decay: float | None = None
    elastic: ElasticPlan | None = None
    precision: str = "fp32"

    @property
    def name(self) -> str:
        """The network's full name, and the precision of its file where that is not fp32."""
        return name_in(self.precision, self.graph.name)

    @property
    def space(self) -> ElasticSpace:
        """The sizes that are trained; the network's own alone where training is not elastic."""
        return ElasticSpace.below(self.graph, (), ()) if self.elastic is None else self.elastic.space(self.graph)

    @property
    def training_seconds(self) -> float | None:
        """How long training will take; None where a step was not measured."""
        if self.step_seconds is None:
            return None
        return SLACK * self.epochs * self.steps * self.step_seconds + self.seconds_on_all

    @property
    def seconds_on_all(self) -> float:
        """How long the epochs with validation images will take; 0 where a step was not measured."""
        return SLACK * self.epochs_on_all * self.steps_on_all * (self.step_seconds or 0.0)

    def describe(self) -> Iterator[Note]:
        """Say what will be done."""
        if self.step_seconds is not None:
            seconds = SLACK * self.steps * self.step_seconds
            more = f", then {self.epochs_on_all} with the validation images, too" if self.epochs_on_all else ""
            yield Note(f"Plan: {self.epochs} epochs of about {seconds:.0f} s each{more}, in {self.training_precision}.")
        if self.weights is not None:
            yield Note(
                f"Classes are weighed by their images, from {self.weights.min():.2f} to {self.weights.max():.2f}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return all decisions as JSON values."""
        return {
            "network": self.name,
            "model": describe(self.graph),
            **{name: getattr(self, name) for name in PLAIN},
            "recipe": asdict(self.recipe),
            "steps_per_epoch": self.steps,
            "reserved_seconds": dict(self.timetable.reserved),
            "elastic": None if self.elastic is None else asdict(self.elastic),
            "threads": torch.get_num_threads(),
            "kernels": kernels() is not None,
            "augmentation": asdict(self.augmentation),
            "preprocessing": self.preprocessing.to_json(),
            "class_weights": None if self.weights is None else [float(weight) for weight in self.weights],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], timetable: Timetable) -> "Plan":
        """Return the plan that `to_json` wrote, as it was decided then, for the time that is left now."""
        weights = content["class_weights"]
        return cls(
            graph=resolve_again(content["model"]),
            recipe=Recipe.from_json(content["recipe"]),
            steps=content["steps_per_epoch"],
            augmentation=Augmentation(**content["augmentation"]),
            weights=None if weights is None else np.array(weights, np.float32),
            preprocessing=Preprocessing.from_json(content["preprocessing"]),
            timetable=timetable.reserve(**content["reserved_seconds"]),
            elastic=ElasticPlan.from_json(content["elastic"]),
            **{name: content[name] for name in PLAIN},
        )


def make_plan(
    given: Given,
    candidate: Candidate,
    pace: Pace,
    reason: str,
    elastic: ElasticPlan | None = None,
    trial_share: float = 0.0,
) -> Plan:
    """Return the plan for one network: whole epochs into the time that is left.

    Args:
        given: images, options, start, and the time there is.
        candidate: the network, and the precision of its file.
        pace: of its training; a step is measured where its time is needed and not known.
        reason: why this network.
        elastic: sizes that are trained with it; None: none are.
        trial_share: of the time, that goes to trials before the training.
    """
    graph, options = candidate.graph, given.options
    recipe = given.recipe if options.lr is not None else rate_of(graph, given.recipe)
    may_learn_all = given.start.has_weights and elastic is None
    plan = Plan(
        graph=graph,
        reason=reason,
        recipe=recipe,
        epochs=options.epochs or 1,
        steps=steps_per_epoch(len(given.labels), recipe.batch_size),
        training_precision=pace.precision,
        augmentation=recipe.augmentation,
        weights=class_weights(given.labels, candidate.options.classes, options.class_weights),
        preprocessing=given.preprocessing,
        timetable=given.timetable,
        step_seconds=pace.step_seconds,
        elastic=elastic,
        precision=candidate.precision,
    )
    share = share_on_all(given, plan) if may_learn_all else 0.0
    if given.timetable.is_limited:
        plan = _in_time(given, plan, share, trial_share)
    plan = share_out(plan, share, given.parts)
    augmentation = chosen_augmentation(recipe, graph, plan.epochs + plan.epochs_on_all)
    return replace(plan, augmentation=augmentation)


def _in_time(given: Given, plan: Plan, share: float, trial_share: float) -> Plan:
    """Return the plan with its step measured, time reserved for all that comes later, and as many epochs as then fit."""
    graph, recipe, elastic = plan.graph, plan.recipe, plan.elastic
    training = workload(given, graph, recipe, elastic)
    step_seconds = plan.step_seconds or training.step_seconds(plan.training_precision)
    alone = step_seconds / (elastic.relative_cost(graph) if elastic else 1)
    look = look_seconds(graph, recipe, given.device, plan.training_precision, alone)
    looks = 1 + looks_back(recipe, given.start.has_weights or elastic is not None)
    times = plan.timetable.reserve(finish=finish_seconds(given.parts, look, looks))
    if elastic is not None:
        times = times.reserve(sizes=elastic.judging_seconds(given, graph, look))
        times = times.reserve(pick=elastic.tune_share * max(0.0, times.left("main")))
    if plan.precision == "int8":
        times = times.reserve(int8=INT8_SHARE * max(0.0, given.timetable.left("finish")))
    check = FORWARD_SHARE * alone / recipe.batch_size * min(CHECKED_EACH_EPOCH, len(given.parts.validation))
    epoch_seconds = (SLACK * plan.steps * step_seconds + check) * _lengthened(plan, share, given.parts)
    epochs = whole_epochs((1 - trial_share) * times.left("main"), epoch_seconds, recipe.most_epochs)
    return replace(plan, timetable=times, step_seconds=step_seconds, epochs=epochs)


def plan_of_pick(
    given: Given, plan: Plan, candidate: Candidate, objective: Objective, made: Mapping[str, Any], has_weights: bool
) -> Plan:
    """Return how a cut of an elastic network is trained further: at the rate of the elastic plan, to the end of the time.

    Args:
        given: images, options, and the time there is.
        plan: of the elastic training.
        candidate: the cut, and the precision of its file.
        objective: what it learns.
        made: what `pick_json` made of the plan, where the run is resumed; else empty, and the pace is measured.
        has_weights: whether the elastic training started from trained weights.
    """
    assert plan.elastic is not None
    graph, elastic = candidate.graph, plan.elastic
    pick = replace(
        plan,
        graph=graph,
        recipe=replace(plan.recipe, lr=elastic.tune_rate * plan.recipe.lr),
        epochs=max(1, round(plan.epochs * elastic.tune_share / (1 - elastic.tune_share))),
        step_seconds=None,
        elastic=None,
        precision=candidate.precision,
    )
    times, share = pick.timetable, share_on_all(given, pick) if has_weights else 0.0
    if times.is_limited and pick.precision == "int8":
        times = times.reserve(int8=INT8_SHARE * max(0.0, times.left("int8")))
        pick = replace(pick, timetable=times)
    if made:
        return _with_reserved_end(replace(pick, **made))
    if times.is_limited:
        images, side = timed_images(plan.graph, pick.recipe), plan.graph.image.height
        training = Workload(graph, pick.recipe, given.device, images, objective, side)
        step_seconds = training.step_seconds(plan.training_precision)
        epoch_seconds = SLACK * pick.steps * step_seconds * _lengthened(pick, share, given.parts)
        pick = replace(pick, step_seconds=step_seconds, epochs=whole_epochs(times.left("all"), epoch_seconds))
    pick = replace(pick, epochs=min(pick.epochs, pick.recipe.most_epochs or pick.epochs))
    return share_out(pick, share, given.parts)


def pick_json(pick: Plan) -> dict[str, Any]:
    """Return, as JSON values, what was decided of a pick's training when it began."""
    return {name: getattr(pick, name) for name in ("epochs", "epochs_on_all", "steps_on_all", "step_seconds")}


def share_out(plan: Plan, share: float, parts: Split) -> Plan:
    """Return the plan with the last of its epochs on all images, and time reserved for these."""
    epochs, epochs_on_all = shared_out(plan.epochs, share)
    steps_on_all = steps_of_all(parts, plan.recipe) if epochs_on_all else 0
    return _with_reserved_end(replace(plan, epochs=epochs, epochs_on_all=epochs_on_all, steps_on_all=steps_on_all))


def _with_reserved_end(plan: Plan) -> Plan:
    return replace(plan, timetable=plan.timetable.reserve(all=plan.seconds_on_all))


def _lengthened(plan: Plan, share: float, parts: Split) -> float:
    """Return how many times as long an epoch is in the mean, as those on all images have more steps."""
    return 1 + share * (steps_of_all(parts, plan.recipe) / plan.steps - 1)


def shared_out(epochs: int, share: float) -> tuple[int, int]:
    """Return how many epochs learn from the training images, and how many more from all; a single one is not parted.

    >>> shared_out(8, 0.25), shared_out(2, 0.25), shared_out(1, 0.25), shared_out(8, 0.0)
    ((6, 2), (1, 1), (1, 0), (8, 0))
    """
    on_all = math.ceil(share * epochs) if epochs > 1 else 0
    return epochs - on_all, on_all


def steps_of_all(parts: Split, recipe: Recipe) -> int:
    """Return the optimizer steps of an epoch on training and validation images."""
    return steps_per_epoch(len(parts.train) + len(parts.validation), recipe.batch_size)


def share_on_all(given: Given, plan: Plan) -> float:
    """Return the share of the epochs of a fine-tuning that learn from validation images, too.

    0 where validation must judge int8 or fp16 later, or where batch-norm statistics move: those of a mean of weights would be
    others. Otherwise a quarter, where few validation images were split off from train, and a test part judges what comes out.
    """
    parts = given.parts
    is_few = not parts.is_given and len(parts.test) > 0 and len(parts.validation) <= FEW_TO_VALIDATE
    stands_still = plan.recipe.batch_norm_momentum is None
    return SHARE_ON_ALL if plan.precision == "fp32" and stands_still and is_few else 0.0


def decide_pace(given: Given, graph: Graph, step_seconds: float | None, elastic: ElasticPlan | None = None) -> Pace:
    """Return the precision to train in, and the seconds of one step in it where they are known.

    Args:
        given: images, options, and where training runs.
        graph: the network that it is measured on.
        step_seconds: of one step in float32, where that was measured.
        elastic: sizes that are trained with it.
    """
    asked = given.options.training_precision
    if asked != "auto":
        return Pace(asked, step_seconds if asked == "float32" else None)
    training = workload(given, graph, given.recipe, elastic)
    return Pace(*training.choose_precision(step_seconds or training.step_seconds()))
