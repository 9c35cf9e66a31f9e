"""The plan: everything that is decided or measured before the first step."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.cost.count import count
from pocketvision.cost.int8 import name_in
from pocketvision.data.augment import Augmentation
from pocketvision.data.loader import steps_per_epoch
from pocketvision.data.split import Split
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.events import Note
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.recipe import chosen_augmentation, chosen_recipe, rate_of
from pocketvision.jobs.plan.sizes import ElasticPlan, objective_of
from pocketvision.jobs.plan.timetable import (
    CHECKED_EACH_EPOCH,
    FINISH_SECONDS,
    FORWARD_SHARE,
    SLACK,
    finish_seconds,
    look_seconds,
    looks_back,
    timed_images,
)
from pocketvision.model.graph import Graph
from pocketvision.model.kernels.library import kernels
from pocketvision.model.resolve import resolve_again
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from pocketvision.train.loop import Objective
from pocketvision.train.loss import class_weights
from pocketvision.train.recipe import Recipe
from pocketvision.train.speed import choose_precision, measure_step_seconds

FEW_TO_VALIDATE = 2000  # images: 15 % more of so many are worth learning from; more of them are enough as they are
SHARE_ON_ALL = 0.25  # of the epochs
INTEGERS_SHARE = 0.1  # of the time, that is kept for the ladder


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
        weights: one a class, or None.
        preprocessing: from an image to the network's input; published weights bring their own.
        stop_by: `time.monotonic()` at which training should be over, or None.
        step_seconds: of one optimizer step, where that was measured.
        finish_seconds: kept for what comes after training.
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
    stop_by: float | None
    step_seconds: float | None
    finish_seconds: float
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
            "model": model_json(self.graph),
            "reason": self.reason,
            "recipe": asdict(self.recipe),
            "epochs": self.epochs,
            "steps_per_epoch": self.steps,
            "training_precision": self.training_precision,
            "step_seconds": self.step_seconds,
            "finish_seconds": self.finish_seconds,
            "epochs_on_all": self.epochs_on_all,
            "steps_on_all": self.steps_on_all,
            "classifier_decay": self.classifier_decay,
            "elastic": None if self.elastic is None else asdict(self.elastic),
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "kernels": kernels() is not None,
            "augmentation": asdict(self.augmentation),
            "preprocessing": self.preprocessing.to_json(),
            "class_weights": None if self.weights is None else [round(float(w), 6) for w in self.weights],
        }


def model_json(graph: Graph) -> dict[str, Any]:
    """Return the network's name, options and costs as JSON values."""
    cost = count(graph)
    return {"name": graph.name, **graph.source._asdict(), "params": cost.params, "macs": cost.macs}


