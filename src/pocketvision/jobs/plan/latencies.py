"""Latencies of candidates: measured on this machine, or read from a device file; made once in a job."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pocketvision.choose.candidates import Candidate
from pocketvision.cost.device_file import DeviceFile, Latency, Precision, read_device_file
from pocketvision.cost.probe import probe_each
from pocketvision.errors import BadDeviceFile
from pocketvision.events import Note, Work
from pocketvision.model.graph import Graph
from pocketvision.run.device import Device, this_device
from pocketvision.run.timing import Timing

# Of the budget: candidates whose first timing lies there are timed with care; so many of them at most.
NEAR = (0.5, 1.2)
CARE = 8
NOT_MEASURED = "not measured on the device"


@dataclass(frozen=True, eq=False)
class Latencies:
    """Where latencies come from.

    Attributes:
        threads: of the engine for one call.
        file: what was measured on another device; None: networks are timed on this machine.
        path: of that file, for messages.
    """

    threads: int = 1
    file: DeviceFile | None = None
    path: str = ""

    @classmethod
    def of(cls, target: str | Path | None, threads: int) -> "Latencies":
        """Return those of a device file, or of this machine where there is none.

        Raises:
            BadDeviceFile: the file is missing, damaged or has another version.
        """
        return cls(threads) if target is None else cls(threads, read_device_file(Path(target)), str(target))

    @property
    def is_here(self) -> bool:
        """Whether networks are timed on this machine."""
        return self.file is None

    @property
    def device(self) -> Device:
        """The machine that the file is for."""
        return this_device() if self.file is None else self.file.device

    @property
    def has_int8(self) -> bool:
        """Whether the latency of int8 networks can be known."""
        return self.file is None or any(row.precision == "int8" for row in self.file.rows)

    def warnings(self) -> Iterator[Note]:
        """Say what is doubtful about the device file."""
        if self.file is None:
            return
        for warning in self.file.warnings():
            yield Note(f"{self.path}: {warning}")
        if self.file.threads != self.threads:
            yield Note(f"{self.path} was measured with {self.file.threads} threads; its latencies are of these.")

    def here(self, measured: Timing) -> Timing | None:
        """Return a latency measured on this machine; None where the file is for another one, of which it says nothing."""
        return measured if self.is_here else None

    def time(
        self, candidates: Sequence[Candidate], limit_ms: float | None, seconds: tuple[float, float]
    ) -> Work[list[Candidate]]:
        """Return the candidates with their latencies; those that the device file does not hold are dropped.

        Args:
            candidates: all are timed alike.
            limit_ms: those near it are timed again, with care.
            seconds: for timing all, and for those near the limit.

        Raises:
            BadDeviceFile: the device file holds none of them.
        """
        if self.file is not None:
            return self.read(candidates, must_be_known=True)
        timed = yield from self._measure(list(candidates), limit_ms, seconds)
        return [candidate.time(timed[candidate.name]) for candidate in candidates]

    def read(self, candidates: Sequence[Candidate], must_be_known: bool) -> list[Candidate]:
        """Return the candidates with latencies of the device file; those that it does not hold are dropped.

        Where latency need not be known, files of a precision that was not measured at all stay in, for their size.

        Raises:
            BadDeviceFile: it holds none of them.
        """
        assert self.file is not None
        latencies = [
            (candidate, self.file.latency_of(candidate.graph, candidate.precision)) for candidate in candidates
        ]
        if all(latency is None for _, latency in latencies):
            raise self._holds_none(candidates)
        known = {row.precision for row in self.file.rows}
        return [
            candidate.time(latency)
            if latency is not None
            else candidate.drop(NOT_MEASURED)
            if must_be_known or as_run(candidate.precision) in known
            else candidate
            for candidate, latency in latencies
        ]

    def is_int8_faster(self, graph: Graph) -> bool:
        """Whether the device file says that a network is faster in int8 than in fp32."""
        assert self.file is not None
        before, after = (self.file.latency_of(graph, precision) for precision in ("fp32", "int8"))
        return before is not None and after is not None and after.median_ms < before.median_ms

    def _measure(
        self, candidates: list[Candidate], limit_ms: float | None, seconds: tuple[float, float]
    ) -> Work[dict[str, Latency]]:
        """Return latencies by name: of all, then again, with care, of the few that are nearest to the limit."""
        timed: dict[str, Latency] = {}
        limit = limit_ms or 0.0
        for share in seconds:
            if candidates:
                networks = [(candidate.graph, as_run(candidate.precision)) for candidate in candidates]
                found = yield from probe_each(networks, self.threads, max(0.001, share), footprints=False)
                rows = zip(candidates, found.rows, strict=True)
                timed |= {candidate.name: Latency(row.latency_ms, row.noise_ms) for candidate, row in rows}
            near = [each for each in candidates if NEAR[0] * limit < timed[each.name].median_ms < NEAR[1] * limit]
            candidates = sorted(near, key=lambda each: abs(timed[each.name].median_ms - limit))[:CARE]
        return timed

    def _holds_none(self, candidates: Sequence[Candidate]) -> BadDeviceFile:
        options = candidates[0].options
        alike = [o for o in (c.options for c in candidates) if o.output_stride == options.output_stride]
        widths, resolutions = ({getattr(o, what) for o in alike} for what in ("width", "resolution"))
        return BadDeviceFile(
            f"{self.path!r} holds none of the {len(candidates)} networks that suit these images, such as {candidates[0].name}.",
            f"on the device: pocketvision probe {options.family} --widths {_listed(widths)} "
            f"--resolutions {_listed(resolutions)} --output-stride {options.output_stride} --classes {options.classes} "
            f"--in-channels {options.in_channels} -o {self.path}",
        )


def as_run(precision: str) -> Precision:
    """Return how a file of that precision is run: fp16 is for storage only."""
    return "int8" if precision == "int8" else "fp32"


def _listed(numbers: set[float]) -> str:
    return ",".join(f"{number:g}" for number in sorted(numbers))
