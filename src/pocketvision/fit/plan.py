"""The plan: everything that is decided or measured before the first step."""

import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.choose.candidates import SMALL, Asked, Pick, list_candidates, pick
from pocketvision.cost.count import count
from pocketvision.data.augment import Augmentation
from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import steps_per_epoch
from pocketvision.data.split import Split
from pocketvision.data.survey import Survey
from pocketvision.events import Event, Note, Progress
from pocketvision.fit.options import FitOptions
from pocketvision.model.graph import Graph
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.loss import class_weights
from pocketvision.train.recipe import Recipe, find_recipe
from pocketvision.train.speed import choose_precision, measure_step_seconds

CHECKED_EACH_EPOCH = 2000  # validation images; all of them at the end
FINISH_SECONDS = 6.0  # goldens, parity, writing and verifying the file
SLACK = 1.03  # a step among others takes a little longer than a step measured alone
FORWARD_SHARE = 0.4  # of a training step's time, for images that are only looked at
SMALLEST_BATCH = 16  # images: batch norm needs some
STEPS_WANTED = 20  # in an epoch; with few images a smaller batch takes more steps
SHIFT_FROM_EPOCHS = 10
TIMED_MACS = 2_000_000_000  # forward multiply-adds in a timed step
DECODED_FOR_TIMING = 32  # images


@dataclass(frozen=True)
class Plan:
    """What will be trained, and how.

    Attributes:
        graph: the network.
        reason: why this one.
        recipe: with the user's changes.
        epochs, steps: passes, and optimizer steps in each.
        precision: "float32" or "bfloat16".
        augmentation: for images of this size.
        weights: one a class, or None.
        stop_by: `time.monotonic()` at which training should be over, or None.
    """

    graph: Graph
    reason: str
    recipe: Recipe
    epochs: int
    steps: int
    precision: str
    augmentation: Augmentation
    weights: NDArray[np.float32] | None
    stop_by: float | None

    def to_json(self) -> dict[str, Any]:
        """Return all decisions as JSON values."""
        return {
            "network": self.graph.name,
            "model": model_json(self.graph),
            "reason": self.reason,
            "recipe": asdict(self.recipe),
            "epochs": self.epochs,
            "steps_per_epoch": self.steps,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "augmentation": asdict(self.augmentation),
            "class_weights": None if self.weights is None else [round(float(w), 6) for w in self.weights],
        }


def model_json(graph: Graph) -> dict[str, Any]:
    """Return the network's name, options and costs as JSON values."""
    assert graph.options is not None
    cost = count(graph)
    return {"name": graph.name, **graph.options._asdict(), "params": cost.params, "macs": cost.macs}


def choose_network(
    dataset: Dataset,
    parts: Split,
    seen: Survey,
    options: FitOptions,
    device: torch.device,
    deadline: float | None,
) -> Generator[Event, None, Pick]:
    """Return the network to train; where there is a deadline, after measuring how fast each candidate trains here."""
    asked = Asked(
        family=None if options.family == "auto" else options.family,
        classes=len(dataset.classes),
        in_channels=1 if seen.grey else 3,
        width=options.width,
        resolution=options.resolution,
        output_stride=options.output_stride,
    )
    recipe = chosen_recipe(options, len(parts.train))
    graphs = list_candidates(asked, seen.short_side_median)
    measured: list[Note] = []

    def measure(graph: Graph) -> float:
        seconds = measure_step_seconds(graph, recipe, device, timed_images(graph, recipe))
        rate = recipe.batch_size / seconds
        measured.append(Note(f"{graph.name}: {rate:,.0f} images/s in training, {count(graph).macs / 1e6:.1f} M MACs."))
        return seconds

    seconds = None
    if deadline is not None:
        yield Progress("measuring how fast networks train here", 0, 1)
        decoding = decode_seconds(dataset, graphs[-1])
        seconds = max(1.0, deadline - time.monotonic() - FINISH_SECONDS - decoding)
    chosen = pick(graphs, measure, steps_per_epoch(len(parts.train), recipe.batch_size), seconds)
    yield from measured
    yield Note(f"Network: {chosen.graph.name}, {chosen.reason}.")
    return chosen


