"""From a finished float file to one in integers that is proven as good, and smaller or faster."""

import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.gate import MAX_DROP
from pocketvision.compress.ladder import Climbed
from pocketvision.cost.probe import measure_latencies
from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import Pixels
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split
from pocketvision.errors import BadData, BadOption, CompressionFailed
from pocketvision.events import Event, Note
from pocketvision.export.evaluate import Evaluation, labels_for
from pocketvision.export.network_of import network_of
from pocketvision.export.seal import seal
from pocketvision.export.verify import verify_file
from pocketvision.files import check_out_path, write_atomically
from pocketvision.jobs.finish.int8 import (
    PreparedImages,
    climb,
    judge_integers,
    spread_out,
    trace_json,
    words_of_failure,
)
from pocketvision.jobs.finish.measure import measure_file
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.run.engines import DEFAULT
from pocketvision.run.predictor import Predictor, read_bytes
from pocketvision.run.record import Record, record_of
from pocketvision.run.timing import Timing

SECONDS = 3.0


@dataclass(frozen=True)
class Compressed:
    """A file in integers.

    Attributes:
        file: where it is.
        climbed: how it was found.
        score: of the test part, or of validation where there is none.
        float_latency, latency: of both files on this machine, taking turns.
        float_bytes, size_bytes: of both files.
    """

    file: Path
    climbed: Climbed
    score: Evaluation
    float_latency: Timing
    latency: Timing
    float_bytes: int
    size_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "file": str(self.file),
            **trace_json(self.climbed),
            "score": self.score.to_json(),
            "float_latency_ms": self.float_latency.median_ms,
            "latency_ms": self.latency.median_ms,
            "float_size_mb": round(self.float_bytes / 1e6, 6),
            "size_mb": round(self.size_bytes / 1e6, 6),
        }


def compress_file(
    file: Path, data: str, out: Path, max_drop: float = MAX_DROP, threads: int = 1
) -> Generator[Event, None, Compressed]:
    """Write a file in integers, if one passes the gate.

    Ranges are found on training images, the gate judges on validation images, and the test part, where there is one, scores
    what came out; the data are divided as `fit` divides them.

    Args:
        file: a float file that `fit`, `cut` or `export` wrote.
        data: a folder, a table or a name, as `fit` takes it.
        out: the new file.
        max_drop: points of top-1 that may be lost.
        threads: of the engine, when latency is measured.

    Raises:
        BadArtifact, BadData, BadOption: the file, the images or an option are wrong.
        CompressionFailed: no network in integers passes the gate; nothing is written.
    """
    if out.resolve() == file.resolve():
        raise BadOption(f"{str(out)!r} is the float file itself, which stays.", "-o with another name")
    check_out_path(out)
    if not 0 <= max_drop <= 100:
        raise BadOption(f"max_drop must be 0 to 100 points; got {max_drop:g}.", "--max-drop 1")
    model = read_bytes(file)
    images = yield from prepare_images(Predictor.open(model, engine=DEFAULT), read_dataset(data))
    climbed = yield from _climb(model, images, max_drop)
    record, evaluation, _ = yield from judge_integers(record_of(model), climbed, images)
    finished = yield from _measured(climbed, record, images.validation[0:1][0].squeeze(), threads)
    timings = yield from side_by_side({"float": model, "int8": finished}, threads)
    if len(finished) >= len(model) and timings["int8"].median_ms >= timings["float"].median_ms:
        raise CompressionFailed(
            f"in integers it is neither smaller ({len(finished):,} bytes instead of {len(model):,}) nor faster.",
            "the float file",
        )
    verify_file(finished)
    write_atomically(out, finished)
    return Compressed(out, climbed, evaluation, timings["float"], timings["int8"], len(model), len(finished))


def prepare_images(predictor: Predictor, dataset: Dataset) -> Generator[Event, None, PreparedImages]:
    """Divide a data set as `fit` does, and prepare its images as the file wants them."""
    record, labels, parts = predictor.record, labels_for(predictor, dataset), split(dataset)
    if not len(parts.validation):
        raise BadData(f"{dataset.name!r} has no validation images; nothing could be judged.", "more images of a class")
    some = spread_out(parts.train)

    def prepared(indices: NDArray[np.int64]) -> Pixels:
        return Pixels(dataset, indices, record.resolution, record.channels, record.preprocessing)

    train, calibration = prepared(parts.train), prepared(some)
    validation, test = prepared(parts.validation), prepared(parts.test)
    for pixels, part in ((calibration, "training"), (validation, "validation"), (test, "test")):
        yield from pixels.decode(f"decoding {part} images")
    return PreparedImages(train, calibration, validation, test, labels[parts.validation], labels[parts.test])


def _climb(model: bytes, images: PreparedImages, max_drop: float) -> Generator[Event, None, Climbed]:
    """Return a network in integers that passes the gate."""
    climbed = yield from climb(*network_of(model), images, max_drop)
    if not climbed.verdict.passes:
        allowing = climbed.verdict.allowing_drop
        raise CompressionFailed(
            f"no network in integers is good enough: {words_of_failure(climbed)}.",
            "the float file" if allowing is None else f"--max-drop {allowing + 0.1:.1f}, or the float file",
        )
    return climbed


def _measured(climbed: Climbed, record: Record, image: Any, threads: int) -> Generator[Event, None, bytes]:
    """Return the file, with what it takes here in its record."""
    model = write_onnx(climbed.graph, climbed.arrays, record.temperature)
    measurement = yield from measure_file(seal(model, record), image, threads, None)
    return seal(model, replace(record, latencies=(measurement.to_json(),)))


def side_by_side(models: Mapping[str, bytes], threads: int) -> Generator[Event, None, dict[str, Timing]]:
    """Return the latencies of a float file and one in integers, taking turns."""
    with tempfile.TemporaryDirectory(prefix="pocketvision-compress-") as folder:
        paths = {}
        for name, content in models.items():
            paths[name] = Path(folder, f"{name}.onnx")
            paths[name].write_bytes(content)
        timings: dict[str, Timing] = yield from measure_latencies(paths, threads, SECONDS)
    yield Note(f"float {timings['float'].median_ms:.3f} ms, int8 {timings['int8'].median_ms:.3f} ms.")
    return timings
