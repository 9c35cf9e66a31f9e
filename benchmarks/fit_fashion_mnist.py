"""What does `fit fashion-mnist --minutes M` reach here?

    python benchmarks/fit_fashion_mnist.py --minutes 6 --minutes 30

Writes benchmarks/results/fit_fashion_mnist_<device>_<date>_<minutes>.json for each. Existing results are skipped.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import onnxruntime
import torch

RESULTS = Path(__file__).parent / "results"


def cpu_name() -> str:
    """Return the processor's name and the number of cores that can be used."""
    name = platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = found[1].strip() if found else name
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def commit() -> str:
    """Return the commit that is measured, with a plus sign where the tree differs from it."""
    here = Path(__file__).parent
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
    dirty = subprocess.run(
        ["git", "status", "--porcelain", "../src"], cwd=here, capture_output=True, text=True, check=True
    )
    return head.stdout.strip() + ("+" if dirty.stdout else "")


def measure(minutes: float, seed: int) -> dict[str, object]:
    """Run the job in a new folder; return its result and where it was taken."""
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sys.executable).with_name("pocketvision"), "fit", "fashion-mnist", "--minutes", str(minutes)]
        done = subprocess.run(
            [*command, "--seed", str(seed), "--json", "-o", f"{folder}/run"], stdout=subprocess.PIPE, check=True
        )
        size = Path(folder, "run", "model.onnx").stat().st_size
    result = json.loads(done.stdout)
    del result["model"]
    return result | {
        "minutes_asked": minutes,
        "size_mb": size / 1e6,
        "seed": seed,
        "device": cpu_name(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, action="append", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"about {1.1 * sum(options.minutes):.0f} minutes in all")
    for minutes in options.minutes:
        device = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
        date = datetime.now(UTC).date().isoformat()
        path = RESULTS / f"fit_fashion_mnist_{device}_{date}_{minutes:g}min.json"
        if path.exists():
            print(f"{path.name}: there already")
            continue
        result = measure(minutes, options.seed)
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(f"{path.name}: top-1 {result['top1']:.4f}")


if __name__ == "__main__":
    main()
