"""Does transfer pay? MobileNetV2 fine-tuned, from scratch, and as a linear probe, on the cut-out set: 5 folds, the same images.

    python benchmarks/transfer.py                    # about 45 minutes; run again, it skips what is done

The probe is a logistic regression (C = 0.01) on features of the published network at 128 pixels, as people would do it with
scikit-learn. Standard errors are clustered by cut-out: the images of one thing are not independent.
"""

import argparse
import math
import tempfile
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cutouts import FOLDS, write_fold
from measure import Results, print_estimate
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import pocketvision as pv
from pocketvision.data.read import read_dataset
from pocketvision.jobs.export import export
from pocketvision.model.weights.load import load_weights
from pocketvision.run.predictor import Predictor

MINUTES = 4.0
WAYS = ("probe", "weights", "scratch")
PROBE_PIXELS, PROBE_C = 128, 0.01
SCRATCH = {
    "weights": "none",
    "family": "mobilenet_v2",
    "width": 1.0,
    "resolution": 160,
}  # the network that `weights` takes


def fitted(table: Path, weights: str, minutes: float, folder: Path, **options: Any) -> Predictor:
    """Fit a network and open it."""
    return Predictor.open(pv.fit(table, folder, weights=weights, minutes=minutes, **options).model)


def right_answers(model: Predictor, dataset: Any, indices: np.ndarray) -> list[bool]:
    """Whether each image's likeliest label is its own."""
    names = [labels.top.name for labels in model.predict([dataset.image(int(i)) for i in indices], top=1)]
    return [name == dataset.classes[dataset.labels[i]] for name, i in zip(names, indices, strict=True)]


def probed(weights: str, dataset: Any, train: np.ndarray, test: np.ndarray, folder: Path) -> list[bool]:
    """What a logistic regression on the published network's features gets right."""
    model = Predictor.open(export(load_weights(weights), folder / "probe.onnx", PROBE_PIXELS).file)
    features = {name: model.embed([dataset.image(int(i)) for i in part]) for name, part in (("a", train), ("b", test))}
    scaler = StandardScaler().fit(features["a"])
    probe = LogisticRegression(C=PROBE_C, max_iter=2000).fit(scaler.transform(features["a"]), dataset.labels[train])
    return (probe.predict(scaler.transform(features["b"])) == dataset.labels[test]).tolist()


def run_cell(way: str, fold: int, weights: str, minutes: float) -> dict[str, Any]:
    """Compose a fold, and answer its test images in one way."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = write_fold(folder / "data", fold)
        dataset = read_dataset(table)
        parts = np.array([sample.part for sample in dataset.samples])
        train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
        began = time.monotonic()
        if way == "probe":
            right = probed(weights, dataset, train, test, folder)
            network = "mobilenet_v2_w1.00_r128"
        else:
            model = fitted(
                table, minutes=minutes, folder=folder / "run", **(SCRATCH if way == "scratch" else {"weights": weights})
            )
            right, network = right_answers(model, dataset, test), model.record.model["name"]
        return {
            "network": network,
            "minutes": round((time.monotonic() - began) / 60, 2),
            "right": {dataset.samples[i].key: bool(hit) for i, hit in zip(test, right, strict=True)},
        }


def by_cutout(cells: list[dict[str, Any]]) -> dict[str, float]:
    """Share of right answers for each cut-out, over all folds."""
    found: dict[str, list[bool]] = defaultdict(list)
    for cell in cells:
        for key, hit in cell["right"].items():
            found[key.rpartition("-")[0]].append(hit)
    return {name: float(np.mean(hits)) for name, hits in found.items()}


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean over cut-outs, and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))


def summary(cells: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Top-1 of each way, and the paired differences, with clustered standard errors."""
    shares = {way: by_cutout([cell for key, cell in cells.items() if key.startswith(way)]) for way in WAYS}
    shares = {way: found for way, found in shares.items() if found}
    said: dict[str, Any] = {}
    for way, found in shares.items():
        mean, error = mean_and_error(list(found.values()))
        said[way] = {"top1": round(mean, 4), "standard_error": round(error, 4), "cutouts": len(found)}
    for other in ("scratch", "probe"):
        if "weights" in shares and other in shares:
            both = [name for name in shares["weights"] if name in shares[other]]
            mean, error = mean_and_error([shares["weights"][name] - shares[other][name] for name in both])
            said[f"weights - {other}"] = {"points": round(100 * mean, 1), "standard_error": round(100 * error, 1)}
    return said


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="torchvision/mobilenet_v2.IMAGENET1K_V1")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--suffix", default="")
    options = parser.parse_args()
    print_estimate(2 * options.folds * (options.minutes + 0.6))
    results = Results("transfer", ("torch", "onnxruntime", "scikit-learn"), options.suffix)
    if results.is_finished:
        return
    results.content |= {"weights": options.weights, "minutes": options.minutes}
    for way in WAYS:
        for fold in range(options.folds):
            cell = results.cell(f"{way} {fold}", partial(run_cell, way, fold, options.weights, options.minutes))
            print(way, fold, cell["network"], cell["minutes"], summary(results.content["cells"]), flush=True)
    results.finish(summary(results.content["cells"]))


if __name__ == "__main__":
    main()
