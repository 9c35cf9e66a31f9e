"""The judgement: calibration from validation images, accuracy on the test part, and the record that says so."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.plan import Plan, model_json
from pocketvision.model.network import Network
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.metrics import fit_temperature, softmax, unknown_threshold
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

GOLDENS = 4
TRAINED_ON = ["train", "validation"]


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

    Without a test part the score is the validation part's, and says so. `plan` is of the training that the network comes from,
    perhaps as a cut. `on_all`: what was done with the validation images, too, after it was calibrated; empty: nothing.
    """
    temperature, threshold, logits = calibrated.temperature, calibrated.threshold, calibrated.logits
    scores = {"validation": calibrated.score}
    if len(test):
        logits = compute_logits(network, test)
        scores["test"] = score(logits, test.labels, "test", temperature, threshold)

    common = common_record(job, plan)
    common["data"]["trained_on"] = TRAINED_ON[: 2 if on_all else 1]
    common["provenance"]["on_all"] = on_all
    record = make_record(network, common, scores, temperature, threshold)
    return record, scores.get("test", scores["validation"]), logits


def common_record(job: Job, plan: Plan) -> dict[str, Any]:
    """Return, as JSON values, what the records of all networks of one training say alike."""
    return {
        "labels": list(job.dataset.classes),
        "preprocessing": plan.preprocessing.to_json(),
        "data": {**data_json(job.dataset, job.parts), "trained_on": TRAINED_ON[:1]},
        "provenance": provenance(plan, job.options),
    }


def make_record(
    network: Network,
    common: Mapping[str, Any],
    scores: Mapping[str, Evaluation],
    temperature: float,
    threshold: float,
) -> Record:
    """Return a network's record, goldens included.

    Args:
        network: the trained one.
        common: see `common_record`.
        scores: by part.
        temperature: divides the logits.
        threshold: below which the answer is "unknown".
    """
    graph = network.graph
    return Record(
        task="classification",
        labels=tuple(common["labels"]),
        resolution=graph.image.height,
        channels=graph.image.channels,
        preprocessing=Preprocessing.from_json(common["preprocessing"]),
        model=model_json(graph),
        metrics={"data": common["data"], **{part: evaluation.to_json() for part, evaluation in scores.items()}},
        temperature=temperature,
        unknown_threshold=threshold,
        provenance=dict(common["provenance"]),
        goldens=make_goldens(compute_logits(network, golden_images(GOLDENS, graph.image.height, graph.image.channels))),
    )


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
    found = {
        "versions": versions(),
        "date": datetime.now(UTC).date().isoformat(),
        "options": options.to_json(),
        "recipe": plan.recipe.name,
        "epochs": plan.epochs,
        "training_precision": plan.training_precision,
    }
    return found if plan.elastic is None else found | {"elastic": {"network": plan.graph.name, **asdict(plan.elastic)}}
