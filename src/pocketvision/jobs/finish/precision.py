"""The precision of the file that is handed out: fp32 as it was trained, fp16 weights, or int8 that passes the gate."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pocketvision.cost.probe import measure_latencies
from pocketvision.events import Note, Work
from pocketvision.jobs.finish.file import PARITY_IMAGES, Draft, keep_fp32
from pocketvision.jobs.finish.fp16 import draft_fp16
from pocketvision.jobs.finish.int8 import Limits, climb, draft_int8, trace_json, words_of_failure
from pocketvision.jobs.finish.parts import PreparedImages
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.run.timing import Timing

# For timing a file in fp32 and one in int8, taking turns.
SECONDS = 3.0


def in_precision(
    precision: str, draft: Draft, images: PreparedImages, latencies: Latencies, limits: Limits | None = None
) -> Work[Draft]:
    """Return a judged fp32 network in the precision that was planned; as it is, where that one is not good enough.

    Args:
        precision: "fp32", "int8" or "fp16-storage".
        draft: the network as it was trained.
        images: to find ranges, judge and fine-tune with.
        latencies: of the device that the file is for.
        limits: of the ladder to int8.
    """
    if precision == "int8":
        return (yield from _in_int8(draft, images, latencies, limits))
    if precision == "fp16-storage":
        return (yield from draft_fp16(draft, images))
    return draft


def _in_int8(draft: Draft, images: PreparedImages, latencies: Latencies, limits: Limits | None) -> Work[Draft]:
    graph, arrays = draft.network.graph, draft.network.arrays()
    climbed = yield from climb(graph, arrays, images, limits, latencies.device)
    if not climbed.verdict.passes:
        return (yield from keep_fp32(draft, trace_json(climbed), words_of_failure(climbed)))
    stored = yield from draft_int8(draft.record, climbed, images)
    problem = stored.disagreement(images.validation[:PARITY_IMAGES])
    if problem := problem or (yield from does_not_pay(draft, stored, latencies)):
        return (yield from keep_fp32(draft, trace_json(climbed), problem))
    verdict = climbed.verdict
    yield Note(
        f"In int8 by rung {climbed.rung}: {verdict.drop:+.2f} +- {100 * verdict.standard_error:.2f} points of top-1 lost on "
        f"{verdict.images:,} validation images (McNemar's p {verdict.p:.2g})"
        + (f"; {', '.join(climbed.floats)} stay in fp32." if climbed.floats else ".")
    )
    return stored


def does_not_pay(before: Draft, after: Draft, latencies: Latencies) -> Work[str]:
    """Return why int8 gains nothing: it is neither smaller nor faster where the file is to run; empty: it gains."""
    files = {"fp32": before.content(), "int8": after.content()}
    if len(files["int8"]) < len(files["fp32"]):
        return ""
    if not latencies.is_here:
        is_faster = latencies.is_int8_faster(before.network.graph)
    else:
        timings = yield from side_by_side(files, latencies.threads)
        is_faster = timings["int8"].median_ms < timings["fp32"].median_ms
    return "" if is_faster else "it is neither smaller nor faster"


def side_by_side(models: Mapping[str, bytes], threads: int) -> Work[dict[str, Timing]]:
    """Return the latencies of a file in fp32 and one in int8, taking turns."""
    with tempfile.TemporaryDirectory(prefix="pocketvision-compress-") as folder:
        paths = {}
        for name, content in models.items():
            paths[name] = Path(folder, f"{name}.onnx")
            paths[name].write_bytes(content)
        timings: dict[str, Timing] = yield from measure_latencies(paths, threads, SECONDS)
    yield Note(", ".join(f"{name} {timing.median_ms:.3f} ms" for name, timing in timings.items()) + ".")
    return timings
