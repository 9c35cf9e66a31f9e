"""fit --plan: what a job would do, up to the first step; nothing is trained or written."""

import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketvision.choose.candidates import Candidate
from pocketvision.events import Event
from pocketvision.jobs.fit import read
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.initial_weights import decide
from pocketvision.jobs.plan.plan import Plan, decide_training_precision, make_plan
from pocketvision.jobs.plan.room import disk_bytes, later_trainings, training_bytes
from pocketvision.jobs.plan.search import Found
from pocketvision.jobs.plan.sizes import objective_of
from pocketvision.run.footprint import peak_memory_mb
from pocketvision.train.speed import find_device, measure_step_seconds


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
            "epochs_on_all": self.plan.epochs_on_all,
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
    dataset, parts, seen, _ = yield from read(data)
    job = Job(dataset, parts, seen, options, find_device(options.accelerator), deadline)
    start, found = yield from decide(job)
    weights = start.weights
    first = found.finalists[0]
    known = found.step_seconds.get(first.graph.name)
    training_precision, seconds = decide_training_precision(job, first.graph, known, weights is not None, found.elastic)
    preprocessing = None if weights is None else weights.preprocessing
    plan = make_plan(
        job, first.graph, found.reason, training_precision, seconds, 0.0, preprocessing, found.elastic, first.precision
    )
    objective = objective_of(first.graph, found.elastic)
    step_seconds = plan.step_seconds or measure_step_seconds(
        first.graph, plan.recipe, job.device, 8, training_precision, objective=objective
    )
    training = replace(plan, step_seconds=step_seconds).training_seconds or 0.0
    images = sum(map(len, (parts.train, parts.validation, parts.test)))
    memory_mb = peak_memory_mb() + training_bytes(first.graph, plan.recipe.batch_size, images) / 1e6
    return Preview(found, plan, training / 60, disk_bytes(first.graph, later_trainings(plan)) / 1e6, memory_mb)
