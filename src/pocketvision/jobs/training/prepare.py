"""Trainings made ready: the finalists of a search, or the one network of a run that is resumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.pixels import Pixels
from pocketvision.events import Note, Work
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.initial_weights import Start
from pocketvision.jobs.plan.plan import Plan, decide_pace, make_plan
from pocketvision.jobs.plan.recipe import may_flip
from pocketvision.jobs.plan.search import Found
from pocketvision.jobs.plan.sizes import objective_of
from pocketvision.jobs.training.classifier import can_fit, fit_classifier
from pocketvision.jobs.training.training import Training
from pocketvision.jobs.training.trials import TRIAL_SHARE
from pocketvision.model.graph import Graph
from pocketvision.model.kernels.library import find_kernels, kernels
from pocketvision.model.rewrite import Arrays, sort_by_importance
from pocketvision.model.transfer import transfer
from pocketvision.model.weights.load import Weights
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.statistics import recalibrate


def prepare(given: Given, found: Found) -> Work[list[Training]]:
    """Return the finalists ready to train, each with images at its resolution, and its plan."""
    flip, reason = may_flip(given.dataset.classes, given.options.flip)
    yield Note(f"Training images are {'' if flip else 'not '}mirrored: {reason}.")
    if given.device.type == "cpu" and (reason := find_kernels()[1]):
        yield Note(f"Training does without C kernels, which make it up to twice as fast: {reason}.")
    first = found.finalists[0].graph
    pace = decide_pace(given, first, found.step_seconds.get(first.name), found.elastic)
    known = {**(found.step_seconds if pace.precision == "float32" else {}), first.name: pace.step_seconds}
    trial_share = TRIAL_SHARE * len(found.finalists) if len(found.finalists) > 1 else 0.0
    images: dict[int, tuple[Pixels, Pixels]] = {}
    for graph in (candidate.graph for candidate in found.finalists):
        if graph.image.height not in images:
            images[graph.image.height] = yield from _decode_both(given, graph, given.preprocessing)
    trainings = []
    for candidate in found.finalists:
        own = replace(pace, step_seconds=known.get(candidate.graph.name))
        plan = make_plan(given, candidate, own, found.reason, found.elastic, trial_share)
        plan = replace(plan, augmentation=replace(plan.augmentation, flip=flip))
        objective = objective_of(plan.graph, plan.elastic, given.options.seed)
        both = images[plan.graph.image.height]
        trainings.append(Training(plan, *both, given.options.seed, given.device, objective=objective))
    return trainings


def prepare_again(given: Given, content: Mapping[str, Any], plan: Plan, start: Arrays | None) -> Work[Training]:
    """Return the training of a run that was begun.

    Args:
        given: the same images and options as then.
        content: of plan.json.
        plan: in it.
        start: the weights that training started from; None: they were initialised.
    """
    if content["threads"] != torch.get_num_threads():
        yield Note(
            f"The run was begun with {content['threads']} threads, now there are {torch.get_num_threads()}: the weights will "
            "differ in the last digits from those of a run that was never stopped."
        )
    if given.device.type == "cpu" and content["kernels"] != (kernels() is not None):
        yield Note(
            f"The run was begun {'with' if content['kernels'] else 'without'} C kernels, and is resumed "
            f"{'with' if kernels() else 'without'}: the weights will differ in the last digits from those of a run that was "
            "never stopped."
        )
    images = yield from _decode_both(given, plan.graph, plan.preprocessing)
    objective = objective_of(plan.graph, plan.elastic, given.options.seed)
    return Training(plan, *images, given.options.seed, given.device, start, objective)


def begin_with(training: Training, weights: Weights, sentences: tuple[str, ...]) -> Work[tuple[Training, Start]]:
    """Return a training that starts from trained weights, its classifier fitted on their features; and what was done."""
    graph = training.plan.graph
    arrays, changed = transfer(weights.arrays, weights.graph, graph, training.seed)
    for sentence in changed:
        yield Note(sentence)
    if graph.source.width < weights.graph.source.width:
        arrays = yield from recalibrate(graph, arrays, training.train)
    if training.plan.elastic is not None:
        arrays = sort_by_importance(graph, arrays)  # so that leading channels, which all cuts have, are the best
    if not can_fit(graph):
        yield Note(
            "Its classifier is no linear layer with a bias on the features: it is initialised, and trained with the rest."
        )
        return replace(training, start=arrays), Start(weights, (*sentences, *changed))
    fitted = yield from fit_classifier(training.plan, arrays, training.train, training.validation)
    said = f"Its classifier alone, fitted on features of the weights as they were: validation top-1 {fitted.validation_top1:.4f}."
    plan = replace(training.plan, classifier_decay=fitted.decay)
    return replace(training, plan=plan, start=fitted.arrays), Start(weights, (*sentences, *changed, said))


def _decode_both(given: Given, graph: Graph, preprocessing: Preprocessing) -> Work[tuple[Pixels, Pixels]]:
    train = yield from decode(given, given.parts.train, graph, preprocessing, "training")
    validation = yield from decode(given, given.parts.validation, graph, preprocessing, "validation")
    return train, validation


def decode(
    given: Given, indices: NDArray[np.int64], graph: Graph, preprocessing: Preprocessing, part: str
) -> Work[Pixels]:
    """Return a part's images at the network's resolution."""
    pixels = Pixels(given.dataset, indices, graph.image.height, graph.image.channels, preprocessing)
    yield from pixels.decode(f"decoding {part} images", round(1e9 * given.options.cache_gb))
    return pixels
