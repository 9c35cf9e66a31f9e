"""One budget, the same minutes: is a network that was cut out of an elastic one better than one trained for that budget alone?

    python benchmarks/elastic_or_single.py           # about 75 minutes; run again, it skips what is done

Two data sets, three budgets each, judged on the test images: Fashion-MNIST from scratch, and the cut-out set (fold 0) with
MobileNetV2's published weights. The table decides what `fit` does by default. Standard errors are paired, over images; those of
the cut-out set are clustered by cut-out: the images of one thing are not independent. One seed and one fold: what another run
would differ by is not in them. An elastic pick may be cheaper than the budget allows: the best within one standard error.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cutouts import write_fold
from measure import Results, print_estimate
from transfer import mean_and_error, right_answers

import pocketvision as pv
from pocketvision.cost.budget import Budget
from pocketvision.data.dataset import Dataset
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split
from pocketvision.run.predictor import Predictor

MINUTES = 6.0
WEIGHTS = "torchvision/mobilenet_v2.IMAGENET1K_V1"
DATA: dict[str, dict[str, Any]] = {
    "fashion-mnist": {"macs": (600_000, 2_100_000, 8_100_000), "weights": "none"},
    "cut-outs": {"macs": (16_000_000, 60_000_000, 160_000_000), "weights": WEIGHTS},
}
WAYS = ("single", "elastic")


def run_cell(data: str, macs: int, way: str, minutes: float) -> dict[str, Any]:
    """Fit in one way, and answer the test images."""
    with tempfile.TemporaryDirectory() as name:
        source = write_fold(Path(name) / "data", 0) if data == "cut-outs" else data
        began = time.monotonic()
        options = {"weights": DATA[data]["weights"], "budget": Budget(macs=macs), "elastic": way == "elastic"}
        finished = pv.fit(source, Path(name) / "run", minutes=minutes, **options)
        taken = (time.monotonic() - began) / 60
        dataset = read_dataset(source)
        test = split(dataset).test
        return {
            "network": finished.name,
            "macs": finished.spent.macs,
            "minutes": round(taken, 2),
            "top1": finished.evaluation.top1,
            "right": by_group(dataset, test, right_answers(Predictor.open(finished.model), dataset, test)),
        }


def by_group(dataset: Dataset, test: np.ndarray, right: list[bool]) -> dict[str, float]:
    """The share of right answers for each group of test images; an image without a group is one of its own."""
    found: dict[str, list[bool]] = {}
    for i, hit in zip(test, right, strict=True):
        found.setdefault(dataset.samples[i].group or dataset.samples[i].key, []).append(hit)
    return {group: round(float(np.mean(hits)), 4) for group, hits in found.items()}


def summary(cells: dict[str, Any]) -> dict[str, Any]:
    """For each budget both top-1 and the paired difference in points, with its standard error."""
    said: dict[str, Any] = {}
    for data, given in DATA.items():
        for macs in given["macs"]:
            single, elastic = (cells.get(f"{data} {macs} {way}") for way in WAYS)
            if single is None or elastic is None:
                continue
            difference = [elastic["right"][group] - share for group, share in single["right"].items()]
            mean, error = mean_and_error(difference)
            said[f"{data}, {macs / 1e6:g}M"] = {
                "single": f"{single['top1']:.4f} {single['network']}, {single['macs'] / 1e6:.2f}M",
                "elastic": f"{elastic['top1']:.4f} {elastic['network']}, {elastic['macs'] / 1e6:.2f}M",
                "elastic - single, points": round(100 * mean, 2),
                "standard error": round(100 * error, 2),
            }
    return said


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--suffix", default="")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    print_estimate(6 * len(asked.data) * (asked.minutes + 0.2))
    results = Results(
        "elastic_or_single", ("torch", "onnxruntime"), asked.suffix, *([asked.folder] if asked.folder else [])
    )
    if results.is_finished:
        return
    results.content |= {"weights": WEIGHTS, "minutes": asked.minutes}
    for data in asked.data:
        for macs in DATA[data]["macs"]:
            for way in WAYS:
                cell = results.cell(f"{data} {macs} {way}", partial(run_cell, data, macs, way, asked.minutes))
                print(data, macs, way, cell["network"], cell["minutes"], cell["top1"], flush=True)
            print(summary(results.content["cells"]), flush=True)
    results.finish(summary(results.content["cells"]))


if __name__ == "__main__":
    main()
