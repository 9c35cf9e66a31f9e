"""What do five images a class give? MobileNetV2 from published weights and from scratch, on the cut-out set: 13 classes x 5.

    python benchmarks/few_images.py                  # about 6 minutes

Each image shows another thing; the test images show things of none of them.
"""

import argparse
import csv
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cutouts import write_fold
from measure import Results, print_estimate
from transfer import by_cutout, fitted, mean_and_error, right_answers

from pocketvision.data.read import read_dataset

EACH, MINUTES, FOLD = 5, 2.8, 0
WAYS = {"weights": "torchvision/mobilenet_v2.IMAGENET1K_V1", "scratch": "none"}


def write_few(table: Path, folder: Path) -> Path:
    """Copy the first composition of five things a class into class folders."""
    taken: dict[str, int] = {}
    for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
        if row["split"] == "train" and row["path"].endswith("-0.png") and taken.get(row["label"], 0) < EACH:
            taken[row["label"]] = taken.get(row["label"], 0) + 1
            (folder / row["label"]).mkdir(parents=True, exist_ok=True)
            shutil.copy(table.parent / row["path"], folder / row["label"])
    return folder


def run_cell(way: str) -> dict[str, Any]:
    """Fit on the few, answer the fold's test images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_fold(folder / "data", FOLD)
        few = write_few(table, folder / "few")
        dataset = read_dataset(table)
        test = np.array([index for index, sample in enumerate(dataset.samples) if sample.part == "test"])
        began = time.monotonic()
        model = fitted(few, WAYS[way], MINUTES, folder / "run")
        minutes = round((time.monotonic() - began) / 60, 2)
        right = right_answers(model, dataset, test)
        keys = {dataset.samples[i].key: bool(hit) for i, hit in zip(test, right, strict=True)}
        return {"network": model.record.model["name"], "minutes": minutes, "right": keys}


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suffix", default="")
    options = parser.parse_args()
    print_estimate(6)
    results = Results("few_images", ("torch", "onnxruntime"), options.suffix)
    if results.is_finished:
        return
    cells = {way: results.cell(way, partial(run_cell, way)) for way in WAYS}
    summary: dict[str, Any] = {}
    for way, cell in cells.items():
        mean, error = mean_and_error(list(by_cutout([cell]).values()))
        summary[way] = {"top1": round(mean, 4), "standard_error": round(error, 4), "minutes": cell["minutes"]}
    results.finish(summary)


if __name__ == "__main__":
    main()
