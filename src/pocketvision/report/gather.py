"""From the results of a run to the facts of its report."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.cost.budget import Spent
from pocketvision.cost.count import count
from pocketvision.cost.int8 import name_in
from pocketvision.data.dataset import Dataset
from pocketvision.errors import BadImage
from pocketvision.events import Epoch
from pocketvision.model.dead_filters import count_dead_filters
from pocketvision.model.graph import Graph
from pocketvision.model.rewrite import Arrays
from pocketvision.report.facts import (
    Bin,
    Calibration,
    Choice,
    ClassScore,
    Data,
    Facts,
    Finding,
    Front,
    Layer,
    Limit,
    Measured,
    Picture,
    Precision,
    Score,
    Training,
)
from pocketvision.run.assess import Assessment, Bins
from pocketvision.run.images import read_image
from pocketvision.run.record import Record

THUMBNAIL = 96  # pixels, the longer side at most
LOSSLESS_UP_TO = 48  # pixels; the page enlarges small pictures, which would show a JPEG's blocks
PICTURES = 12  # of each kind


@dataclass(frozen=True, eq=False, kw_only=True)
class Sources:
    """What a report is made of.

    Attributes:
        record: of the finished file.
        plan: as plan.json holds it.
        epochs: the training, in order.
        graph: the trained network.
        arrays: its parameters.
        dataset: where the images come from.
        indices: of the judged images, (N,).
        assessment: of the file on these.
        spent: what the file takes of each limit; its latency is None where the budget is for another device.
        minutes: wall time of the run.
        findings: of the data check, each with kind, severity, subject or key, and sentence; None where nobody looked.
        front: of an elastic run, see `pocketvision.jobs.sizes.store.front_json`.
    """

    record: Record
    plan: Mapping[str, Any]
    epochs: Sequence[Epoch]
    graph: Graph
    arrays: Arrays
    dataset: Dataset
    indices: NDArray[np.int64]
    assessment: Assessment
    spent: Spent
    minutes: float
    findings: Iterable[Mapping[str, Any]] | None = None
    front: Mapping[str, Any] | None = None


def gather(run: Sources) -> Facts:
    """Return the facts of a finished run."""
    record, spent, found = run.record, run.spent, run.assessment
    names = tuple(map(clean, record.labels))
    compressed = record.provenance.get("compressed")
    return Facts(
        network=name_in(record.precision, run.graph.name),
        labels=names,
        resolution=record.resolution,
        channels=record.channels,
        is_squashed=record.preprocessing.mode == "squash",
        score=Score(**record.metrics.get("test", record.metrics["validation"])),
        validation=Score(**record.metrics["validation"]),
        measured=Measured(**record.latencies[0]),
        budget=tuple(
            Limit(name=n, budget=b, spent=spent.of(n)) for n, b in record.provenance["options"]["budget"].items()
        ),
        size_mb=spent.size_mb,
        memory_mb=spent.memory_mb,
        macs=spent.macs,
        params=count(run.graph).params,
        minutes=run.minutes,
        choice=_choice(run.plan, is_here=spent.latency_ms is not None),
        training=_training(run.plan, run.epochs, record.provenance.get("on_all", "")),
        classes=_classes(found, names),
        confusion=tuple((int(i), int(j), int(found.confusion[i, j])) for i, j in np.argwhere(found.confusion)),
        calibration=Calibration(
            temperature=record.temperature,
            unknown_threshold=record.unknown_threshold,
            before=_bins(found.before),
            after=_bins(found.after),
        ),
        mistakes=_pictures(run, names, worst_mistakes(found)),
        unsure=_pictures(run, names, least_sure(found)),
        data=_data(record.metrics["data"], run.findings),
        layers=_layers(run.graph, run.arrays),
        precision=None if compressed is None else Precision(precision=record.precision, **_cleaned(compressed)),
        provenance=_cleaned({key: value for key, value in record.provenance.items() if key != "compressed"}),
        front=None if run.front is None else Front(**_cleaned(run.front)),
    )


def _classes(found: Assessment, names: Sequence[str]) -> tuple[ClassScore, ...]:
    matrix = found.confusion
    return tuple(
        ClassScore(name=name, images=int(matrix[i].sum()), answered=int(matrix[:, i].sum()), right=int(matrix[i, i]))
        for i, name in enumerate(names)
    )


def worst_mistakes(found: Assessment) -> NDArray[np.int64]:
    """Return the rows of the wrong answers that were surest, the surest first."""
    wrong = np.flatnonzero(~found.each)
    return wrong[np.argsort(-found.confidence[wrong], kind="stable")][:PICTURES]


def least_sure(found: Assessment) -> NDArray[np.int64]:
    """Return the rows whose answer has the lowest probability, the lowest first."""
    return np.argsort(found.confidence, kind="stable")[:PICTURES].astype(np.int64)


def clean(text: str) -> str:
    r"""Return the text so that it can be encoded as UTF-8: a file name need not be Unicode.

    >>> print(clean("caf\udce9"))
    caf\udce9
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _cleaned(value: Any) -> Any:
    """Return JSON values with all their texts cleaned."""
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {clean(str(name)): _cleaned(entry) for name, entry in value.items()}
        case list() | tuple():
            return [_cleaned(entry) for entry in value]
    return value


