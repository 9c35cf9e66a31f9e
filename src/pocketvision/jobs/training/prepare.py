"""Networks ready to train: the finalists of a search, or the one network of a run that goes on."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.loader import Pixels
from pocketvision.events import Event, Note
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.initial_weights import Start
from pocketvision.jobs.plan.plan import decide_training_precision, make_plan, read_plan
from pocketvision.jobs.plan.recipe import may_flip
from pocketvision.jobs.plan.search import Found
from pocketvision.jobs.plan.sizes import objective_of
from pocketvision.jobs.training.head import can_fit, fit_head
from pocketvision.jobs.training.trials import TRIAL_SHARE, Entry
from pocketvision.model.graph import Graph
from pocketvision.model.kernels.library import find_kernels, kernels
from pocketvision.model.rewrite import Arrays, sort_by_importance
from pocketvision.model.transfer import transfer
from pocketvision.model.weights.load import Weights
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from pocketvision.train.statistics import recalibrate


def enter(job: Job, found: Found, weights: Weights | None) -> Generator[Event, None, list[Entry]]:
    """Return the finalists ready to train, each with images at its resolution, and its plan."""
    flip, reason = may_flip(job.dataset.classes, job.options.flip)
    yield Note(f"Training images are {'' if flip else 'not '}mirrored: {reason}.")
    if job.device.type == "cpu" and (reason := find_kernels()[1]):
        yield Note(f"Training does without C kernels, which make it up to twice as fast: {reason}.")
    first = found.finalists[0]
    preprocessing = None if weights is None else weights.preprocessing
    known_seconds = found.step_seconds.get(first.graph.name)
    training_precision, seconds = decide_training_precision(
        job, first.graph, known_seconds, weights is not None, found.elastic
    )
    reserved = TRIAL_SHARE * len(found.finalists) if len(found.finalists) > 1 else 0.0
    known = {**(found.step_seconds if training_precision == "float32" else {}), first.graph.name: seconds}
    images: dict[int, tuple[Pixels, Pixels]] = {}
    for candidate in found.finalists:
        if candidate.graph.image.height not in images:
            images[candidate.graph.image.height] = yield from _decode_both(
                job, candidate.graph, preprocessing or FROM_SCRATCH
            )
    entries = []
    for candidate in found.finalists:
        step_seconds = known.get(candidate.graph.name)
        plan = make_plan(
            job,
            candidate.graph,
            found.reason,
            training_precision,
            step_seconds,
            reserved,
            preprocessing,
            found.elastic,
            candidate.precision,
        )
        plan = replace(plan, augmentation=replace(plan.augmentation, flip=flip))
        objective = objective_of(plan.graph, plan.elastic, job.options.seed)
        entries.append(Entry(plan, *images[plan.graph.image.height], job.options.seed, job.device, objective=objective))
    return entries


def enter_again(job: Job, content: Mapping[str, Any], start: Arrays | None) -> Generator[Event, None, Entry]:
    """Return the network of a run that was begun, ready to train, by the decisions in its plan.json.

    `start` are the weights that training started from; None: drawn ones.
    """
    if content["threads"] != torch.get_num_threads():
        yield Note(
            f"The run was begun with {content['threads']} threads, now there are {torch.get_num_threads()}: the weights will "
            "differ in the last digits from those of a run that was never stopped."
        )
    if job.device.type == "cpu" and content.get("kernels", False) != (kernels() is not None):
        yield Note(
            f"The run was begun {'with' if content.get('kernels') else 'without'} C kernels, and goes on "
            f"{'with' if kernels() else 'without'}: the weights will differ in the last digits from those of a run that was "
            "never stopped."
        )
    plan = read_plan(content, job)
    images = yield from _decode_both(job, plan.graph, plan.preprocessing)
    objective = objective_of(plan.graph, plan.elastic, job.options.seed)
    return Entry(plan, *images, job.options.seed, job.device, start, objective)


def begin_with(
    entry: Entry, weights: Weights, sentences: tuple[str, ...]
) -> Generator[Event, None, tuple[Entry, Start]]:
    """Return an entry that starts from trained weights, its classifier fitted on their features; and what was done."""
    graph = entry.plan.graph
    arrays, changed = transfer(weights.arrays, weights.graph, graph, entry.seed)
    for sentence in changed:
        yield Note(sentence)
    if graph.source.width < weights.graph.source.width:
        arrays = yield from recalibrate(graph, arrays, entry.train)
    if entry.plan.elastic is not None:
        arrays = sort_by_importance(graph, arrays)  # so that leading channels, which all cuts have, are the best
    if not can_fit(graph):
        yield Note(
            "Its classifier is no linear layer with a bias on the features: it is drawn anew, and trained with the rest."
        )
        return replace(entry, start=arrays), Start(weights, (*sentences, *changed))
    head = yield from fit_head(entry.plan, arrays, entry.train, entry.validation)
    said = f"Its classifier alone, fitted on features of the weights as they were: validation top-1 {head.validation_top1:.4f}."
    plan = replace(entry.plan, classifier_decay=head.decay)
    return replace(entry, plan=plan, start=head.arrays), Start(weights, (*sentences, *changed, said))


def _decode_both(job: Job, graph: Graph, preprocessing: Preprocessing) -> Generator[Event, None, tuple[Pixels, Pixels]]:
    train = yield from decode(job, job.parts.train, graph, preprocessing, "training")
    validation = yield from decode(job, job.parts.validation, graph, preprocessing, "validation")
    return train, validation


def decode(
    job: Job, indices: NDArray[np.int64], graph: Graph, preprocessing: Preprocessing, part: str
) -> Generator[Event, None, Pixels]:
    """Return a part's images at the network's resolution."""
    pixels = Pixels(job.dataset, indices, graph.image.height, graph.image.channels, preprocessing)
    yield from pixels.decode(f"decoding {part} images", round(1e9 * job.options.cache_gb))
    return pixels
