"""The precision of the file that is handed out: floats as they were trained, halves, or integers that pass the gate."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.gate import Verdict, judge
from pocketvision.cost.device_file import DeviceFile
from pocketvision.cost.int8 import name_in
from pocketvision.errors import ExportMismatch
from pocketvision.events import Event, Note
from pocketvision.export.artifact import file_of, require_parity
from pocketvision.export.evaluate import Evaluation, score
from pocketvision.jobs.compress import side_by_side
from pocketvision.jobs.finish.int8 import (
    PreparedImages,
    climb,
    judge_integers,
    trace_json,
    verdict_json,
    words_of_failure,
)
from pocketvision.jobs.finish.record import GOLDENS
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network, build
from pocketvision.model.rewrite import fold_batch_norm
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

PARITY_IMAGES = 256


@dataclass(frozen=True, eq=False)
class Stored:
    """A network as its file holds it.

    Attributes:
        network: computes what the file does.
        record: of the file, without digests.
        evaluation: its score.
        logits: of the images that were scored.
    """

    network: Network
    record: Record
    evaluation: Evaluation
    logits: NDArray[np.float32]

    @property
    def name(self) -> str:
        """The network's full name, and its precision where that is not fp32."""
        return name_in(self.record.precision, self.record.model["name"])


def store(
    precision: str,
    floats: Stored,
    images: PreparedImages,
    threads: int,
    target: DeviceFile | None = None,
    stop_by: float | None = None,
    highest: int = 4,
) -> Generator[Event, None, Stored]:
    """Return a judged float network in the precision that was planned; as it is, where that one is not good enough.

    Args:
        precision: "fp32", "int8" or "fp16-storage".
        floats: the network as it was trained.
        images: to calibrate, judge and fine-tune with.
        threads: of the engine, when latency is measured.
        target: what was measured on the device that the file is for; None: it is for this one.
        stop_by: see `jobs.finish.int8.climb`.
        highest: rung of the ladder.
    """
    if precision == "int8":
        return (yield from _as_integers(floats, images, threads, target, stop_by, highest))
    if precision == "fp16-storage":
        return (yield from _as_halves(floats, images))
    return floats


def in_halves(floats: Stored) -> Stored:
    """Return a network with filters and matrices rounded to 11 bits, as its file holds them; its scores stay the floats'."""
    graph, arrays = fold_batch_norm(floats.network.graph, floats.network.arrays())
    for parameter in graph.parameters():
        if parameter.role == "weight":
            arrays[parameter.name] = arrays[parameter.name].astype(np.float16).astype(np.float32)
    network, record = build(graph), floats.record
    network.load_arrays(arrays)
    goldens = compute_logits(network, golden_images(GOLDENS, record.resolution, record.channels))
    record = replace(
        record, model={**record.model, "precision": "fp16-storage"}, goldens=make_goldens(goldens), digests={}
    )
    return replace(floats, network=network, record=record)


def _as_integers(
    floats: Stored,
    images: PreparedImages,
    threads: int,
    target: DeviceFile | None,
    stop_by: float | None,
    highest: int,
) -> Generator[Event, None, Stored]:
    graph, arrays = floats.network.graph, floats.network.arrays()
    device = None if target is None else target.device
    climbed = yield from climb(graph, arrays, images, highest=highest, stop_by=stop_by, device=device)
    if not climbed.verdict.passes:
        return (yield from _kept(floats, trace_json(climbed), words_of_failure(climbed)))
    record, evaluation, logits = yield from judge_integers(floats.record, climbed, images)
    network = build(climbed.graph)
    network.load_arrays(climbed.arrays)
    stored = Stored(network, record, evaluation, logits)
    if problem := _disagrees(stored, images) or (yield from _does_not_pay(graph, floats, stored, threads, target)):
        return (yield from _kept(floats, trace_json(climbed), problem))
    verdict = climbed.verdict
    yield Note(
        f"In integers by rung {climbed.rung}: {verdict.drop:+.2f} +- {100 * verdict.standard_error:.2f} points of top-1 lost on "
        f"{verdict.images:,} validation images (McNemar's p {verdict.p:.2g})"
        + (f"; in floats stay {', '.join(climbed.floats)}." if climbed.floats else ".")
    )
    return stored


def _disagrees(stored: Stored, images: PreparedImages) -> str:
    """Return why the file of integers does not compute what its network does; empty: it does."""
    content = file_of(stored.network.graph, stored.network.arrays(), stored.record)
    try:
        require_parity(
            content,
            images.validation[:PARITY_IMAGES],
            partial(compute_logits, stored.network),
            stored.record.goldens.scale,
        )
    except ExportMismatch as error:
        return error.problem
    return ""


def _does_not_pay(
    graph: Graph, floats: Stored, stored: Stored, threads: int, target: DeviceFile | None
) -> Generator[Event, None, str]:
    """Return why integers gain nothing: they are neither smaller nor faster where the file is to run; empty: they gain."""
    files = {
        name: file_of(one.network.graph, one.network.arrays(), one.record)
        for name, one in (("float", floats), ("int8", stored))
    }
    if len(files["int8"]) < len(files["float"]):
        return ""
    if target is None:
        timings = yield from side_by_side(files, threads)
        is_faster = timings["int8"].median_ms < timings["float"].median_ms
    else:
        before, after = (target.latency_of(graph, precision) for precision in ("fp32", "int8"))
        is_faster = before is not None and after is not None and after.median_ms < before.median_ms
    return "" if is_faster else "it is neither smaller nor faster"


def _kept(floats: Stored, trace: dict[str, Any], problem: str) -> Generator[Event, None, Stored]:
    """Return the float network, with what was tried in its record."""
    yield Note(f"The network stays in floats: {problem}.")
    compressed = {**trace, "kept": "fp32", "problem": problem}
    record = replace(floats.record, provenance={**floats.record.provenance, "compressed": compressed})
    return replace(floats, record=record)


def _as_halves(floats: Stored, images: PreparedImages) -> Generator[Event, None, Stored]:
    """Return the network with halves, judged."""
    stored = in_halves(floats)
    before = compute_logits(floats.network, images.validation)
    after = compute_logits(stored.network, images.validation)
    verdict = judge(before, after, images.validation_labels)
    trace = _trace_of_halves(verdict)
    if not verdict.passes:
        return (yield from _kept(floats, trace, f"with halves {'; '.join(verdict.problems)}"))
    record = stored.record
    scored = {"validation": _score(record, after, images.validation_labels, "validation")}
    logits = after
    if len(images.test):
        logits = compute_logits(stored.network, images.test)
        scored["test"] = _score(record, logits, images.test_labels, "test")
    record = replace(
        record,
        metrics={**record.metrics, **{part: evaluation.to_json() for part, evaluation in scored.items()}},
        provenance={**record.provenance, "compressed": trace},
    )
    yield Note(f"Weights are stored as halves: {verdict.drop:+.2f} points of top-1 lost on validation images.")
    return Stored(stored.network, record, scored.get("test", scored["validation"]), logits)


def _score(record: Record, logits: NDArray[np.float32], labels: NDArray[np.int64], part: str) -> Evaluation:
    return score(logits, labels, part, record.temperature, record.unknown_threshold)


def _trace_of_halves(verdict: Verdict) -> dict[str, Any]:
    said = verdict_json(verdict)
    return {"rung": 0, "verdict": said, "floats": [], "tried": [{"rung": 0, "what": "weights as halves", **said}]}
