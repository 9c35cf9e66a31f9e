"""fit --plan: what a job would do, up to the first step; nothing is trained or written."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketvision.choose.candidates import Candidate
from pocketvision.events import Work
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.plan import Plan, decide_pace, make_plan
from pocketvision.jobs.plan.read import read_images
from pocketvision.jobs.plan.room import disk_bytes, later_stages, training_bytes
from pocketvision.jobs.plan.search import Found, decide
from pocketvision.jobs.plan.sizes import workload
from pocketvision.jobs.plan.timetable import Timetable
from pocketvision.run.footprint import peak_memory_mb


@dataclass(frozen=True)
class Preview:
    """What would be done.

    Attributes:
        found: the candidates, the finalists and why these.
        device: name of the device that the budget is for.
        plan: of the first finalist; a trial may still prefer another one.
        training_minutes: that its training will take.
        disk_mb: of the run folder, in 10^6 bytes.
        memory_mb: of this process while it trains, in 10^6 bytes, estimated.
    """

    found: Found
    device: str
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
            "device": self.device,
            "candidates": self.found.to_json(),
            "epochs": self.plan.epochs,
            "epochs_on_all": self.plan.epochs_on_all,
            "training_minutes": round(self.training_minutes, 2),
            "disk_mb": round(self.disk_mb, 1),
            "memory_mb": round(self.memory_mb),
        }


def preview(data: str | Path, options: FitOptions) -> Work[Preview]:
    """Do all that `fit` does before the first step.

    Raises:
        InputError, NoFit: as `fit` would.
    """
    timetable = Timetable.of(time.monotonic(), options.minutes)
    read = yield from read_images(data)
    given, found = yield from decide(read.given(options, timetable))
    first, graph = found.finalists[0], found.finalists[0].graph
    pace = decide_pace(given, graph, found.step_seconds.get(graph.name), found.elastic)
    plan = make_plan(given, first, pace, found.reason, found.elastic)
    training = workload(given, graph, plan.recipe, found.elastic)
    step_seconds = plan.step_seconds or training.step_seconds(pace.precision)
    seconds = replace(plan, step_seconds=step_seconds).training_seconds or 0.0
    images = sum(map(len, (read.parts.train, read.parts.validation, read.parts.test)))
    memory_mb = peak_memory_mb() + training_bytes(graph, plan.recipe.batch_size, images) / 1e6
    disk_mb = disk_bytes(graph, later_stages(plan)) / 1e6
    return Preview(found, str(given.latencies.device), plan, seconds / 60, disk_mb, memory_mb)
