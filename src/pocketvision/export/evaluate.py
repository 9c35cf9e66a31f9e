"""evaluate: a file's accuracy and calibration on labelled images, from the original bytes, without torch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.parts import PART_NAMES
from pocketvision.data.split import split
from pocketvision.errors import BadData, BadOption
from pocketvision.events import Note, Work
from pocketvision.run.assess import Evaluation, assess
from pocketvision.run.predictor import Predictor
from pocketvision.run.record import Record

TOLD_EACH = 64  # images between two events


def file_outputs(predictor: Predictor, dataset: Dataset, indices: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    """Yield the file's logits (n, classes) for some of a data set's images, a few at a time.

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
        if len(found) == TOLD_EACH:
            yield np.stack(found)
            found = []
    if found:
        yield np.stack(found)


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
    # validation may come from train
    indices = given if len(given) and part != "train" else getattr(split(dataset), part)
    if len(indices) == 0:
        raise BadData(f"{dataset.name!r} has no images in part {part!r}.", "--part all")
    return indices, part


def evaluate_file(predictor: Predictor, dataset: Dataset, indices: NDArray[np.int64], part: str) -> Work[Evaluation]:
    """Return the scores of an opened file on some of a data set's images; yield progress.

    Raises:
        BadData: a class that the file does not know.
    """
    record = predictor.record
    data = record.metrics.get("data", {})
    if part in (*data.get("trained_on", ("train",)), "all") and dataset.fingerprint() == data.get("fingerprint"):
        yield Note(f"The network was trained on the {part} images: expect less on others.")
    labels = labels_for(predictor, dataset)[indices]
    outputs = file_outputs(predictor, dataset, indices)
    return (yield from assess(outputs, labels, part, record.calibration, "evaluating")).evaluation
