"""The page of measured speeds: tables of the newest result file of each benchmark. `docs/generate.py` writes it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
PEERS = {  # in inference.py's cells -> heading
    "ours": "ours",
    "timm, onnxruntime": "ONNX Runtime",
    "timm, openvino": "OpenVINO",
    "keras, litert": "LiteRT",
    "timm, torch.compile": "torch.compile",
    "timm, torch": "timm",
    "torchvision, torch": "torchvision",
}
STEPS = {  # in training.py's cells -> heading
    "ours": "ours",
    "ours, without kernels": "ours, no C compiler",
    "eager, channels last, bfloat16": "torch, tuned",
    "eager, as shipped": "torch, as shipped",
    "keras": "Keras",
}


def finished(question: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return the finished results of a benchmark whose cells are all in one file, which has no suffix after its date."""
    found = [(path, json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob(f"{question}_*.json")]
    return [
        result
        for path, result in found
        if result["question"] == question and result["is_finished"] and path.stem.endswith(result["date"])
    ]


def newest(question: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Return the newest of a benchmark's finished results."""
    return max(finished(question, folder), key=lambda result: result["date"])


def speed_page(note: str) -> str:
    """All tables."""
    lines = [note, "# Speed", "", *INTRODUCTION.strip().splitlines(), ""]
    for part in (inference, int8, whole_way, startup, training):
        lines += [*part(), ""]
    return "\n".join(lines)


INTRODUCTION = """
Medians, all contenders of a row taking turns; cells where we are slower stand here like the others. Times belong
to the processor and the day that are named; what carries over are ratios. How they were taken:
[benchmarks](../benchmarks/README.md).
"""


def where(result: dict[str, Any]) -> str:
    """Say of which machine, day and code a table is."""
    return f"{result['device']}, {result['date']}, commit {result['commit']}."


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table whose first column is words and all others numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def inference() -> Iterator[str]:
    """Milliseconds of a batch, everywhere."""
    result = newest("inference")
    summary = result["summary"]
    yield "## From an array to logits"
    yield ""
    yield (
        "Float32, milliseconds a batch, from the same uint8 array. `ours` is the engine that `--engine auto` takes; ONNX Runtime "
        "and OpenVINO run timm's own export, LiteRT the network of keras.applications, the last three are PyTorch. Over all "
        f"cells ours takes {summary['ours_over_best_onnx_peer']:.3f} times as long as the better of ONNX Runtime and OpenVINO "
        f"(geometric mean), and PyTorch as shipped {summary['eager_over_ours_batch_1']:.1f} times as long as ours at batch 1. "
        f"{where(result)}"
    )
    yield ""
    names = [name for name in PEERS if any(name in cell["timings"] for cell in result["cells"].values())]
    rows = []
    for cell in dict.fromkeys(name.split(", run ")[0] for name in result["cells"]):
        found = counted(result["cells"], cell)
        timings = found["timings"]
        medians = [f"{timings[name]['median_ms']:.2f}" if name in timings else "" for name in names]
        rows.append([cell, *medians, f"{found['over_best_peer']['ratio']:.2f}"])
    yield from table(["network", *(PEERS[name] for name in names), "ours / best of the first two"], rows)


def counted(cells: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a cell; where it was run three times, the one with the median ratio."""
    runs = sorted(
        (cell for key, cell in cells.items() if key.split(", run ")[0] == name),
        key=lambda cell: cell["over_best_peer"]["ratio"],
    )
    found: dict[str, Any] = runs[len(runs) // 2]
    return found


INT8_WAYS = {  # in int8.py's cells -> heading
    "float": "fp32",
    "ours": "ours",
    "onnxruntime": "onnxruntime",
    "onnxruntime, per channel": "per channel",
    "nncf": "NNCF",
}


def int8() -> Iterator[str]:
    """Speed and accuracy of int8 networks."""
    result = newest("int8")
    summary = result["summary"]
    yield "## int8"
    yield ""
    yield (
        "Milliseconds an image at 224 pixels, batch 1, untrained networks, ONNX Runtime. The peers are "
        "onnxruntime.quantization with its defaults and with a scale for each channel, and NNCF's post-training "
        "quantisation, from the same fp32 file. Ours takes "
        f"{summary['over_best_peer_mean']:.2f} times as long as the best of them (geometric mean over V1, V2, V3-small and "
        f"Lite0). {where(result)}"
    )
    yield ""
    rows = []
    for cell, found in result["cells"].items():
        if cell.startswith("speed"):
            timings = found["timings"]
            medians = [f"{timings[way]['median_ms']:.2f}" if way in timings else "" for way in INT8_WAYS]
            ratios = [f"{found[ratio]['ratio']:.2f}" for ratio in ("over_best_peer", "float_over_ours")]
            rows.append([cell.removeprefix("speed, "), *medians, *ratios])
    yield from table(["network", *INT8_WAYS.values(), "ours / best peer", "fp32 / ours"], rows)
    yield ""
    yield (
        "Points of top-1 lost on test images against the fp32 file, with the standard error of the paired difference; "
        "Fashion-MNIST at width 0.5 and 32 pixels, and the cut-out set with published weights, pooled over five folds. "
        "A rung is how far up the ladder the file had to go: 1 ranges, 2 equalisation, 3 layers in fp32, 4 fine-tuning."
    )
    yield ""
    rows = []
    for place, found in summary["accuracy"].items():
        drops = [
            f"{found[way]['drop']:+.2f} ± {found[way]['standard_error']:.2f}" if way in found else "fails"
            for way in INT8_WAYS
            if way != "float"
        ]
        rungs = ", ".join(str(rung) for rung in found["rungs"])
        rows.append([place, f"{found['images']:,}", f"{found['float_top1']:.4f}", *drops, rungs])
    ways = [heading for way, heading in INT8_WAYS.items() if way != "float"]
    yield from table(["network", "images", "fp32 top-1", *ways, "our rungs"], rows)


def whole_way() -> Iterator[str]:
    """From a JPEG's bytes to its label."""
    result = newest("bytes_to_label")
    yield "## From a photograph's bytes to its label"
    yield ""
    yield f"The peer is Pillow, torchvision's transforms and ONNX Runtime. {where(result)}"
    yield ""
    rows = []
    for size, ratio in result["summary"]["peer_over_ours"].items():
        cell = result["cells"][f"one, {size}"]
        shares = [f"{100 * cell['shares'][stage]:.0f} %" for stage in ("decode", "resize", "network")]
        timings = cell["timings"]
        rows.append(
            [
                size,
                f"{timings['ours']['median_ms']:.1f}",
                f"{timings['peer']['median_ms']:.1f}",
                f"{ratio:.2f}",
                *shares,
            ]
        )
    yield from table(["pixels", "ours, ms", "peer, ms", "peer / ours", "decoding", "resizing", "network"], rows)


def startup() -> Iterator[str]:
    """From the start of the process."""
    result = newest("startup")
    summary = result["summary"]
    yield "## From the start of the process to the first label"
    yield ""
    yield f"Milliseconds. {where(result)}"
    yield ""
    rows = [[name, f"{median:.0f}"] for name, median in summary["median_ms"].items()]
    yield from table(["what", "ms"], rows)


def training() -> Iterator[str]:
    """Images a second in training."""
    result = newest("training")
    yield "## Training on a CPU"
    yield ""
    yield (
        "Images a second. Whole epochs from JPEG files beside torchvision's reference loop with its defaults; and optimizer "
        "steps from ready arrays. `torch, tuned` is channels last and bfloat16, as timm's options have it. "
        f"{where(result)}"
    )
    yield ""
    rows, steps = [], []
    for cell, found in result["cells"].items():
        kind, _, place = cell.partition(", ")
        paces = {name: f"{pace['images_per_second']:.0f}" for name, pace in found["paces"].items()}
        if kind == "loops":
            rows.append([place, paces["ours"], paces["torchvision's loop"], f"{found['ours_over_reference']:.2f}"])
        else:
            steps.append([place, *(paces.get(name, "") for name in STEPS)])
    yield from table(["network, pixels", "ours", "torchvision's loop", "ratio"], rows)
    yield ""
    yield from table(["network, pixels", *STEPS.values()], steps)
