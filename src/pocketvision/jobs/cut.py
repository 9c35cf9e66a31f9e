"""Another size of a finished elastic run: another verified file for another budget; nothing is trained, no images are needed."""

import json
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.choose.candidates import Candidate, describe_candidate
from pocketvision.choose.front import Cut, pareto, pick
from pocketvision.cost.budget import Budget, Spent
from pocketvision.cost.device_file import read_device_file
from pocketvision.cost.int8 import name_in
from pocketvision.data.dataset import Dataset
from pocketvision.data.read import read_dataset
from pocketvision.errors import BadArtifact, BadOption, CompressionFailed, nearest
from pocketvision.events import Event, Note
from pocketvision.export.artifact import file_of, write_artifact
from pocketvision.export.evaluate import Evaluation
from pocketvision.files import write_atomically
from pocketvision.jobs.compress import prepare_images
from pocketvision.jobs.finish.measure import Measurement, check_budget, measure_file, spent_of
from pocketvision.jobs.finish.precision import Stored, in_halves, store
from pocketvision.jobs.finish.record import make_record
from pocketvision.jobs.options import CHOICES, precisions_for
from pocketvision.jobs.plan.search import time_graphs, warn_of
from pocketvision.jobs.plan.timetable import PROBE_SECONDS
from pocketvision.jobs.sizes.store import Cuts, Judged, front_json, read_cuts
from pocketvision.model.network import build
from pocketvision.run.device import this_device
from pocketvision.run.engines import DEFAULT
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import Predictor, load
from pocketvision.run.sizes import INDEX, VERSION
from pocketvision.train.evaluate import compute_logits

PARITY_IMAGES = 64
MOST_FILES = 5  # that --all writes


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
) -> Generator[Event, None, Written]:
    """Write the best cut within a budget.

    Args:
        run: folder of a finished elastic run.
        out: the file; an existing one is replaced only by a finished one.
        budget: its limits; none: the best of all cuts.
        target: a device file, where the budget is for another device than this one.
        threads: of the engine, when latency is measured.
        precision: of the file: "fp32"; "int8", by rungs 1 and 2 of the ladder; "fp16-storage"; "auto": "fp32", and "int8" where
            there are images for it.
        data: images that integers need, as `fit` takes them.

    Raises:
        BadOption, BadData: the folder holds no cuts, or damaged ones; the file is the run's own; or integers have no images.
        NoFit: no cut is within the budget; nothing is written.
        CompressionFailed: the cut is not good enough in integers; nothing is written.
        BudgetMissed: the finished file, which is there, is over the budget.
    """
    _check_threads(threads)
    stored = read_cuts(run)
    if run.resolve() in out.resolve().parents:
        raise BadOption(f"{str(out)!r} is in the run folder, which holds what fit wrote.", "-o with another folder")
    stored = _in_precisions(stored, _precisions(precision, data, budget))
    cuts, device = yield from _timed(stored, budget, target, threads)
    chosen = pick([each.cut for each in cuts.judged], budget, device)
    try:
        written = yield from _write(cuts, cuts.find(chosen.name), out, budget, target, threads, data)
    except CompressionFailed as error:
        if precision != "auto":
            raise
        yield Note(f"{error.problem} The best cut in floats is taken.")
        floats = [each.cut for each in cuts.judged if each.cut.candidate.precision == "fp32"]
        chosen = pick(floats, budget, device)
        written = yield from _write(cuts, cuts.find(chosen.name), out, budget, target, threads)
    yield from say_if_trained_further(run / "model.onnx", chosen.name, written.score)
    check_budget(out, budget, written.spent)
    return written


def say_if_trained_further(model: Path, name: str, score: Evaluation) -> Generator[Note, None, None]:
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


