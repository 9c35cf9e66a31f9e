"""fit --plan: what a job would do, up to the first step; nothing is trained or written."""

import time
from collections.abc import Generator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from pocketvision.choose.candidates import Candidate
from pocketvision.cost.count import count
from pocketvision.data.split import Split
from pocketvision.events import Event
from pocketvision.fit.flow import read
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import Plan, decide_precision, make_plan
from pocketvision.fit.search import Found, search
from pocketvision.run.footprint import peak_memory_mb
from pocketvision.train.speed import find_device, measure_step_seconds

KEPT_ACTIVATIONS = 2.5  # times the forward pass's outputs: inputs and outputs of each op, kept for the gradients
KEPT_WEIGHTS = 4  # weights, gradients, momentum, averaged weights
LOG_MB = 1.0  # log, plan and curves


@dataclass(frozen=True)
class Preview:
    """What would be done.

    Attributes:
        found: the candidates, the finalists and why these.
        plan: of the first finalist; a trial may still prefer another one.
        training_minutes: that its training will take.
        disk_mb: of the run folder, in 10^6 bytes.
        memory_mb: of this process while it trains, in 10^6 bytes, estimated.
    """

    found: Found
    plan: Plan
    training_minutes: float
    disk_mb: float
    memory_mb: float

    @property
    def pick(self) -> Candidate:
        """The network that would be trained."""
        return self.found.finalists[0]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "network": self.pick.name,
            "finalists": [candidate.name for candidate in self.found.finalists],
            "reason": self.found.reason,
            "device": self.found.device,
            "candidates": self.found.to_json(),
            "epochs": self.plan.epochs,
            "training_minutes": round(self.training_minutes, 2),
            "disk_mb": round(self.disk_mb, 1),
            "memory_mb": round(self.memory_mb),
        }


def preview(data: str | Path, options: FitOptions) -> Generator[Event, None, Preview]:
    """Do all that `fit` does before the first step.

    Raises:
        InputError, NoFit: as `fit` would.
    """
    deadline = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    dataset, parts, seen = yield from read(data)
    device = find_device(options.accelerator)
    found = yield from search(dataset, parts, seen, options, device, deadline)
    first = found.finalists[0]
    labels = dataset.labels[parts.train]
    known = found.step_seconds.get(first.name)
    precision, seconds = decide_precision(first.graph, len(labels), options, device, known)
    plan = make_plan(first.graph, found.reason, labels, parts, options, device, deadline, precision, seconds)
    step_seconds = plan.step_seconds or measure_step_seconds(first.graph, plan.recipe, device, 8, precision)
    training = plan.epochs * plan.steps * step_seconds
    disk_mb = first.spent.size_mb + 4 * count(first.graph).params / 1e6 + LOG_MB
    return Preview(found, plan, training / 60, disk_mb, _memory_mb(first, plan, parts))


def _memory_mb(first: Candidate, plan: Plan, parts: Split) -> float:
    """Estimate the memory of training: the images, the weights and what a step keeps, on top of what is there now."""
    cost = count(first.graph)
    images = sum(map(len, (parts.train, parts.validation, parts.test))) * prod(first.graph.image)
    weights = KEPT_WEIGHTS * 4 * cost.params
    activations = KEPT_ACTIVATIONS * plan.recipe.batch_size * cost.activation_bytes
    return peak_memory_mb() + (images + weights + activations) / 1e6
