"""The judgement: calibration from validation images, accuracy on the test part, and the record that says so."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

import pocketvision
from pocketvision.data.dataset import Dataset
from pocketvision.data.loader import Pixels
from pocketvision.data.split import Split
from pocketvision.export.evaluate import Evaluation, score
from pocketvision.fit.job import Job
from pocketvision.fit.options import FitOptions
from pocketvision.fit.plan import Plan, model_json
from pocketvision.model.network import Network
from pocketvision.run.artifact import Record, golden_images, make_goldens
from pocketvision.run.metrics import fit_temperature, softmax, unknown_threshold
from pocketvision.train.evaluate import compute_logits

GOLDENS = 4
TRAINED_ON = ("train", "validation")


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What validation images say of a network that was not trained on them.

    Attributes:
        temperature, threshold: see `pocketvision.run.metrics`.
        score: of these images.
        logits: (N, classes).
    """

    temperature: float
    threshold: float
    score: Evaluation
    logits: NDArray[np.float32]


def calibrate(network: Network, validation: Pixels) -> Calibrated:
    """Fit temperature and threshold on the validation part."""
    logits, labels = compute_logits(network, validation), validation.labels
    temperature = fit_temperature(logits, labels)
    threshold = unknown_threshold(softmax(logits / temperature), labels)
    return Calibrated(temperature, threshold, score(logits, labels, "validation", temperature, threshold), logits)


def judge(
    network: Network,
    calibrated: Calibrated,
    job: Job,
    test: Pixels,
    plan: Plan,
    on_all: str,
) -> tuple[Record, Evaluation, NDArray[np.float32]]:
    """Score the test part once; return the file's record, the score, and its logits.

    Without a test part the score is the validation part's, and says so. `on_all`: what was done with the validation images, too,
    after it was calibrated; empty: nothing.
    """
    temperature, threshold, logits = calibrated.temperature, calibrated.threshold, calibrated.logits
    scores = {"validation": calibrated.score}
    if len(test):
        logits = compute_logits(network, test)
        scores["test"] = score(logits, test.labels, "test", temperature, threshold)

    side, channels = plan.graph.image.height, plan.graph.image.channels
    record = Record(
        task="classification",
        labels=job.dataset.classes,
        resolution=side,
        channels=channels,
        preprocessing=plan.preprocessing,
        model=model_json(plan.graph),
        metrics={
            "data": {**data_json(job.dataset, job.parts), "trained_on": TRAINED_ON[: 2 if on_all else 1]},
            **{part: evaluation.to_json() for part, evaluation in scores.items()},
        },
        temperature=temperature,
        unknown_threshold=threshold,
        provenance={**provenance(plan, job.options), "on_all": on_all},
        goldens=make_goldens(compute_logits(network, golden_images(GOLDENS, side, channels))),
    )
    return record, scores.get("test", scores["validation"]), logits


def data_json(dataset: Dataset, parts: Split) -> dict[str, Any]:
    """Return which images were used, as JSON values."""
    counts: dict[str, NDArray[np.int64]] = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint(),
        "split": parts.made,
        "images": {part: len(indices) for part, indices in counts.items()},
    }


def versions() -> dict[str, str]:
    """Return what the file was made with."""
    return {
        "pocketvision": pocketvision.__version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }


def provenance(plan: Plan, options: FitOptions) -> dict[str, Any]:
    """Return how the file came about: versions, seed and options; no paths, no user names."""
    return {
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "options": options.to_json(),
        "recipe": plan.recipe.name,
        "epochs": plan.epochs,
        "precision": plan.precision,
    }
