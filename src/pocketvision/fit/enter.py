"""Networks ready to train: the finalists of a search, or the one network of a run that goes on."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import Pixels
from pocketvision.data.split import Split
from pocketvision.events import Event, Note
from pocketvision.fit.contest import TRIAL_SHARE, Entry
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import decide_precision, make_plan, may_flip, read_plan
from pocketvision.fit.search import Found
from pocketvision.model.graph import Graph
from pocketvision.run.preprocessing import Preprocessing

PREPROCESSING = Preprocessing()


def enter(
    found: Found,
    dataset: Dataset,
    parts: Split,
    options: FitOptions,
    device: torch.device,
    deadline: float | None,
) -> Generator[Event, None, list[Entry]]:
    """Return the finalists ready to train, each with images at its resolution, and its plan."""
    flip, reason = may_flip(dataset.classes, options.flip)
    yield Note(f"Training images are {'' if flip else 'not '}mirrored: {reason}.")
    labels = dataset.labels[parts.train]
    first = found.finalists[0]
    precision, seconds = decide_precision(first.graph, len(labels), options, device, found.step_seconds.get(first.name))
    reserved = TRIAL_SHARE * len(found.finalists) if len(found.finalists) > 1 else 0.0
    known = {**(found.step_seconds if precision == "float32" else {}), first.name: seconds}
    images: dict[int, tuple[Pixels, Pixels]] = {}
    for candidate in found.finalists:
        if candidate.graph.image.height not in images:
            images[candidate.graph.image.height] = yield from _decode_both(dataset, parts, candidate.graph)
    entries = []
    for candidate in found.finalists:
        step_seconds = known.get(candidate.name)
        plan = make_plan(
            candidate.graph, found.reason, labels, parts, options, device, deadline, precision, step_seconds, reserved
        )
        plan = replace(plan, augmentation=replace(plan.augmentation, flip=flip))
        entries.append(Entry(plan, *images[plan.graph.image.height], options.seed, device))
    return entries


def enter_again(
    content: Mapping[str, Any],
    dataset: Dataset,
    parts: Split,
    options: FitOptions,
    device: torch.device,
    deadline: float | None,
) -> Generator[Event, None, Entry]:
    """Return the network of a run that was begun, ready to train, by the decisions in its plan.json."""
    if content["threads"] != torch.get_num_threads():
        yield Note(
            f"The run was begun with {content['threads']} threads, now there are {torch.get_num_threads()}: the weights will "
            "differ in the last digits from those of a run that was never stopped."
        )
    plan = read_plan(content, dataset.labels[parts.train], options, deadline)
    images = yield from _decode_both(dataset, parts, plan.graph)
    return Entry(plan, *images, options.seed, device)


def _decode_both(dataset: Dataset, parts: Split, graph: Graph) -> Generator[Event, None, tuple[Pixels, Pixels]]:
    train = yield from decode(dataset, parts.train, graph, "training")
    validation = yield from decode(dataset, parts.validation, graph, "validation")
    return train, validation


def decode(dataset: Dataset, indices: NDArray[np.int64], graph: Graph, part: str) -> Generator[Event, None, Pixels]:
    """Return a part's images at the network's resolution."""
    pixels = Pixels(dataset, indices, graph.image.height, graph.image.channels, PREPROCESSING)
    yield from pixels.decode(f"decoding {part} images")
    return pixels
