"""A float network in integers: its images, the ladder, and the record of the file that comes out."""

import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.gate import MAX_DROP, Verdict
from pocketvision.compress.ladder import Climbed, Images, Ladder, engine_logits
from pocketvision.compress.ranges import METHODS, Method
from pocketvision.data.loader import Pixels
from pocketvision.events import Event
from pocketvision.export.evaluate import Evaluation, score
from pocketvision.model.fake_quant import WEIGHT_LIMIT
from pocketvision.model.graph import Conv, Graph, Linear
from pocketvision.model.rewrite import Arrays
from pocketvision.run.device import Device, this_device
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.metrics import fit_temperature, softmax, unknown_threshold
from pocketvision.run.record import Record

CALIBRATION_IMAGES = 512
GOLDENS = 16
SATURATES = 63  # the largest weight of which two products always fit into 16 bits, in which processors without VNNI add


@dataclass(frozen=True)
class PreparedImages:
    """Prepared images of each part, and their labels as the file numbers its classes.

    Attributes:
        train: all training images, which need not be decoded yet; None: there are none to fine-tune with.
        calibration: some of them.
        validation, test: those that judge.
        validation_labels, test_labels: (N,).
    """

    train: Pixels | None
    calibration: Images
    validation: Pixels
    test: Pixels
    validation_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]


def spread_out(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return evenly spaced training images for calibration."""
    return indices[:: max(1, len(indices) // CALIBRATION_IMAGES)][:CALIBRATION_IMAGES]


def climb(
    graph: Graph,
    arrays: Arrays,
    images: PreparedImages,
    max_drop: float = MAX_DROP,
    highest: int = 4,
    stop_by: float | None = None,
    device: Device | None = None,
    methods: tuple[Method, ...] = METHODS,
) -> Generator[Event, None, Climbed]:
    """Return the best network in integers that the ladder leads to, whether or not it passes the gate.

    Weights have 7 bits where ranges alone make that good enough: such a file gives the same answers on every processor. With
    8 bits some add otherwise, and for these no others are tried.

    Args:
        graph: in floats.
        arrays: its parameters.
        images: to calibrate, judge and fine-tune with.
        max_drop: points of top-1 that may be lost.
        highest: rung.
        stop_by: `time.monotonic()` after which no further rung is begun; None: no limit.
        device: that the file is for; None: this machine.
        methods: to find ranges by.
    """
    shared = (images.calibration, images.validation, images.validation_labels, max_drop)
    only_narrow = not (sums_hold(this_device()) and sums_hold(device or this_device()))  # it is judged here
    rungs = highest if only_narrow else 1
    narrow = Ladder(*shared, SATURATES, images.train, rungs, methods, stop_by)
    found = yield from narrow.climb(graph, arrays)
    is_late = stop_by is not None and time.monotonic() > stop_by
    if found.verdict.passes or only_narrow or is_late:
        return found
    wide = yield from Ladder(*shared, WEIGHT_LIMIT, images.train, highest, methods, stop_by).climb(graph, arrays)
    wide.trace = found.trace + wide.trace
    return wide


def words_of_failure(climbed: Climbed) -> str:
    """Return why no network in integers is good enough."""
    return (
        f"the best, of {len(climbed.trace)} that were tried up to {climbed.trace[-1].what}, was of rung {climbed.rung}: "
        f"{'; '.join(climbed.verdict.problems)}"
    )


def weight_bits(climbed: Climbed) -> int:
    """Return of how many bits the weights are: 7 or 8."""
    limits = [op.weight_limit for op in climbed.graph.ops if isinstance(op, Conv | Linear) and op.weight_limit]
    return 8 if max(limits, default=0) > SATURATES else 7


def sums_hold(device: Device) -> bool:
    """Whether a processor adds products of uint8 and int8 without overflow: VNNI on x86, anything else on ARM."""
    flags = set(device.flags)
    return not flags & {"avx2", "sse4_1"} or bool(flags & {"avx512_vnni", "avx_vnni"})


def score_integers(
    climbed: Climbed, images: PreparedImages
) -> Generator[Event, None, tuple[float, float, dict[str, Evaluation], NDArray[np.float32]]]:
    """Return temperature and threshold by the validation images, the scores by part, and the logits of the last part."""
    temperature = fit_temperature(climbed.logits, images.validation_labels)
    threshold = unknown_threshold(softmax(climbed.logits / temperature), images.validation_labels)
    logits = climbed.logits
    scores = {"validation": score(logits, images.validation_labels, "validation", temperature, threshold)}
    if len(images.test):
        logits = yield from engine_logits(climbed.model, images.test)
        scores["test"] = score(logits, images.test_labels, "test", temperature, threshold)
    return temperature, threshold, scores, logits


def judge_integers(
    record: Record, climbed: Climbed, images: PreparedImages
) -> Generator[Event, None, tuple[Record, Evaluation, NDArray[np.float32]]]:
    """Score what the engine says of a network in integers; return the file's record, the score, and its logits.

    Temperature, threshold, scores and goldens are its own. `record` is the float network's.
    """
    temperature, threshold, scores, logits = yield from score_integers(climbed, images)
    scale = float(climbed.arrays[f"{climbed.graph.outputs['logits']}.scale"])
    golden = OnnxRuntime(climbed.model).run(golden_images(GOLDENS, record.resolution, record.channels))["logits"]
    kept = {name: value for name, value in record.metrics.items() if name not in ("validation", "test")}
    changed = replace(
        record,
        model={
            **record.model,
            "precision": "int8",
            "weight_bits": weight_bits(climbed),
            "floats": list(climbed.floats),
        },
        metrics={**kept, **{part: evaluation.to_json() for part, evaluation in scores.items()}},
        temperature=temperature,
        unknown_threshold=threshold,
        provenance={**record.provenance, "compressed": trace_json(climbed)},
        goldens=make_goldens(golden, scale),
        digests={},
    )
    return changed, scores.get("test", scores["validation"]), logits


def trace_json(climbed: Climbed) -> dict[str, Any]:
    """Return which rung was needed, what it costs in accuracy, and all that was tried."""
    return {
        "rung": climbed.rung,
        "verdict": verdict_json(climbed.verdict),
        "floats": list(climbed.floats),
        "tried": [{"rung": each.rung, "what": each.what, **verdict_json(each.verdict)} for each in climbed.trace],
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON values."""
    return {"drop": round(verdict.drop, 4), **asdict(verdict), "problems": list(verdict.problems)}
