"""The parts of a data set that a network is finished with: to find ranges, to judge, to fine-tune."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.ladder import Images
from pocketvision.data.dataset import Dataset
from pocketvision.data.pixels import Pixels
from pocketvision.data.split import split
from pocketvision.errors import BadData
from pocketvision.events import Work
from pocketvision.export.evaluate import labels_for
from pocketvision.run.assess import Assessment, assess
from pocketvision.run.predictor import Predictor

# Images to find ranges with.
RANGE_IMAGES = 512


@dataclass(frozen=True)
class PreparedImages:
    """Prepared images of each part.

    Attributes:
        train: all training images, not decoded yet; None: rung 4 of the ladder is not available.
        ranges: some of them, to find the ranges of values with.
        validation, test: those that judge.
    """

    train: Pixels | None
    ranges: Images
    validation: Pixels
    test: Pixels


def spread_out(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return evenly spaced training images to find ranges with."""
    return indices[:: max(1, len(indices) // RANGE_IMAGES)][:RANGE_IMAGES]


def prepare_images(predictor: Predictor, dataset: Dataset) -> Work[PreparedImages]:
    """Divide a data set as `fit` does, and prepare its images as the file wants them, labels numbered as the file's are."""
    record, labels, parts = predictor.record, labels_for(predictor, dataset), split(dataset)
    if not len(parts.validation):
        raise BadData(f"{dataset.name!r} has no validation images; nothing could be judged.", "more images of a class")

    def prepared(indices: NDArray[np.int64]) -> Pixels:
        pixels = Pixels(dataset, indices, record.resolution, record.channels, record.preprocessing)
        pixels.labels = labels[indices]
        return pixels

    some, validation, test = map(prepared, (spread_out(parts.train), parts.validation, parts.test))
    for pixels, part in ((some, "training"), (validation, "validation"), (test, "test")):
        yield from pixels.decode(f"decoding {part} images")
    return PreparedImages(prepared(parts.train), some, validation, test)


def assess_parts(
    answer: Callable[[Pixels], Iterator[NDArray[np.float32]]], validation: Pixels, test: Pixels, work: str = ""
) -> Work[dict[str, Assessment]]:
    """Assess a network on validation, which calibrates it, and on the test part, where there is one; by part.

    `answer` gives its logits for images, batch by batch.
    """
    found = {"validation": (yield from assess(answer(validation), validation.labels, work=work))}
    if len(test):
        calibration = found["validation"].calibration
        found["test"] = yield from assess(answer(test), test.labels, "test", calibration, work)
    return found