def make_plan(
    job: Job,
    graph: Graph,
    reason: str,
    training_precision: str,
    step_seconds: float | None = None,
    reserved: float = 0.0,
    preprocessing: Preprocessing | None = None,
    elastic: ElasticPlan | None = None,
    precision: str = "fp32",
) -> Plan:
    """Return the plan for one network: whole epochs into the time that is left.

    Args:
        job: images, options, and the time there is.
        graph: the network.
        reason: why this one.
        training_precision: "float32" or "bfloat16".
        step_seconds: of one optimizer step in that precision; None is measured where it is needed.
        reserved: share of the time left that goes to other work.
        preprocessing: of the weights that training starts from; None: from scratch, which takes the whole image.
        elastic: sizes that are trained with it, their seconds still unknown; None: none are.
        precision: of the file.
    """
    options, parts, labels, deadline = job.options, job.parts, job.labels, job.deadline
    recipe = chosen_recipe(options, len(labels), preprocessing is not None, elastic is not None)
    recipe = recipe if options.lr is not None else rate_of(graph, recipe)
    steps = steps_per_epoch(len(labels), recipe.batch_size)
    share = share_on_all(job, recipe, preprocessing is not None and elastic is None, precision)
    steps_on_all = steps_of_all(parts, recipe)
    epochs, stop_by, finish = options.epochs, None, FINISH_SECONDS
    if deadline is not None:
        step_seconds = step_seconds or measure_step_seconds(
            graph,
            recipe,
            job.device,
            timed_images(graph, recipe),
            training_precision,
            objective=objective_of(graph, elastic),
        )
        alone = step_seconds / (elastic.relative_cost(graph) if elastic else 1)
        elastic, finish = _after_training(
            job, graph, recipe, training_precision, alone, preprocessing is not None, elastic
        )
        if precision == "int8":
            finish += INTEGERS_SHARE * max(0.0, deadline - time.monotonic())
        stop_by = deadline - finish
        check = FORWARD_SHARE * alone / recipe.batch_size * min(CHECKED_EACH_EPOCH, len(parts.validation))
        lengthened = 1 + share * (steps_on_all / steps - 1)
        epoch_seconds = (SLACK * steps * step_seconds + check) * lengthened
        epochs = max(1, int((1 - reserved) * (stop_by - time.monotonic()) / epoch_seconds))
        if recipe.most_epochs is not None:
            epochs = min(epochs, recipe.most_epochs)
    assert epochs is not None
    epochs, epochs_on_all = shared_out(epochs, share)
    return Plan(
        graph=graph,
        reason=reason,
        recipe=recipe,
        epochs=epochs,
        steps=steps,
        training_precision=training_precision,
        augmentation=chosen_augmentation(recipe, graph, epochs + epochs_on_all),
        weights=class_weights(labels, graph.source.classes, options.class_weights),
        preprocessing=preprocessing or FROM_SCRATCH,
        stop_by=stop_by,
        step_seconds=step_seconds,
        finish_seconds=finish,
        epochs_on_all=epochs_on_all,
        steps_on_all=steps_on_all if epochs_on_all else 0,
        elastic=elastic,
        precision=precision,
    )


def _after_training(
    job: Job,
    graph: Graph,
    recipe: Recipe,
    training_precision: str,
    alone: float,
    has_weights: bool,
    elastic: ElasticPlan | None,
) -> tuple[ElasticPlan | None, float]:
    """Return the elastic plan with its seconds, and all that is kept for what comes after training, in seconds.

    `alone`: seconds of one optimizer step of the network without sub-networks.
    """
    assert job.deadline is not None
    look = look_seconds(graph, recipe, job.device, training_precision, alone)
    finish = finish_seconds(job.parts, look, looks=1 + looks_back(recipe, has_weights or elastic is not None))
    if elastic is None:
        return None, finish
    elastic = elastic.keep_seconds(job, graph, look, job.deadline - finish - time.monotonic())
    return elastic, finish + elastic.front_seconds + elastic.tune_seconds


def plan_of_pick(
    job: Job,
    plan: Plan,
    graph: Graph,
    precision: str,
    objective: Objective,
    made: Mapping[str, Any],
    has_weights: bool,
) -> Plan:
    """Return how a cut of an elastic network is trained further: at the rate of the elastic plan, to the end of the time.

    Args:
        job: images, options, and the time there is.
        plan: of the elastic training.
        graph: the cut.
        precision: of its file.
        objective: what it learns.
        made: what `pick_json` made of the plan, where the run goes on; else empty, and the pace is measured.
        has_weights: whether the elastic training started from trained weights.
    """
    assert plan.elastic is not None
    recipe = replace(plan.recipe, lr=plan.elastic.tune_rate * plan.recipe.lr)
    tune_share = plan.elastic.tune_share
    share = share_on_all(job, recipe, has_weights, precision)
    steps_on_all = steps_of_all(job.parts, recipe)
    epochs, step_seconds = max(1, round(plan.epochs * tune_share / (1 - tune_share))), None
    stop_by = plan.stop_by
    if stop_by is not None:
        stop_by += plan.elastic.front_seconds + plan.elastic.tune_seconds
        if precision == "int8":
            stop_by -= INTEGERS_SHARE * max(0.0, stop_by - time.monotonic())
    if stop_by is not None and not made:
        timed, side = timed_images(plan.graph, recipe), plan.graph.image.height
        step_seconds = measure_step_seconds(
            graph, recipe, job.device, timed, plan.training_precision, objective=objective, resolution=side
        )
        epoch_steps = plan.steps + share * (steps_on_all - plan.steps)
        epochs = max(1, int((stop_by - time.monotonic()) / (SLACK * epoch_steps * step_seconds)))
    epochs, epochs_on_all = shared_out(min(epochs, recipe.most_epochs or epochs), share)
    pick = replace(
        plan,
        graph=graph,
        recipe=recipe,
        epochs=epochs,
        stop_by=stop_by,
        step_seconds=step_seconds,
        epochs_on_all=epochs_on_all,
        steps_on_all=steps_on_all if epochs_on_all else 0,
        elastic=None,
        precision=precision,
    )
    return replace(pick, **made)


