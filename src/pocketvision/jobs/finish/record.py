"""What a finished file says about itself: one record maker for trained, cut, published and rewritten networks."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

import pocketvision
from pocketvision.cost.count import describe
from pocketvision.data.dataset import Dataset
from pocketvision.data.split import Split
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.plan import Plan
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network
from pocketvision.run.assess import Calibration, Evaluation
from pocketvision.run.goldens import Goldens, golden_images, make_goldens
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

GOLDENS = 4
TRAINED_ON = ["train", "validation"]


def make_record(
    graph: Graph, common: Mapping[str, Any], metrics: Mapping[str, Any], calibration: Calibration, goldens: Goldens
) -> Record:
    """Return the record of a network's file, without latencies and digests.

    Args:
        graph: the network in fp32.
        common: labels, preprocessing and provenance, as JSON values: what files of one origin share.
        metrics: as JSON values.
        calibration: of its probabilities.
        goldens: its own answers.
    """
    return Record(
        task="classification",
        labels=tuple(common["labels"]),
        resolution=graph.image.height,
        channels=graph.image.channels,
        preprocessing=Preprocessing.from_json(common["preprocessing"]),
        model=describe(graph),
        metrics=dict(metrics),
        temperature=calibration.temperature,
        unknown_threshold=calibration.unknown_threshold,
        provenance=dict(common["provenance"]),
        goldens=goldens,
    )


def remake_record(
    record: Record,
    model: Mapping[str, Any],
    scores: Mapping[str, Evaluation],
    calibration: Calibration,
    compressed: Mapping[str, Any],
    goldens: Goldens,
) -> Record:
    """Return the record of the same network in another precision.

    Args:
        record: of the network in fp32.
        model: what is said of the new one besides.
        scores: its own, by part.
        calibration: its own.
        compressed: how it was found.
        goldens: its own answers.
    """
    kept = {name: value for name, value in record.metrics.items() if name not in ("validation", "test")}
    return replace(
        record,
        model={**record.model, **model},
        metrics={**kept, **metrics_of(scores)},
        temperature=calibration.temperature,
        unknown_threshold=calibration.unknown_threshold,
        provenance={**record.provenance, "compressed": dict(compressed)},
        goldens=goldens,
        digests={},
    )


def with_provenance(record: Record, **entries: Any) -> Record:
    """Return a record with other entries in its provenance."""
    return replace(record, provenance={**record.provenance, **entries})


def goldens_of(network: Network) -> Goldens:
    """Return a network's answers to made-up images."""
    image = network.graph.image
    return make_goldens(compute_logits(network, golden_images(GOLDENS, image.height, image.channels)))


def metrics_of(scores: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Return scores by part as JSON values."""
    return {part: score.to_json() for part, score in scores.items()}


def common_record(given: Given, plan: Plan) -> dict[str, Any]:
    """Return, as JSON values, what the records of all networks of one training say alike."""
    return {
        "labels": list(given.dataset.classes),
        "preprocessing": plan.preprocessing.to_json(),
        "data": {**data_json(given.dataset, given.parts), "trained_on": TRAINED_ON[:1]},
        "provenance": provenance(plan, given.options),
    }


def data_json(dataset: Dataset, parts: Split) -> dict[str, Any]:
    """Return which images were used, as JSON values."""
    counts: dict[str, NDArray[np.int64]] = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint(),
        "split": parts.made,
        "images": {part: len(indices) for part, indices in counts.items()},
    }


def made_with() -> dict[str, Any]:
    """Return the versions that a file was made with, and the day."""
    versions = {
        "pocketvision": pocketvision.__version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }
    return {"versions": versions, "date": datetime.now(UTC).date().isoformat()}


def provenance(plan: Plan, options: FitOptions) -> dict[str, Any]:
    """Return how a trained file came about: versions, seed and options; no paths, no user names."""
    found = {
        **made_with(),
        "options": options.to_json(),
        "recipe": plan.recipe.name,
        "epochs": plan.epochs,
        "training_precision": plan.training_precision,
    }
    return found if plan.elastic is None else found | {"elastic": {"network": plan.graph.name, **asdict(plan.elastic)}}
