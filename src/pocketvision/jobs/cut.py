"""Another size of a finished elastic run: another verified file for another budget; nothing is trained, no images are needed."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.choose.candidates import Candidate, describe_candidate
from pocketvision.choose.front import Cut, pareto, pick
from pocketvision.cost.budget import Budget, Spent
from pocketvision.cost.int8 import name_in
from pocketvision.data.read import read_dataset
from pocketvision.errors import BadArtifact, BadOption, CompressionFailed, nearest
from pocketvision.events import Note, Work
from pocketvision.files import write_atomically
from pocketvision.jobs.finish.file import Draft, network_with, write_file
from pocketvision.jobs.finish.fp16 import in_fp16
from pocketvision.jobs.finish.int8 import Limits
from pocketvision.jobs.finish.measure import Measurement, Measuring, check_budget
from pocketvision.jobs.finish.parts import prepare_images
from pocketvision.jobs.finish.precision import in_precision
from pocketvision.jobs.finish.record import goldens_of, make_record, metrics_of, with_provenance
from pocketvision.jobs.options import CHOICES, precisions_for
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.timetable import PROBE_SECONDS
from pocketvision.jobs.sizes.store import Cuts, Judged, front_json, read_cuts
from pocketvision.run.assess import Evaluation
from pocketvision.run.engines import DEFAULT
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import Predictor, load
from pocketvision.run.sizes import INDEX, VERSION

PARITY_IMAGES = 64
# Of a folder of sizes.
MOST_FILES = 5


@dataclass(frozen=True)
class Written:
    """One file that was cut.

    Attributes:
        file: where it is.
        name: the network's full name.
        score: on the test part, or on validation where there is no test part; stored when the elastic training ended.
        measurement: of the file on this machine.
        spent: what it takes of each limit.
    """

    file: Path
    name: str
    score: Evaluation
    measurement: Measurement
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "file": str(self.file),
            "network": self.name,
            **self.score.to_json(),
            "measured": self.measurement.to_json(),
            "size_mb": self.spent.size_mb,
            "memory_mb": self.spent.memory_mb,
            "macs": self.spent.macs,
        }


def cut_run(
    run: Path,
    out: Path,
    budget: Budget,
    target: Path | None = None,
    threads: int = 1,
    precision: str = "auto",
    data: str | None = None,
) -> Work[Written]:
    """Write the best cut within a budget.

    Args:
        run: folder of a finished elastic run.
        out: the file; an existing one is replaced only by a finished one.
        budget: its limits; none: the best of all cuts.
        target: a device file, where the budget is for another device than this one.
        threads: of the engine, when latency is measured.
        precision: of the file: "fp32"; "int8", by rungs 1 and 2 of the ladder; "fp16-storage"; "auto": "fp32", and "int8" where
            there are images for it.
        data: images that int8 needs, as `fit` takes them.

    Raises:
        BadOption, BadData: the folder holds no cuts, or damaged ones; the file is the run's own; or int8 has no images.
        NoFit: no cut is within the budget; nothing is written.
        CompressionFailed: the cut is not good enough in int8; nothing is written.
        BudgetMissed: the finished file, which is there, is over the budget.
    """
    _check_threads(threads)
    stored = read_cuts(run)
    if run.resolve() in out.resolve().parents:
        raise BadOption(f"{str(out)!r} is in the run folder, which holds what fit wrote.", "-o with another folder")
    latencies = Latencies.of(target, threads)
    stored = _in_precisions(stored, _precisions(precision, data, budget))
    cuts, device = yield from _timed(stored, budget, latencies)
    order = Order(cuts, budget, latencies, data)
    chosen = pick([each.cut for each in cuts.judged], budget, device)
    try:
        written = yield from order.write(chosen.name, out)
    except CompressionFailed as error:
        if precision != "auto":
            raise
        yield Note(f"{error.problem} The best cut in fp32 is taken.")
        floats = [each.cut for each in cuts.judged if each.cut.candidate.precision == "fp32"]
        chosen = pick(floats, budget, device)
        written = yield from order.write(chosen.name, out)
    yield from say_if_trained_further(run / "model.onnx", chosen.name, written.score)
    check_budget(out, budget, written.spent, written)
    return written


@dataclass(frozen=True, eq=False)
class Order:
    """What cuts are written for.

    Attributes:
        cuts: of the run.
        budget: its latency is measured with care.
        latencies: of the device that the file is for.
        data: images that int8 needs.
    """

    cuts: Cuts
    budget: Budget
    latencies: Latencies
    data: str | None = None

    def write(self, name: str, out: Path) -> Work[Written]:
        """Measure one cut, and write its file after proving it."""
        judged, latencies = self.cuts.find(name), self.latencies
        graph, precision = judged.graph, judged.cut.candidate.precision
        draft, images = self._draft(judged), golden_images(PARITY_IMAGES, graph.image.height, graph.image.channels)
        if precision == "int8":
            draft, images = yield from self._in_int8(draft)
        elif precision == "fp16-storage":
            draft = in_fp16(draft)
            yield Note("Weights are stored as fp16; the scores in the file are those of fp32.")
        asked = {**draft.record.provenance["options"], "budget": dict(self.budget.limits())}
        record = with_provenance(draft.record, options=asked, target=str(latencies.device))
        limit = self.budget.latency_ms if latencies.is_here else None
        measuring = Measuring(images[0].squeeze(), latencies.threads, limit)
        file = yield from write_file(replace(draft, record=record), out, images, measuring)
        yield Note(f"{out}: {draft.name}. The file and the network {file.parity}.")
        assert file.measurement is not None
        return Written(out, draft.name, draft.evaluation, file.measurement, file.spent(graph, latencies))

    def _draft(self, judged: Judged) -> Draft:
        common = self.cuts.record
        network = network_with(judged.graph, self.cuts.arrays(judged.graph))
        metrics = {"data": common["data"], **metrics_of(judged.scores)}
        record = make_record(judged.graph, common, metrics, judged.calibration, goldens_of(network))
        return Draft(network, record, judged.scores)

    def _in_int8(self, draft: Draft) -> Work[tuple[Draft, NDArray[np.uint8]]]:
        """Return a cut in int8, and images to compare its file on; there is no time for more than two rungs."""
        assert self.data is not None
        predictor = Predictor.open(draft.content(), engine=DEFAULT)
        images = yield from prepare_images(predictor, read_dataset(self.data))
        stored = yield from in_precision("int8", draft, images, self.latencies, Limits(highest=2))
        if stored.record.precision != "int8":
            raise CompressionFailed(
                f"{draft.name} is not good enough in int8: {stored.record.provenance['compressed']['problem']}.",
                "--precision fp32; or pocketvision compress on its file, which has more ways",
            )
        return stored, images.validation[:PARITY_IMAGES]


def say_if_trained_further(model: Path, name: str, score: Evaluation) -> Iterator[Note]:
    """Say where the run's own file is the same network, trained further on its own, and better for it."""
    try:
        record = load(model).record
    except BadArtifact:  # `cut` needs no such file
        return
    if name_in(record.precision, record.model["name"]) == name and record.metrics[score.part]["top1"] > score.top1:
        yield Note(
            f"{model} is {name}, too, trained further on its own: {score.part} top-1 "
            f"{record.metrics[score.part]['top1']:.4f} instead of {score.top1:.4f}."
        )


