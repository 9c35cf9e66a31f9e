"""The finished file: drafted, measured, proven, written. The one place that does so."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.cost.budget import Spent
from pocketvision.cost.int8 import name_in
from pocketvision.errors import ExportMismatch
from pocketvision.events import Note, Work
from pocketvision.export.artifact import Parity, file_of, require_parity, write_artifact
from pocketvision.jobs.finish.measure import Measurement, Measuring, measure_file, spent_of
from pocketvision.jobs.finish.record import with_provenance
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network, build
from pocketvision.model.rewrite import Arrays
from pocketvision.run.assess import Assessment, Evaluation
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

# Images on which a file and its network must agree.
PARITY_IMAGES = 256


@dataclass(frozen=True, eq=False)
class Draft:
    """A network as its file will hold it, before the file is measured, proven and written.

    Attributes:
        network: computes what the file does.
        record: of the file, without latencies and digests.
        scores: by part; empty where nobody judged it.
        assessment: of the part that judges last, where there is one.
    """

    network: Network
    record: Record
    scores: Mapping[str, Evaluation] = field(default_factory=dict)
    assessment: Assessment | None = None

    @property
    def name(self) -> str:
        """The network's full name, and its precision where that is not fp32."""
        return name_in(self.record.precision, self.record.model["name"])

    @property
    def evaluation(self) -> Evaluation:
        """The score of the test part, or of validation where there is no test part."""
        return self.scores.get("test") or self.scores["validation"]

    def content(self) -> bytes:
        """Return the bytes of the file, sealed."""
        return file_of(self.network.graph, self.network.arrays(), self.record)

    def disagreement(self, images: NDArray[np.uint8]) -> str:
        """Return why the file does not compute what the network does, on images (N, R, R, C) uint8; empty: it does."""
        try:
            require_parity(self.content(), images, partial(compute_logits, self.network), self.record.goldens.scale)
        except ExportMismatch as error:
            return error.problem
        return ""


@dataclass(frozen=True, eq=False)
class FinishedFile:
    """A file that was written.

    Attributes:
        path: where it is.
        draft: what it holds, with what was measured in the record.
        measurement: of the file on this machine; None: it was not measured.
        parity: how far file and network agree.
    """

    path: Path
    draft: Draft
    measurement: Measurement | None
    parity: Parity

    def spent(self, graph: Graph, latencies: Latencies) -> Spent:
        """Return what the file takes of each limit of a budget; `graph` is the fp32 network's."""
        assert self.measurement is not None
        return spent_in(self.path, graph, self.draft.record, self.measurement, latencies)


def write_file(
    draft: Draft,
    path: Path,
    images: NDArray[np.uint8],
    measuring: Measuring | None = None,
    held: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Work[FinishedFile]:
    """Measure a draft, prove it, and write it.

    Args:
        draft: what the file holds.
        path: where; an existing file is replaced only by a finished one.
        images: (N, R, R, C) uint8, on which file and network must agree.
        measuring: how latency and memory are measured; None: they are not.
        held: the context in which it is proven and written.

    Raises:
        ExportMismatch: file and network do not agree; nothing was written.
        VerificationFailed: the file does not give its own goldens; nothing was written.
    """
    measurement = None
    if measuring is not None:
        measurement = yield from measure_file(draft.content(), measuring)
        draft = replace(draft, record=replace(draft.record, latencies=(measurement.to_json(),)))
    network = draft.network
    with held():
        parity = write_artifact(
            path, network.graph, network.arrays(), draft.record, images, partial(compute_logits, network)
        )
    return FinishedFile(path, draft, measurement, parity)


def keep_fp32(draft: Draft, trace: Mapping[str, Any], problem: str) -> Work[Draft]:
    """Return the draft of the fp32 network, with what was tried, and why it stays, in its record."""
    yield Note(f"The network stays in fp32: {problem}.")
    record = with_provenance(draft.record, compressed={**trace, "kept": "fp32", "problem": problem})
    return replace(draft, record=record)


def spent_in(path: Path, graph: Graph, record: Record, measurement: Measurement, latencies: Latencies) -> Spent:
    """Return what a file takes of each limit.

    A latency measured here says nothing about another device, so it is left out where the file is for one.
    """
    latency = latencies.here(measurement.latency)
    return spent_of(graph, path.stat().st_size, latency, record.precision, record.model.get("floats", ()))


def network_with(graph: Graph, arrays: Arrays) -> Network:
    """Return a network with these parameters."""
    network = build(graph)
    network.load_arrays(arrays)
    return network
