"""Can the probe be believed?

    python benchmarks/probe_agreement.py

1. Do two runs of `pocketvision probe` agree? Sixteen networks are probed twice. A pair agrees when its medians differ by no
   more than the larger of the two stated noises: |a - b| <= max(noise_a, noise_b).
2. Does our file take as long as the same network from elsewhere? timm's MobileNetV1, exported by torch and run by plain
   onnxruntime (float32 NCHW input, one thread), in turn with ours, which also converts and normalises uint8 NHWC input and
   ends in a softmax. All in one run, with one of ours twice: the A/A pair.

Writes benchmarks/results/probe_agreement_<device>_<date>.json.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import measure
import numpy as np
import onnxruntime
import torch
from networks import export_timm, timm_v1

from pocketvision.cost.device_file import read_device_file
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images
from pocketvision.run.timing import Call, Open

PACKAGES = ("numpy", "onnx", "onnxruntime", "timm", "torch")
WIDTHS = "0.25,0.5,0.75,1"
RESOLUTIONS = "128,160,192,224"
SHARED = ((0.25, 128), (0.5, 160), (1.0, 224))  # width and resolution of the networks that timm has, too
SECONDS = 60.0  # for timing those
LONGEST_S = 90  # a probe, from start to end
MOST_NOISE = 0.15  # of the median
FEWEST_AGREE = 14  # of the sixteen
MOST_APART = 0.15  # our latency over the peer's, from 1


def probe() -> dict[str, Any]:
    """Probe the sixteen networks in a process of its own, as a person does."""
    program = Path(sys.executable).with_name("pocketvision")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "device.json")
        words = ["probe", "mobilenet_v1", "--widths", WIDTHS, "--resolutions", RESOLUTIONS, "-o", str(file)]
        began = time.perf_counter()
        subprocess.run([program, *words], env=measure.environment(), stdout=subprocess.DEVNULL, check=True)
        seconds = round(time.perf_counter() - began, 1)
        rows = read_device_file(file).rows
    fields = ("latency_ms", "noise_ms", "rounds")
    return {"seconds": seconds, "rows": {row.name: {field: getattr(row, field) for field in fields} for row in rows}}


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each network how far its two medians are apart, beside the noise that was stated."""
    pairs = {name: (row, second["rows"][name]) for name, row in first["rows"].items()}
    return {name: _compare(*pair) for name, pair in pairs.items()}


def _compare(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, Any]:
    difference = round(abs(a["latency_ms"] - b["latency_ms"]), 4)  # as many digits as were stated
    stated = max(a["noise_ms"], b["noise_ms"])
    return {
        "difference_ms": difference,
        "larger_noise_ms": stated,
        "relative_difference": round(difference / min(a["latency_ms"], b["latency_ms"]), 4),
        "relative_noise": round(max(row["noise_ms"] / row["latency_ms"] for row in (a, b)), 4),
        "agrees": difference <= stated,
    }


def time_shared(seconds: float) -> dict[str, Any]:
    """Time our files and timm's networks in turn; return the Timings, ours and theirs."""
    torch.set_num_threads(1)
    contestants: dict[str, Open] = {}
    with tempfile.TemporaryDirectory() as folder:
        for width, resolution in SHARED:
            name, theirs = f"w{width:.2f}_r{resolution}", Path(folder, f"{width}.onnx")
            ours = write_ours(width, resolution)
            export_timm(timm_v1(width, resolution), theirs, is_fixed=True)
            contestants |= {f"ours {name}": partial(open_ours, ours), f"timm {name}": partial(open_plain, theirs)}
        contestants[f"ours {name}, again"] = partial(open_ours, ours)
        return measure.time_calls(contestants, seconds)


def write_ours(width: float, resolution: int) -> bytes:
    """Return our file of the untrained network."""
    graph = resolve("mobilenet_v1", width, resolution)
    return write_onnx(graph, initial_arrays(graph, seed=0))


def open_ours(model: bytes) -> Call:
    engine = OnnxRuntime(model, threads=1)
    return partial(engine.run, golden_images(1, engine.image_shape[1], 3))


def open_plain(path: Path) -> Call:
    """Open a file as a user of plain onnxruntime does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    side = session.get_inputs()[0].shape[-1]
    pixels = golden_images(1, side, 3).transpose(0, 3, 1, 2)
    image = np.ascontiguousarray((pixels.astype(np.float32) - 128) / 128)
    return partial(session.run, None, {"image": image})


def summarize(probes: list[dict[str, Any]], pairs: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures that the goals are about, and which are met."""
    names = [f"w{width:.2f}_r{resolution}" for width, resolution in SHARED]
    ratios = {name: measure.ratio(shared[f"ours {name}"], shared[f"timm {name}"]) for name in names}
    orders = [sorted(names, key=lambda name: shared[f"{who} {name}"]["median_ms"]) for who in ("ours", "timm")]
    agreeing = sum(pair["agrees"] for pair in pairs.values())
    noisiest = max(pair["relative_noise"] for pair in pairs.values())
    return {
        "seconds": [probe["seconds"] for probe in probes],
        "agreeing": agreeing,
        "of": len(pairs),
        "largest_relative_difference": max(pair["relative_difference"] for pair in pairs.values()),
        "largest_relative_noise": noisiest,
        "ours_over_timm": ratios,
        "a_a": measure.ratio(shared[f"ours {names[-1]}, again"], shared[f"ours {names[-1]}"]),
        "goals": {
            f"a probe < {LONGEST_S} s": all(probe["seconds"] < LONGEST_S for probe in probes),
            f"agreeing >= {FEWEST_AGREE}": agreeing >= FEWEST_AGREE,
            f"noise <= {MOST_NOISE:.0%}": noisiest <= MOST_NOISE,
            f"ours within {MOST_APART:.0%} of timm": all(
                abs(found["ratio"] - 1) <= MOST_APART for found in ratios.values()
            ),
            "same order": orders[0] == orders[1],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for timing ours beside timm's")
    parser.add_argument("--suffix", default="", help="of the result's name, for a second one today")
    options = parser.parse_args()
    results = measure.Results("probe_agreement", PACKAGES, options.suffix)
    if results.is_finished:
        return
    measure.print_estimate((2 * LONGEST_S + options.seconds) / 60)
    probes = [results.cell(f"{which} probe", probe) for which in ("first", "second")]
    pairs = results.cell("agreement of the probes", partial(compare, *probes))
    shared = results.cell("ours and timm", partial(time_shared, options.seconds))
    results.finish(summarize(probes, pairs, shared))


if __name__ == "__main__":
    main()
