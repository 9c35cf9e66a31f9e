"""What the finished network takes on this machine: measured again, on the file that is handed out."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Budget, Spent, written
from pocketvision.cost.count import count
from pocketvision.cost.int8 import counted_memory_mb
from pocketvision.cost.probe import measure_footprint, measure_latencies
from pocketvision.errors import BudgetMissed
from pocketvision.events import Measured, Work, drain
from pocketvision.model.graph import Graph
from pocketvision.run.device import this_device
from pocketvision.run.engines import DEFAULT, OnnxRuntime
from pocketvision.run.predictor import Predictor
from pocketvision.run.timing import Timing, time_interleaved
from pocketvision.text import command

SECONDS = 3.0
# Where the first measurement is over the limit.
CAREFUL_SECONDS = 20.0


@dataclass(frozen=True, eq=False)
class Measuring:
    """How a finished file is measured on this machine.

    Attributes:
        image: one image of the user's, as `Predictor.predict` takes it.
        threads: of the engine.
        limit_ms: the budget's latency; a first measurement above it is repeated with more care. None: there is no limit here.
    """

    image: Any
    threads: int
    limit_ms: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One file on this machine.

    Attributes:
        latency: one call of the engine on a ready uint8 array.
        label: from an image's file to its label, decoding included.
        load_ms, rss_mb: in a process of its own; None where none could be started.
        threads: of the engine.
    """

    latency: Timing
    label: Timing
    load_ms: float | None
    rss_mb: float | None
    threads: int

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Measurement":
        """Return what `to_json` wrote, as far as that is known there: no rounds."""
        latency = Timing(content["latency_ms"], content["p95_ms"], content["noise_ms"], 0)
        label = Timing(content["label_ms"], content["label_ms"], 0.0, 0)
        return cls(latency, label, content["load_ms"], content["rss_mb"], content["threads"])

    def to_json(self) -> dict[str, Any]:
        """Return it for the file's record."""
        device = this_device()
        return {
            "device": str(device),
            "system": device.system,
            "engine": OnnxRuntime.name,
            "engine_version": OnnxRuntime.version,
            "threads": self.threads,
            "date": datetime.now(UTC).date().isoformat(),
            "latency_ms": self.latency.median_ms,
            "p95_ms": self.latency.p95_ms,
            "noise_ms": self.latency.noise_ms,
            "label_ms": self.label.median_ms,
            "load_ms": self.load_ms,
            "rss_mb": self.rss_mb,
        }


def measure_file(model: bytes, how: Measuring) -> Work[Measurement]:
    """Measure a finished model, given as the bytes of its file."""
    threads, limit = how.threads, how.limit_ms
    with tempfile.TemporaryDirectory(prefix="pocketvision-measure-") as folder:
        path = Path(folder, "model.onnx")
        path.write_bytes(model)
        found = yield from measure_latencies({"model.onnx": path}, threads, SECONDS)
        latency = found["model.onnx"]
        if limit is not None and latency.median_ms + latency.noise_ms > limit:
            found = yield from measure_latencies({"model.onnx": path}, threads, CAREFUL_SECONDS)
            latency = found["model.onnx"]
        footprint = measure_footprint(path, threads)
    label = _time_label(Predictor.open(model, threads, engine=DEFAULT), how.image)
    return Measurement(latency, label, footprint.get("load_ms"), footprint.get("rss_mb"), threads)


def _time_label(predictor: Predictor, image: Any) -> Timing:
    return drain(time_interleaved({"label": lambda: partial(predictor.predict, image)}, SECONDS))["label"]


def spent_of(
    graph: Graph, size_bytes: int, latency: Timing | None, precision: str = "fp32", floats: Sequence[str] = ()
) -> Spent:
    """Return what the finished file takes of each limit; without a latency where the budget is for another device.

    `graph` is the fp32 network's, whatever the precision of the file; `floats`: layers of an int8 network that stay fp32.
    """
    memory_mb = counted_memory_mb(graph, precision, floats)
    spent = Spent(macs=count(graph).macs, memory_mb=memory_mb, size_mb=size_bytes / 1e6)
    if latency is None:
        return spent
    return Spent(**asdict(spent) | {"latency_ms": latency.median_ms, "noise_ms": latency.noise_ms})


def check_budget(path: Path, budget: Budget, spent: Spent, result: object = None) -> None:
    """Compare what was measured with the budget.

    Args:
        path: of the file.
        budget: the limits.
        spent: what it takes.
        result: of the job, which the error holds.

    Raises:
        BudgetMissed: it is over.
    """
    missed = budget.missed(spent)
    if missed:
        limits = dict(budget.limits())
        words = " and ".join(
            f"{name} is {written(name, spent.of(name) or 0)}, the budget {budget.limit(name)}" for name in missed
        )
        options = " ".join(f"--{name.replace('_', '-')} {written(name, 0.9 * limits[name])}" for name in missed)
        error = BudgetMissed(
            f"{path} is written and verified, but measured again, its {words}.",
            f"{command('probe', path)} on a quiet machine; or fit again with {options}",
        )
        error.result = result
        raise error


def results(measurement: Measurement, spent: Spent) -> Iterator[Measured]:
    """Say what was measured."""
    yield Measured("latency in ms", measurement.latency.median_ms)
    yield Measured("noise in ms", measurement.latency.noise_ms)
    yield Measured("from file to label in ms", measurement.label.median_ms)
    yield Measured("size in MB", spent.size_mb)
    yield Measured("counted memory in MB", spent.memory_mb)
    if measurement.rss_mb is not None:
        yield Measured("memory of the whole process in MB", measurement.rss_mb)
