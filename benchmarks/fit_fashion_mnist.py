"""What does `fit fashion-mnist --minutes M` reach here?

    python benchmarks/fit_fashion_mnist.py --minutes 6 --minutes 30
    python benchmarks/fit_fashion_mnist.py --run demo/run               # a job that was run already, here and now

Writes benchmarks/results/fit_fashion_mnist_<device>_<date>_<minutes>.json for each. Existing results are skipped.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

from pocketvision import load

QUESTION = "fit_fashion_mnist"


def train(minutes: float, seed: int, run: Path) -> None:
    """Run the job."""
    program = Path(sys.executable).with_name("pocketvision")
    words = ["fit", "fashion-mnist", "--minutes", str(minutes), "--seed", str(seed), "-o", str(run)]
    subprocess.run([program, *words], check=True)


def describe(run: Path) -> dict[str, object]:
    """Return a finished job's result, and where it was taken."""
    record = load(run / "model.onnx").record
    events = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    minutes = next(event["value"] for event in events if event["event"] == "measured" and event["name"] == "minutes")
    options = record.provenance["options"]
    return {
        "network": record.model["name"],
        "minutes_asked": options["minutes"],
        "minutes": minutes,
        "epochs": sum(event["event"] == "epoch" for event in events),
        **record.metrics["test"],
        "size_mb": (run / "model.onnx").stat().st_size / 1e6,
        "seed": options["seed"],
        "device": measure.device(),
        "date": record.provenance["date"],
        "commit": measure.commit(),
        "versions": record.provenance["versions"],
    }


def write(result: dict[str, object]) -> None:
    """Write a result under a name that says where, when and how long."""
    path = measure.RESULTS / file_name(str(result["date"]), float(str(result["minutes_asked"])))
    measure.write(path, result)
    print(f"{path.name}: top-1 {result['top1']:.4f}")


def file_name(date: str, minutes: float) -> str:
    """Return the name of a result's file."""
    return measure.file_name(QUESTION, date, f"{minutes:g}min")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, action="append", default=[])
    parser.add_argument("--run", type=Path, action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for run in options.run:
        write(describe(run))
    if options.minutes:
        measure.print_estimate(1.1 * sum(options.minutes))
    for minutes in options.minutes:
        name = file_name(measure.today(), minutes)
        if (measure.RESULTS / name).exists():
            print(f"{name}: there already")
            continue
        with tempfile.TemporaryDirectory() as folder:
            train(minutes, options.seed, Path(folder, "run"))
            write(describe(Path(folder, "run")))


if __name__ == "__main__":
    main()
