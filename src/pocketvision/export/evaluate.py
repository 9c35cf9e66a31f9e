"""evaluate: a file's accuracy and calibration on labelled images, from the original bytes, without torch."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import PART_NAMES, Dataset
from pocketvision.data.split import split
from pocketvision.errors import BadData, BadOption
from pocketvision.events import Note, Progress, Work
from pocketvision.run.metrics import expected_calibration_error, softmax, standard_error, top1
from pocketvision.run.predictor import Predictor
from pocketvision.run.record import Record

TOLD_EACH = 64  # images between two events


@dataclass(frozen=True)
class Evaluation:
    """The scores of a file.

    Attributes:
        part: which images: "test", "validation", "train" or "all".
        images: how many.
        top1: share whose likeliest class is right.
        standard_error: of top1.
        ece: expected calibration error of the calibrated probabilities.
        ece_uncalibrated: the same at temperature 1.
        unknown: share answered "unknown".
    """

    part: str
    images: int
    top1: float
    standard_error: float
    ece: float
    ece_uncalibrated: float
    unknown: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values, rounded to six digits."""
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


def score(
    logits: NDArray[np.float32], labels: NDArray[np.int64], part: str, temperature: float, unknown_threshold: float
) -> Evaluation:
    """Return the figures for logits (N, classes) and labels (N,)."""
    calibrated = softmax(logits / temperature)
    accuracy = top1(logits, labels)
    return Evaluation(
        part=part,
        images=len(labels),
        top1=accuracy,
        standard_error=standard_error(accuracy, len(labels)),
        ece=expected_calibration_error(calibrated, labels),
        ece_uncalibrated=expected_calibration_error(softmax(logits), labels),
        unknown=float((calibrated.max(1) < unknown_threshold).mean()),
    )


def file_logits(predictor: Predictor, dataset: Dataset, indices: NDArray[np.int64]) -> Work[NDArray[np.float32]]:
    """Return the file's logits (N, classes) for some of a data set's images; yield progress.

    Args:
        predictor: the opened file.
        dataset: where the images come from.
        indices: which of them.
    """
    found = []
    for answer in predictor.stream((dataset.image(int(i)) for i in indices), top=1):
        if answer.error is not None:
            raise answer.error
        found.append(answer.outputs["logits"])
        if len(found) % TOLD_EACH == 0 or len(found) == len(indices):
            yield Progress("evaluating", len(found), len(indices))
    return np.stack(found)


def labels_for(predictor: Predictor, dataset: Dataset) -> NDArray[np.int64]:
    """Return the data set's labels as positions in the file's own list; classes are matched by name.

    Raises:
        BadData: the data set has a class that the file does not know.
    """
    known = {name: i for i, name in enumerate(predictor.record.labels)}
    foreign = [name for name in dataset.classes if name not in known]
    if foreign:
        raise BadData(
            f"class {foreign[0]!r} of {dataset.name!r} is not among the {len(known)} classes of the file: "
            f"{', '.join(list(known)[:10])}{' ...' if len(known) > 10 else ''}.",
            "the data that the file was trained on, or rename the class",
        )
    return np.array([known[name] for name in dataset.classes], np.int64)[dataset.labels]


def select_part(record: Record, dataset: Dataset, part: str) -> tuple[NDArray[np.int64], str]:
    """Return the images to evaluate on, and what to call them.

    "auto" is the test part, if the data have one or are those that the file was trained on (which are split in the same way
    again; if that gives no test part, validation); other data are taken as a whole.

    Raises:
        BadOption: no such part.
        BadData: the part has no images.
    """
    if part not in ("auto", "all", *PART_NAMES):
        raise BadOption(f"part must be auto, all, {', '.join(PART_NAMES)}; got {part!r}.", "--part test")
    if part == "auto":
        own = dataset.fingerprint() == record.metrics.get("data", {}).get("fingerprint")
        has_test = any(dataset.counts("test").values()) or (own and len(split(dataset).test) > 0)
        part = "test" if has_test else "validation" if own else "all"
    if part == "all":
        return np.arange(len(dataset)), part
    part = PART_NAMES[part]
    given = np.flatnonzero([sample.part == part for sample in dataset.samples])
    indices = (
        given if len(given) and part != "train" else getattr(split(dataset), part)
    )  # validation may come from train
    if len(indices) == 0:
        raise BadData(f"{dataset.name!r} has no images in part {part!r}.", "--part all")
    return indices, part


def evaluate_file(predictor: Predictor, dataset: Dataset, indices: NDArray[np.int64], part: str) -> Work[Evaluation]:
    """Return the scores of an opened file on some of a data set's images; yield progress.

    Raises:
        BadData: a class that the file does not know.
    """
    data = predictor.record.metrics.get("data", {})
    if part in (*data.get("trained_on", ("train",)), "all") and dataset.fingerprint() == data.get("fingerprint"):
        yield Note(f"The network was trained on the {part} images: expect less on others.")
    labels = labels_for(predictor, dataset)[indices]
    logits = yield from file_logits(predictor, dataset, indices)
    return score(logits, labels, part, predictor.record.temperature, predictor.record.unknown_threshold)