def cut_all(run: Path, folder: Path, threads: int = 1) -> Work[list[Written]]:
    """Write a few cuts along the front, and an index, for `Predictor.open(folder, latency_ms=...)`.

    Raises:
        BadOption: the folder is there already; and as `cut_run`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadOption(f"{str(folder)!r} exists and would be overwritten.", "-o with a new folder")
    _check_threads(threads)
    latencies = Latencies(threads)
    cuts, _ = yield from _timed(_in_precisions(read_cuts(run), ("fp32",)), Budget(), latencies)
    order = Order(cuts, Budget(), latencies)
    front = pareto([each.cut for each in cuts.judged])
    part = folder.with_name(f".{folder.name}.part")  # gets the final name when all files are in it
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    found = []
    for each in _spread(front, MOST_FILES):
        found.append((yield from order.write(each.name, part / f"{each.name}.onnx")))
    content = {"version": VERSION, "files": [_index_row(written, cuts) for written in found]}
    write_atomically(part / INDEX, json.dumps(content, indent=1, ensure_ascii=False).encode())
    part.replace(folder)
    return [replace(written, file=folder / written.file.name) for written in found]


def _precisions(precision: str, data: str | None, budget: Budget) -> tuple[str, ...]:
    """Return the precisions that a cut's file may have."""
    if precision not in CHOICES["precision"]:
        known = CHOICES["precision"]
        raise BadOption(
            f"precision must be one of {', '.join(known)}; got {precision!r}.",
            f"--precision {nearest(precision, list(known))}",
        )
    if precision == "int8" and data is None:
        raise BadOption(
            "int8 needs images: the ranges of values are found on some, and others judge what comes out.",
            "--data with the images that the run was trained on",
        )
    return precisions_for(precision if data is not None or precision != "auto" else "fp32", budget)