def pick_json(pick: Plan) -> dict[str, Any]:
    """Return, as JSON values, what was decided of a pick's training when it began."""
    return {name: getattr(pick, name) for name in ("epochs", "epochs_on_all", "steps_on_all", "step_seconds")}


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


def share_on_all(job: Job, recipe: Recipe, has_weights: bool, precision: str) -> float:
    """Return the share of the epochs that learn from validation images, too.

    None do where these are to judge integers or halves afterwards.

    They do in the end of fine-tuning, where few of them were taken from train, and others judge. Statistics must stand still:
    those of a mean of weights would be others.
    """
    parts = job.parts
    may_learn = has_weights and precision == "fp32"
    is_few = not parts.is_given and len(parts.test) > 0 and len(parts.validation) <= FEW_TO_VALIDATE
    return SHARE_ON_ALL if may_learn and recipe.batch_norm_momentum is None and is_few else 0.0


def read_plan(content: Mapping[str, Any], job: Job) -> Plan:
    """Return the plan that `Plan.to_json` wrote, for the time that is left.

    Args:
        content: of plan.json.
        job: with the same images and options as then.
    """
    graph = resolve_again(content["model"])
    elastic = ElasticPlan.from_json(content.get("elastic"))
    recipe = chosen_recipe(job.options, len(job.labels), content["start"]["weights"] is not None, elastic is not None)
    return Plan(
        graph=graph,
        reason=content["reason"],
        recipe=replace(recipe, lr=content["recipe"]["lr"], batch_size=content["recipe"]["batch_size"]),
        epochs=content["epochs"],
        steps=content["steps_per_epoch"],
        training_precision=content.get("training_precision") or content["precision"],  # as older releases had it
        augmentation=Augmentation(**content["augmentation"]),
        weights=class_weights(job.labels, content["model"]["classes"], job.options.class_weights),
        preprocessing=Preprocessing.from_json(content["preprocessing"]),
        stop_by=None if job.deadline is None else job.deadline - content["finish_seconds"],
        step_seconds=content["step_seconds"],
        finish_seconds=content["finish_seconds"],
        epochs_on_all=content.get("epochs_on_all", 0),  # runs begun by an older release have none
        steps_on_all=content.get("steps_on_all", 0),
        classifier_decay=content.get("classifier_decay"),
        elastic=elastic,
        precision=content["precision"] if "training_precision" in content else "fp32",
    )


def decide_training_precision(
    job: Job, graph: Graph, step_seconds: float | None, has_weights: bool = False, elastic: ElasticPlan | None = None
) -> tuple[str, float | None]:
    """Return the precision to train in, and the seconds of one step in it where they are known.

    Args:
        job: images, options, and where training runs.
        graph: the network that it is measured on.
        step_seconds: of one step in float32, where that was measured.
        has_weights: whether training starts from trained weights.
        elastic: sizes that are trained with it.
    """
    asked = job.options.training_precision
    if asked != "auto":
        return asked, step_seconds if asked == "float32" else None
    recipe = chosen_recipe(job.options, len(job.labels), has_weights, elastic is not None)
    timed = timed_images(graph, recipe)
    objective = objective_of(graph, elastic)
    step_seconds = step_seconds or measure_step_seconds(graph, recipe, job.device, timed, objective=objective)
    return choose_precision(graph, recipe, job.device, timed, step_seconds, objective)
