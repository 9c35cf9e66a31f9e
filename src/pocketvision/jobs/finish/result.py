"""What came out of a job: just now, or in a run that is finished already."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Spent
from pocketvision.cost.int8 import name_in
from pocketvision.jobs.finish.file import spent_in
from pocketvision.jobs.finish.measure import Measurement, check_budget
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.runs.log import read_minutes
from pocketvision.model.resolve import resolve_again
from pocketvision.run.assess import Evaluation
from pocketvision.run.predictor import read_bytes
from pocketvision.run.record import record_of


@dataclass(frozen=True)
class Finished:
    """What came out.

    Attributes:
        model: the file.
        name: the network's full name.
        evaluation: the score on the test part, or on validation where there is no test part.
        minutes: wall time in all.
        measurement: latency, load time and memory of the file on this machine.
        spent: what the file takes of each limit of a budget.
    """

    model: Path
    name: str
    evaluation: Evaluation
    minutes: float
    measurement: Measurement
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "model": str(self.model),
            "network": self.name,
            **self.evaluation.to_json(),
            "minutes": self.minutes,
            "measured": self.measurement.to_json(),
            "size_mb": self.spent.size_mb,
            "memory_mb": self.spent.memory_mb,
            "macs": self.spent.macs,
        }


def read_finished(run: RunFolder, options: FitOptions, latencies: Latencies) -> Finished:
    """Return what came out of a run that is finished, from its file and log.

    Raises:
        BudgetMissed: the file is over the budget.
    """
    record = record_of(read_bytes(run.model))
    part = "test" if "test" in record.metrics else "validation"
    measurement, graph = Measurement.from_json(record.latencies[0]), resolve_again(record.model)
    spent = spent_in(run.model, graph, record, measurement, latencies)
    name, evaluation = name_in(record.precision, graph.name), Evaluation(**record.metrics[part])
    finished = Finished(run.model, name, evaluation, read_minutes(run.path), measurement, spent)
    check_budget(run.model, options.budget, spent, finished)
    return finished