def _in_precisions(cuts: Cuts, precisions: tuple[str, ...]) -> Cuts:
    """Return all cuts in some precisions; one that was not judged in a precision has the scores that it has in another."""
    known = {judged.cut.name: judged for judged in cuts.judged}
    found = []
    for name, judged in {judged.graph.name: judged for judged in reversed(cuts.judged)}.items():
        for precision in precisions:
            candidate = describe_candidate(judged.graph, cuts.record["labels"], judged.graph.image.height, precision)
            other = replace(judged, cut=replace(judged.cut, candidate=candidate))
            found.append(known.get(name_in(precision, name), other))
    return replace(cuts, judged=found)


def _check_threads(threads: int) -> None:
    if threads < 1:
        raise BadOption(f"threads must be above 0; got {threads}.", "--threads 1")


def _spread(front: Sequence[Cut], most: int) -> list[Cut]:
    """Return at most so many, evenly along the front, the first and the last among them."""
    if len(front) <= most:
        return list(front)
    return [front[round(i * (len(front) - 1) / (most - 1))] for i in range(most)]


def _index_row(written: Written, cuts: Cuts) -> dict[str, Any]:
    return {
        "file": written.file.name,
        "network": written.name,
        "validation_top1": cuts.find(written.name).scores["validation"].top1,
        "macs": written.spent.macs,
    }


def _timed(cuts: Cuts, budget: Budget, latencies: Latencies) -> Work[tuple[Cuts, str]]:
    """Return the cuts with latencies for this budget: of the device file, of this machine now, or as stored."""
    stored, device = [each.cut.candidate for each in cuts.judged], cuts.device
    yield from latencies.warnings()
    if not latencies.is_here or budget.latency_ms is not None:
        seconds = (PROBE_SECONDS, PROBE_SECONDS)
        timed = yield from latencies.time([_untimed(one) for one in stored], budget.latency_ms, seconds)
        device = str(latencies.device)
    elif all(one.latency is not None for one in stored):
        return cuts, device
    else:  # of the run's target some are known: costs that cannot be compared
        timed = [_untimed(one) for one in stored]
    judged = [replace(each, cut=replace(each.cut, candidate=one)) for each, one in zip(cuts.judged, timed, strict=True)]
    return replace(cuts, judged=judged), device


def _untimed(candidate: Candidate) -> Candidate:
    """Return a network as it is without a device."""
    return replace(candidate, latency=None, dropped="", spent=replace(candidate.spent, latency_ms=None, noise_ms=0.0))


def read_front(run: Path, target: Path | None = None) -> Work[dict[str, Any]]:
    """Return the front of a finished elastic run as JSON values, see `front_json`; for another device by its device file.

    Raises:
        BadOption, BadData: the folder holds no cuts, or damaged ones.
    """
    cuts = read_cuts(run)
    if target is not None:
        cuts, device = yield from _timed(cuts, Budget(), Latencies.of(target, threads=1))
        cuts = replace(cuts, device=device)
    return front_json(cuts, Budget())