def make_plan(
    chosen: Pick,
    labels: NDArray[np.int64],
    parts: Split,
    options: FitOptions,
    device: torch.device,
    deadline: float | None,
) -> Generator[Event, None, Plan]:
    """Return the plan: whole epochs into the time that is left.

    Args:
        chosen: the network.
        labels: of the training images.
        parts: how many images there are to look at.
        options: what was asked for.
        device: where training runs.
        deadline: `time.monotonic()` by which the file should be there, or None.
    """
    graph, recipe = chosen.graph, chosen_recipe(options, len(labels))
    assert graph.options is not None
    steps = steps_per_epoch(len(labels), recipe.batch_size)
    precision, step_seconds, timed = options.precision, chosen.step_seconds, timed_images(graph, recipe)
    if precision == "bfloat16":
        step_seconds = None  # the pick was measured in float32
    if precision == "auto":
        step_seconds = step_seconds or measure_step_seconds(graph, recipe, device, timed)
        precision, step_seconds = choose_precision(graph, recipe, device, timed, step_seconds)
    epochs, stop_by = options.epochs, None
    if deadline is not None:
        step_seconds = step_seconds or measure_step_seconds(graph, recipe, device, timed, precision)
        look_seconds = FORWARD_SHARE * step_seconds / recipe.batch_size
        finish = FINISH_SECONDS + look_seconds * (len(parts.validation) + len(parts.test))
        epoch_seconds = SLACK * steps * step_seconds + look_seconds * min(CHECKED_EACH_EPOCH, len(parts.validation))
        stop_by = deadline - finish
        epochs = max(1, int((stop_by - time.monotonic()) / epoch_seconds))
        yield Note(f"Plan: {epochs} epochs of about {epoch_seconds:.0f} s each, in {precision}.")
    assert epochs is not None
    weights = class_weights(labels, graph.options.classes, options.class_weights)
    if weights is not None:
        yield Note(f"Classes are weighed by their images, from {weights.min():.2f} to {weights.max():.2f}.")
    return Plan(
        graph=graph,
        reason=chosen.reason,
        recipe=recipe,
        epochs=epochs,
        steps=steps,
        precision=precision,
        augmentation=chosen_augmentation(recipe, graph, epochs),
        weights=weights,
        stop_by=stop_by,
    )


def chosen_recipe(options: FitOptions, images: int) -> Recipe:
    """Return the recipe with the user's changes; few images get smaller batches, and the rate that goes with them.

    Args:
        options: what was asked for.
        images: how many there are to train on.
    """
    recipe = find_recipe(options.recipe)
    if options.lr is not None:
        recipe = replace(recipe, lr=options.lr)
    batch_size = options.batch_size or min(recipe.batch_size, max(SMALLEST_BATCH, images // STEPS_WANTED))
    lr = recipe.lr if options.lr is not None else recipe.lr * batch_size / recipe.batch_size
    return replace(recipe, batch_size=batch_size, lr=lr)


def chosen_augmentation(recipe: Recipe, graph: Graph, epochs: int) -> Augmentation:
    """Return how images of this size are changed; few epochs do not have the time to learn shifted ones: docs/log.md."""
    if graph.image.height > SMALL:
        return recipe.augmentation
    return recipe.small_augmentation if epochs >= SHIFT_FROM_EPOCHS else replace(recipe.small_augmentation, shift=0.0)


def timed_images(graph: Graph, recipe: Recipe) -> int:
    """Return how many images a timed step has: fewer of a large network, so that measuring stays short."""
    return max(8, min(recipe.batch_size, TIMED_MACS // count(graph).macs))


def decode_seconds(dataset: Dataset, graph: Graph) -> float:
    """Estimate how long decoding all images once will take, from a few of them."""
    some = np.linspace(0, len(dataset) - 1, min(DECODED_FOR_TIMING, len(dataset))).astype(int)
    began = time.perf_counter()
    load_images([dataset.image(int(i)) for i in some], graph.image.height, graph.image.channels, Preprocessing())
    return (time.perf_counter() - began) / len(some) * len(dataset) / max(1, torch.get_num_threads())


def may_flip(classes: tuple[str, ...], asked: bool | None) -> tuple[bool, str]:
    """Return whether mirrored images still show their class, and why.

    >>> may_flip(("0", "1", "2"), None)
    (False, 'class names of one character are letters or digits, which are not mirrored')
    """
    if asked is not None:
        return asked, "as asked"
    if all(len(name) == 1 for name in classes):
        return False, "class names of one character are letters or digits, which are not mirrored"
    return True, "the default"