def _choice(plan: Mapping[str, Any], is_here: bool) -> Choice:
    said = {name: plan[name] for name in ("reason", "candidates", "trials")}
    return Choice(pick=plan["network"], device=clean(plan["target"]), is_here=is_here, **said)


def _training(plan: Mapping[str, Any], epochs: Sequence[Epoch], on_all: str) -> Training:
    return Training(
        recipe=plan["recipe"]["name"],
        batch_size=plan["recipe"]["batch_size"],
        steps_per_epoch=plan["steps_per_epoch"],
        precision=plan["training_precision"],
        curve=tuple(epochs),
        start=tuple(plan["start"]["sentences"]),
        on_all=on_all,
    )


def _data(content: Mapping[str, Any], findings: Iterable[Mapping[str, Any]] | None) -> Data:
    found = None if findings is None else tuple(Finding(**_cleaned(finding)) for finding in findings)
    return Data(**_cleaned(content), findings=found)


def _bins(sums: Bins) -> tuple[Bin, ...]:
    return tuple(
        Bin(images=int(images), confidence=confidence / images, accuracy=right / images)
        for images, confidence, right in zip(*sums, strict=True)
        if images
    )


def _pictures(run: Sources, names: Sequence[str], rows: NDArray[np.int64]) -> tuple[Picture, ...]:
    found, dataset = run.assessment, run.dataset
    return tuple(
        Picture(
            key=clean(dataset.samples[index].key),
            truth=names[dataset.samples[index].label],
            answer=names[int(found.answers[row])],
            probability=float(found.confidence[row]),
            **thumbnail(dataset, index),
        )
        for row, index in ((int(row), int(run.indices[row])) for row in rows)
    )


def thumbnail(dataset: Dataset, index: int) -> dict[str, Any]:
    """Return one image, upright, at most 96 pixels along a side, for `Picture`; nothing if it can no longer be read."""
    try:
        image = read_image(dataset.image(index))
    except BadImage:
        return {}
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    form = "png" if max(image.size) <= LOSSLESS_UP_TO else "jpeg"
    stream = io.BytesIO()
    image.save(stream, form.upper(), **({"quality": 85} if form == "jpeg" else {}))
    encoded = base64.b64encode(stream.getvalue()).decode()
    return {"width": image.width, "height": image.height, "form": form, "base64": encoded}


def _layers(graph: Graph, arrays: Arrays) -> tuple[Layer, ...]:
    """Return the layers that cost something, and the pooling, as `pocketvision show` does."""
    dead = count_dead_filters(graph, arrays)
    return tuple(
        Layer(
            name=op.name,
            kind=op.kind,
            output=str(op.shape),
            params=op.params,
            macs=op.macs,
            dead=dead.get(op.name),
            filters=op.shape.channels if op.name in dead else None,
        )
        for op in count(graph).ops
        if op.params or op.kind == "GlobalPool"
    )
