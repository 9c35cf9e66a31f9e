"""From a finished fp32 file to an int8 one that is proven as good, and smaller or faster."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketvision.compress.gate import MAX_DROP
from pocketvision.compress.ladder import Climbed
from pocketvision.data.read import read_dataset
from pocketvision.errors import BadOption, CompressionFailed
from pocketvision.events import Work
from pocketvision.export.network_of import network_of
from pocketvision.files import check_out_path
from pocketvision.jobs.finish.file import PARITY_IMAGES, write_file
from pocketvision.jobs.finish.int8 import (
    Limits,
    climb,
    draft_int8,
    trace_json,
    words_of_failure,
)
from pocketvision.jobs.finish.measure import Measuring
from pocketvision.jobs.finish.parts import prepare_images
from pocketvision.jobs.finish.precision import side_by_side
from pocketvision.run.assess import Evaluation
from pocketvision.run.engines import DEFAULT
from pocketvision.run.predictor import Predictor, read_bytes
from pocketvision.run.record import record_of
from pocketvision.run.timing import Timing


@dataclass(frozen=True)
class Compressed:
    """An int8 file.

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


def compress_file(file: Path, data: str, out: Path, max_drop: float = MAX_DROP, threads: int = 1) -> Work[Compressed]:
    """Write an int8 file, if one passes the gate.

    Ranges are found on training images, the gate judges on validation images, and the test part, where there is one, scores
    what came out; the data are divided as `fit` divides them.

    Args:
        file: an fp32 file that `fit`, `cut` or `export` wrote.
        data: a folder, a table or a name, as `fit` takes it.
        out: the new file.
        max_drop: points of top-1 that may be lost.
        threads: of the engine, when latency is measured.

    Raises:
        BadArtifact, BadData, BadOption: the file, the images or an option are wrong.
        CompressionFailed: no int8 network passes the gate, or it gains nothing; nothing is written.
    """
    _check(file, out, max_drop)
    model = read_bytes(file)
    images = yield from prepare_images(Predictor.open(model, engine=DEFAULT), read_dataset(data))
    climbed = yield from climb(*network_of(model), images, Limits(max_drop))
    if not climbed.verdict.passes:
        allowing = climbed.verdict.allowing_drop
        raise CompressionFailed(
            f"no int8 network is good enough: {words_of_failure(climbed)}.",
            "the fp32 file" if allowing is None else f"--max-drop {allowing + 0.1:.1f}, or the fp32 file",
        )
    draft = yield from draft_int8(record_of(model), climbed, images)
    content = draft.content()
    timings = yield from side_by_side({"fp32": model, "int8": content}, threads)
    if len(content) >= len(model) and timings["int8"].median_ms >= timings["fp32"].median_ms:
        raise CompressionFailed(
            f"in int8 it is neither smaller ({len(content):,} bytes instead of {len(model):,}) nor faster.",
            "the fp32 file",
        )
    some = images.validation[:PARITY_IMAGES]
    yield from write_file(draft, out, some, Measuring(some[0].squeeze(), threads))
    size = out.stat().st_size
    return Compressed(out, climbed, draft.evaluation, timings["fp32"], timings["int8"], len(model), size)


def _check(file: Path, out: Path, max_drop: float) -> None:
    if out.resolve() == file.resolve():
        raise BadOption(f"{str(out)!r} is the fp32 file itself, which stays.", "-o with another name")
    check_out_path(out)
    if not 0 <= max_drop <= 100:
        raise BadOption(f"max_drop must be 0 to 100 points; got {max_drop:g}.", "--max-drop 1")
