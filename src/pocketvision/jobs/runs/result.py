"""What came out of a job: just now, or in a run that is finished already."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Budget, Spent
from pocketvision.cost.int8 import name_in
from pocketvision.events import drain
from pocketvision.export.evaluate import Evaluation
from pocketvision.jobs.cut import Written, cut_run, read_front
from pocketvision.jobs.finish.measure import Measurement, check_budget, spent_of
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.model.graph import Graph
from pocketvision.model.resolve import resolve_again
from pocketvision.run.predictor import read_bytes
from pocketvision.run.record import Record, record_of


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

    def front(self) -> dict[str, Any]:
        """Return all sizes of an elastic run, see `pocketvision.jobs.sizes.store.front_json`.

        Raises:
            BadOption: the run was not elastic.
        """
        return drain(read_front(self.model.parent))

    def cut(self, budget: Budget, out: str | Path) -> Written:
        """Write the best cut of an elastic run within another budget; nothing is trained.

        Raises:
            BadOption, NoFit, BudgetMissed: see `pocketvision.jobs.cut.cut_run`.
        """
        return drain(cut_run(self.model.parent, Path(out), budget))

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


def read_finished(run: RunFolder, options: FitOptions) -> Finished:
    """Return what came out of a run that is finished, from its file and log."""
    record = record_of(read_bytes(run.model))
    part = "test" if "test" in record.metrics else "validation"
    evaluation, measurement = Evaluation(**record.metrics[part]), Measurement.from_json(record.latencies[0])
    graph = resolve_again(record.model)
    precision = record.precision
    spent = spent_in(run, graph, record, measurement, options)
    check_budget(run.model, options.budget, spent)
    return Finished(run.model, name_in(precision, graph.name), evaluation, run.minutes(), measurement, spent)


def spent_in(run: RunFolder, graph: Graph, record: Record, measurement: Measurement, options: FitOptions) -> Spent:
    """Return what the file takes of each limit; the latency here is none on another device."""
    latency, floats = measurement.latency if options.target is None else None, record.model.get("floats", ())
    return spent_of(graph, run.model.stat().st_size, latency, record.precision, floats)
