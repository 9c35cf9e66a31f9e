"""A float network in int8: its images, the ladder, and the draft of the file that comes out."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pocketvision.compress.gate import MAX_DROP, Verdict
from pocketvision.compress.ladder import Climbed, Ladder, engine_outputs
from pocketvision.compress.ranges import METHODS, Method
from pocketvision.events import Work
from pocketvision.jobs.finish.file import Draft, network_with
from pocketvision.jobs.finish.parts import PreparedImages, assess_parts
from pocketvision.jobs.finish.record import remake_record
from pocketvision.model.fake_quant import WEIGHT_LIMIT
from pocketvision.model.graph import Conv, Graph, Linear
from pocketvision.model.rewrite import Arrays
from pocketvision.run.assess import Assessment
from pocketvision.run.device import Device, this_device
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.record import Record

GOLDENS = 16
# The largest weight of which two products always fit into 16 bits, in which processors without VNNI add.
SATURATES = 63


@dataclass(frozen=True)
class Limits:
    """How far the ladder may be climbed.

    Attributes:
        max_drop: points of top-1 that may be lost.
        highest: rung.
        stop_by: `time.monotonic()` after which no further rung is begun; None: no limit.
        methods: to find ranges by.
    """

    max_drop: float = MAX_DROP
    highest: int = 4
    stop_by: float | None = None
    methods: tuple[Method, ...] = METHODS


def climb(
    graph: Graph, arrays: Arrays, images: PreparedImages, limits: Limits | None = None, device: Device | None = None
) -> Work[Climbed]:
    """Return the best int8 network that the ladder leads to, whether or not it passes the gate.

    Weights have 7 bits where ranges alone make that good enough: such a file gives the same answers on every processor. 8-bit
    weights overflow on x86 without VNNI; there only 7 bits are tried.

    Args:
        graph: in fp32.
        arrays: its parameters.
        images: to find ranges, judge and fine-tune with.
        limits: None: the usual ones.
        device: that the file is for; None: this machine.
    """
    limits = limits or Limits()
    only_narrow = not (sums_hold(this_device()) and sums_hold(device or this_device()))  # it is judged here

    def ladder(weight_limit: int, highest: int) -> Ladder:
        return Ladder(
            images.ranges,
            images.validation,
            images.validation.labels,
            max_drop=limits.max_drop,
            weight_limit=weight_limit,
            train=images.train,
            highest=highest,
            methods=limits.methods,
            stop_by=limits.stop_by,
        )

    found = yield from ladder(SATURATES, limits.highest if only_narrow else 1).climb(graph, arrays)
    is_late = limits.stop_by is not None and time.monotonic() > limits.stop_by
    if found.verdict.passes or only_narrow or is_late:
        return found
    wide = yield from ladder(WEIGHT_LIMIT, limits.highest).climb(graph, arrays)
    wide.trace = found.trace + wide.trace
    return wide


def words_of_failure(climbed: Climbed) -> str:
    """Return why no int8 network is good enough."""
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


def assess_int8(climbed: Climbed, images: PreparedImages) -> Work[dict[str, Assessment]]:
    """Assess what the engine says of an int8 network's file, by part."""
    return assess_parts(
        lambda pixels: engine_outputs(climbed.model, pixels), images.validation, images.test, "judging int8"
    )


def draft_int8(record: Record, climbed: Climbed, images: PreparedImages) -> Work[Draft]:
    """Return the draft of an int8 network; calibration, scores and goldens are its own. `record` is the fp32 network's."""
    found = yield from assess_int8(climbed, images)
    scale = float(climbed.arrays[f"{climbed.graph.outputs['logits']}.scale"])
    golden = OnnxRuntime(climbed.model).run(golden_images(GOLDENS, record.resolution, record.channels))["logits"]
    scores = {part: one.evaluation for part, one in found.items()}
    model = {"precision": "int8", "weight_bits": weight_bits(climbed), "floats": list(climbed.floats)}
    changed = remake_record(
        record, model, scores, found["validation"].calibration, trace_json(climbed), make_goldens(golden, scale)
    )
    return Draft(network_with(climbed.graph, climbed.arrays), changed, scores, found.get("test", found["validation"]))


def trace_json(climbed: Climbed) -> dict[str, Any]:
    """Return which rung was needed, what it costs in accuracy, and all that was tried."""
    return {
        "rung": climbed.rung,
        "verdict": verdict_json(climbed.verdict),
        "floats": list(climbed.floats),
        "tried": [{"rung": each.rung, "what": each.what, **verdict_json(each.verdict)} for each in climbed.trace],
    }


def verdict_json(verdict: Verdict) -> Mapping[str, Any]:
    """Return a verdict as JSON values."""
    return {"drop": round(verdict.drop, 4), **asdict(verdict), "problems": list(verdict.problems)}
