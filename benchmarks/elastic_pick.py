"""A tight latency budget and published weights: the elastic pick against what people do by hand. Cut-out set, 5 folds.

    python benchmarks/elastic_pick.py                # about 95 minutes; run again, it skips what is done

The budget is 40 % of the latency of the whole network, MobileNetV2 at width 1 and 160 pixels. `thinned` is that network with as
many of its leading channels as the budget allows, its statistics taken anew; `scratch` is the pick's width and resolution without
weights (its last layers as thin as networks from scratch have them); `single` is what `fit` makes of the same budget without
--elastic, which may lower the resolution, too. All have the same minutes. Standard errors are clustered by cut-out: the images of
one thing are not independent.
"""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from cutouts import FOLDERS, FOLDS, write_fold
from measure import Results, print_estimate
from transfer import by_cutout, mean_and_error, right_answers

import pocketvision as pv
from pocketvision.choose.candidates import WIDTHS
from pocketvision.cost.budget import Budget
from pocketvision.cost.probe import probe
from pocketvision.data.read import read_dataset
from pocketvision.errors import BudgetMissed
from pocketvision.events import drain
from pocketvision.model import transfer
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import leading_indices
from pocketvision.run.predictor import Predictor

MINUTES, SHARE, SIDE = 4.0, 0.4, 160
WAYS = ("elastic", "thinned", "scratch", "single")
WEIGHTS = "torchvision/mobilenet_v2.IMAGENET1K_V1"
PROBE_SECONDS = 30.0


def find_budget(classes: int) -> dict[str, Any]:
    """The budget in milliseconds, and the widest network at full resolution within it."""
    graphs = {
        width: resolve("mobilenet_v2", width=width, resolution=SIDE, classes=classes, conventions="torchvision")
        for width in WIDTHS
    }
    rows = {row.name: row for row in drain(probe(list(graphs.values()), 1, PROBE_SECONDS, footprints=False)).rows}
    took = {width: rows[graph.name].latency_ms + 2 * rows[graph.name].noise_ms for width, graph in graphs.items()}
    budget = SHARE * rows[graphs[1.0].name].latency_ms
    return {
        "latency_ms": budget,
        "thinned_width": max(width for width, taken in took.items() if taken <= budget),
        "widths_ms": {str(width): row.latency_ms for width, row in zip(WIDTHS, rows.values(), strict=True)},
    }


def run_cell(way: str, fold: int, minutes: float, budget: dict[str, Any], size: dict[str, Any]) -> dict[str, Any]:
    """Compose a fold, fit in one way, and answer the test images; `size` is the pick's, once that is known."""
    options: dict[str, Any] = {"weights": WEIGHTS}
    if way in ("elastic", "single"):
        options |= {"elastic": way == "elastic", "budget": Budget(latency_ms=budget["latency_ms"])}
    elif way == "thinned":
        options |= {"width": budget["thinned_width"], "resolution": SIDE}
    else:
        if not size:
            sys.exit("The elastic cell of this fold comes first: it gives the size.")
        options = {"weights": "none", "family": "mobilenet_v2", **size}
    with tempfile.TemporaryDirectory() as name, patch.object(transfer, "important_indices", leading(way)):
        table = write_fold(Path(name) / "data", fold)
        dataset = read_dataset(table)
        test = np.flatnonzero(np.array([sample.part for sample in dataset.samples]) == "test")
        began, is_within = time.monotonic(), True
        try:
            pv.fit(table, Path(name) / "run", minutes=minutes, **options)
        except BudgetMissed as error:  # by noise: the file is there
            print(error)
            is_within = False
        taken = (time.monotonic() - began) / 60
        model = Predictor.open(Path(name) / "run" / "model.onnx")
        right = right_answers(model, dataset, test)
        return {
            "network": model.record.model["name"],
            "size": {key: model.record.model[key] for key in ("width", "resolution")},
            "minutes": round(taken, 2),
            "is_within_budget": is_within,
            "latency_ms": model.record.latencies[0]["latency_ms"],
            "right": {dataset.samples[i].key: bool(hit) for i, hit in zip(test, right, strict=True)},
        }


def leading(way: str) -> Any:
    """Which channels a narrower network keeps of the weights."""
    if way == "thinned":
        return lambda wide, narrow, arrays: leading_indices(wide, narrow)
    return transfer.important_indices


def summary(cells: dict[str, Any]) -> dict[str, Any]:
    """Top-1 of each way, and the paired differences, with clustered standard errors."""
    said: dict[str, Any] = {"budget_ms": cells["budget"]["latency_ms"]}
    shares = {way: by_cutout([cell for key, cell in cells.items() if key.startswith(way)]) for way in WAYS}
    for way, found in shares.items():
        if found:
            mean, error = mean_and_error(list(found.values()))
            said[way] = {"top1": round(mean, 4), "standard_error": round(error, 4), "cutouts": len(found)}
        both = [thing for thing in found if thing in shares["elastic"]]
        if both and way != "elastic":
            mean, error = mean_and_error([shares["elastic"][thing] - found[thing] for thing in both])
            said[f"elastic - {way}"] = {"points": round(100 * mean, 1), "standard_error": round(100 * error, 1)}
    return said


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--suffix", default="")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    print_estimate(len(asked.ways) * len(asked.folds) * (asked.minutes + 0.6))
    results = Results("elastic_pick", ("torch", "onnxruntime"), asked.suffix, *([asked.folder] if asked.folder else []))
    if results.is_finished:
        return
    results.content |= {"weights": WEIGHTS, "minutes": asked.minutes}
    budget = results.cell("budget", partial(find_budget, len(set(FOLDERS.values()))))
    for fold in asked.folds:
        for way in asked.ways:
            size = results.content["cells"].get(f"elastic {fold}", {}).get("size", {})
            cell = results.cell(f"{way} {fold}", partial(run_cell, way, fold, asked.minutes, budget, size))
            print(way, fold, cell["network"], cell["minutes"], cell["latency_ms"], flush=True)
            print(summary(results.content["cells"]), flush=True)
    results.finish(summary(results.content["cells"]))


if __name__ == "__main__":
    main()
