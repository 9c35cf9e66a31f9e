"""The assessment: outputs stream in, and what they are worth against the labels comes out. The one place that scores.

Nothing above this module holds the outputs of all images: for masks or boxes these would fit nowhere.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadOption
from pocketvision.events import Progress, Work
from pocketvision.run.metrics import (
    calibration_bins,
    confusion_matrix,
    expected_calibration_error,
    fit_temperature,
    losses,
    softmax,
    standard_error,
    top1,
    unknown_threshold,
)

Bins = tuple[
    NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]
]  # sums of each bin: images, confidence, right
Found = TypeVar("Found")


class Images(Protocol):
    """Prepared images, which come as arrays (N, R, R, C) uint8 where a slice is asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Calibration:
    """What makes probabilities of logits, and "unknown" of unsure ones; see `pocketvision.run.metrics`.

    Attributes:
        temperature: divides the logits before the softmax.
        unknown_threshold: probability below which the answer is "unknown".
    """

    temperature: float = 1.0
    unknown_threshold: float = 0.0


AS_IS = Calibration()  # of a network that is still in training


@dataclass(frozen=True)
class Evaluation:
    """What a network scores on some images.

    Attributes:
        part: which images: "test", "validation", "train" or "all".
        images: how many.
        top1: share whose likeliest class is right, 0 to 1.
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


@dataclass(frozen=True, eq=False)
class Assessment:
    """What a network says of images whose labels are known, image by image and in all.

    Attributes:
        calibration: that the probabilities were made with.
        evaluation: the figures over all images.
        labels: the true class of each image, (N,) int64.
        answers: the likeliest class of each, (N,) int64.
        confidence: its calibrated probability, (N,) float64.
        losses: negative log likelihood of each image before calibration, in nats, (N,) float64.
        classes: how many there are.
        before, after: what calibration curves are drawn from, at temperature 1 and calibrated.
    """

    calibration: Calibration
    evaluation: Evaluation
    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    confidence: NDArray[np.float64]
    losses: NDArray[np.float64]
    classes: int
    before: Bins
    after: Bins

    @property
    def each(self) -> NDArray[np.bool_]:
        """Which images are right, (N,): what networks are compared by, image by image."""
        right: NDArray[np.bool_] = self.answers == self.labels
        return right

    @property
    def top1(self) -> float:
        """Share of the images that are right, 0 to 1."""
        return self.evaluation.top1

    @property
    def confusion(self) -> NDArray[np.int64]:
        """How many images of each true class (row) were answered with each class (column)."""
        return confusion_matrix(self.answers, self.labels, self.classes)

    @property
    def loss(self) -> float:
        """Mean negative log likelihood before calibration, in nats."""
        return float(np.mean(self.losses))


def assess(
    outputs: Iterable[NDArray[np.float32]],
    labels: NDArray[np.int64],
    part: str = "validation",
    calibration: Calibration | None = None,
    work: str = "",
) -> Work[Assessment]:
    """Score a network's logits as they come.

    Args:
        outputs: logits (n, classes) of one batch after the other, in the order of the labels.
        labels: (N,).
        part: what the images are called in the figures.
        calibration: of the network; None: temperature and threshold are fitted on these very images.
        work: what is said of the progress; empty: nothing is said.

    Raises:
        BadOption: there are no images, not as many outputs as labels, or an output is NaN or infinite.
    """
    batches: list[NDArray[np.float32]] = []
    done = 0
    for batch in outputs:
        batches.append(batch)
        done += len(batch)
        if work:
            yield Progress(work, done, len(labels))
    if not batches:
        raise BadOption("there are no images to assess.", "at least one image")
    return _score(np.concatenate(batches), labels, part, calibration)


def _score(
    logits: NDArray[np.float32], labels: NDArray[np.int64], part: str, calibration: Calibration | None
) -> Assessment:
    if calibration is None:
        temperature = fit_temperature(logits, labels)
        calibration = Calibration(temperature, unknown_threshold(softmax(logits / temperature), labels))
    each = losses(logits, labels)
    answers = logits.argmax(1).astype(np.int64)
    right = top1(logits, labels)
    plain, calibrated = softmax(logits), softmax(logits / calibration.temperature)
    confidence = calibrated.max(1)
    evaluation = Evaluation(
        part=part,
        images=len(labels),
        top1=right,
        standard_error=standard_error(right, len(labels)),
        ece=expected_calibration_error(calibrated, labels),
        ece_uncalibrated=expected_calibration_error(plain, labels),
        unknown=float((confidence < calibration.unknown_threshold).mean()),
    )
    before, after = calibration_bins(plain, labels), calibration_bins(calibrated, labels)
    return Assessment(calibration, evaluation, labels, answers, confidence, each, logits.shape[1], before, after)


def in_batches(answer: Callable[[NDArray[np.uint8]], Found], images: Images, size: int) -> Iterator[Found]:
    """Yield what a function gives for the images, so many at a time."""
    for start in range(0, len(images), size):
        yield answer(images[start : start + size])