def cut_all(run: Path, folder: Path, threads: int = 1) -> Generator[Event, None, list[Written]]:
    """Write a few cuts along the front, and an index, for `Predictor.open(folder, latency_ms=...)`.

    Raises:
        BadOption: the folder is there already; and as `cut_run`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadOption(f"{str(folder)!r} exists and would be overwritten.", "-o with a new folder")
    _check_threads(threads)
    cuts, _ = yield from _timed(_in_precisions(read_cuts(run), ("fp32",)), Budget(), None, threads)
    front = pareto([each.cut for each in cuts.judged])
    part = folder.with_name(f".{folder.name}.part")  # gets the final name when all files are in it
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    found = []
    for each in _spread(front, MOST_FILES):
        path = part / f"{each.name}.onnx"
        found.append((yield from _write(cuts, cuts.find(each.name), path, Budget(), None, threads)))
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
            "integers need images: the ranges of values are found on some, and others judge what comes out.",
            "--data with the images that the run was trained on",
        )
    return precisions_for(precision if data is not None or precision != "auto" else "fp32", budget)


def _in_precisions(cuts: Cuts, precisions: tuple[str, ...]) -> Cuts:
    """Return all cuts in some precisions; one that was not judged in it counts as it was judged in another."""
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
    """Return so many at most, evenly along the front, the first and the last among them."""
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


def _timed(cuts: Cuts, budget: Budget, target: Path | None, threads: int) -> Generator[Event, None, tuple[Cuts, str]]:
    """Return the cuts with latencies for this budget: of the device file, of this machine now, or as stored."""
    stored, device = [each.cut.candidate for each in cuts.judged], ""
    if target is not None:
        yield from warn_of(read_device_file(target), target, threads)
    if target is not None or budget.latency_ms is not None:
        timed, device = yield from time_graphs(
            [_untimed(one) for one in stored], target, threads, budget.latency_ms, PROBE_SECONDS
        )
    elif all(one.latency is not None for one in stored):
        return cuts, cuts.device
    else:  # of the run's target some are known: costs that cannot be compared
        timed = [_untimed(one) for one in stored]
    judged = [replace(each, cut=replace(each.cut, candidate=one)) for each, one in zip(cuts.judged, timed, strict=True)]
    return replace(cuts, judged=judged), device or cuts.device


def _untimed(candidate: Candidate) -> Candidate:
    """Return a network as it is without a device."""
    return replace(candidate, latency=None, dropped="", spent=replace(candidate.spent, latency_ms=None, noise_ms=0.0))


def _write(
    cuts: Cuts,
    judged: Judged,
    out: Path,
    budget: Budget,
    target: Path | None,
    threads: int,
    data: str | None = None,
) -> Generator[Event, None, Written]:
    """Measure one cut, and write its file after proving it."""
    graph, precision = judged.graph, judged.cut.candidate.precision
    network = build(graph)
    network.load_arrays(cuts.arrays(graph))
    record = make_record(network, cuts.record, judged.scores, judged.temperature, judged.threshold)
    score = judged.scores.get("test", judged.scores["validation"])
    images = golden_images(PARITY_IMAGES, graph.image.height, graph.image.channels)
    stored = Stored(network, record, score, np.empty((0, len(record.labels)), np.float32))
    if precision == "int8":
        assert data is not None
        stored, images = yield from _as_integers(stored, read_dataset(data), target, threads)
    elif precision == "fp16-storage":
        stored = in_halves(stored)
        yield Note("Weights are stored as halves; the scores in the file are those of the floats.")
    as_stored, arrays, record = stored.network, stored.network.arrays(), stored.record
    limit = budget.latency_ms if target is None else None
    draft = file_of(as_stored.graph, arrays, record)
    measurement = yield from measure_file(draft, images[0].squeeze(), threads, limit)
    asked = {**record.provenance["options"], "budget": dict(budget.limits())}
    where = str(this_device()) if target is None else str(read_device_file(target).device)
    origin = {**record.provenance, "options": asked, "target": where}
    record = replace(record, latencies=(measurement.to_json(),), provenance=origin)
    reference = partial(compute_logits, as_stored)
    parity = write_artifact(out, as_stored.graph, arrays, record, images, reference)
    yield Note(f"{out}: {stored.name}. The file and the network {parity}.")
    latency, floats = measurement.latency if target is None else None, record.model.get("floats", ())
    spent = spent_of(graph, out.stat().st_size, latency, precision, floats)
    return Written(out, stored.name, stored.evaluation, measurement, spent)


def _as_integers(
    floats: Stored, dataset: Dataset, target: Path | None, threads: int
) -> Generator[Event, None, tuple[Stored, NDArray[np.uint8]]]:
    """Return a cut in integers, and images to compare its file on; it has no time for more than two rungs."""
    draft = file_of(floats.network.graph, floats.network.arrays(), floats.record)
    images = yield from prepare_images(Predictor.open(draft, engine=DEFAULT), dataset)
    device = None if target is None else read_device_file(target)
    stored = yield from store("int8", floats, images, threads, device, highest=2)
    if stored.record.precision != "int8":
        raise CompressionFailed(
            f"{floats.name} is not good enough in integers: {stored.record.provenance['compressed']['problem']}.",
            "--precision fp32; or pocketvision compress on its file, which has more ways",
        )
    return stored, images.validation[:PARITY_IMAGES]


def read_front(run: Path, target: Path | None = None) -> Generator[Event, None, dict[str, Any]]:
    """Return the front of a finished elastic run as JSON values, see `front_json`; for another device by its device file.

    Raises:
        BadOption, BadData: the folder holds no cuts, or damaged ones.
    """
    cuts = read_cuts(run)
    if target is not None:
        cuts, device = yield from _timed(cuts, Budget(), target, 1)
        cuts = replace(cuts, device=device)
    return front_json(cuts, Budget())
