"""Which images train, which choose between networks (validation), and which only judge the result (test)."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.parts import Part
from pocketvision.data.union import connected
from pocketvision.errors import BadData

VALIDATION, TEST = 0.15, 0.15  # shares of each class
HOW = "within each class, in the order of content hashes, with groups and exact duplicates kept together"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Split:
    """Indices into a Dataset: three parts that share none.

    Args:
        train: (n,) int64, ascending, as the other two.
        validation: what chooses between networks and settings.
        test: what judges the result once; may be empty.
        made: one sentence that says how it was made.
        is_given: whether the data set itself says which images validate.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    made: str
    is_given: bool = False

    def part_of(self) -> dict[int, Part]:
        """Return the part of each image, by its index."""
        parts: dict[Part, NDArray[np.int64]] = {"train": self.train, "validation": self.validation, "test": self.test}
        return {index: part for part, indices in parts.items() for index in indices.tolist()}


@dataclass(frozen=True)
class _Unit:
    """Images that must stay in one part.

    Args:
        key: the smallest content hash among them; it determines the order and is unique.
        indices: into the data set.
        counts: {label: images}.
    """

    key: str
    indices: tuple[int, ...]
    counts: Counter[int]


def split(dataset: Dataset) -> Split:
    """Divide a data set into train, validation and test.

    Parts that the data set itself assigns are kept: where only validation is missing, it is taken from train; where only
    test is missing, it is empty. Without parts (or with train alone) all three are made: within each class, in the order
    of content hashes. So neither file names nor the order of reading matter, and groups and exact duplicates stay
    together. A class with at least two units gets a validation image; one with a single unit only trains.

    Args:
        dataset: images with labels, and with parts or groups where it has them.

    Raises:
        BadData: fewer than two classes have training images.

    >>> from pocketvision.data.dataset import Sample
    >>> pixels = np.arange(40, dtype=np.uint8).reshape(40, 1, 1)
    >>> digits = Dataset("digits", ("0", "1"), tuple(Sample(f"{i}", i % 2) for i in range(40)), pixels)
    >>> parts = split(digits)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (28, 6, 6)
    """
    given: dict[Part | None, list[int]] = defaultdict(list)
    for index, sample in enumerate(dataset.samples):
        given[sample.part].append(index)
    _require_training(dataset, given[None] + given["train"])
    if given["validation"]:
        parts, made = (given["train"], given["validation"], given["test"]), "Parts as the data set gives them"
    elif given["test"]:
        train, chosen, _ = _divide(dataset, given["train"], VALIDATION, 0.0)
        parts = (train, chosen, given["test"])
        made = f"Train and test as the data set gives them; {VALIDATION:.0%} of train became validation {HOW}"
    else:
        parts = _divide(dataset, given[None] + given["train"], VALIDATION, TEST)
        made = f"{1 - VALIDATION - TEST:.0%} train, {VALIDATION:.0%} validation, {TEST:.0%} test {HOW}"
    _require_training(dataset, parts[0])
    _warn(dataset, *parts)
    train_indices, validation_indices, test_indices = (np.array(sorted(part), np.int64) for part in parts)
    return Split(train_indices, validation_indices, test_indices, f"{made}.", bool(given["validation"]))


def _require_training(dataset: Dataset, train: Sequence[int]) -> None:
    """Raise BadData unless there are training images of two classes."""
    if not train:
        raise BadData(
            f"{dataset.name} has no training images; some of at least two classes are needed.", "another split"
        )
    present = {dataset.samples[index].label for index in train}
    if len(present) < 2:
        raise BadData(
            f"{dataset.name} has training images of one class only, '{dataset.classes[present.pop()]}'; two are needed.",
            "images of one more class",
        )


def _warn(dataset: Dataset, train: Sequence[int], validation: Sequence[int], test: Sequence[int]) -> None:
    """Log a warning where images of train lie in another part too, and for each class that train or validation lacks."""
    learnt = {dataset.content_hash(index) for index in train}
    for part, indices in (("validation", validation), ("test", test)):
        if again := sum(dataset.content_hash(index) in learnt for index in indices):
            log.warning(
                "%s: %d of %d %s images are exact duplicates of training images; its accuracy will look too good",
                *(dataset.name, again, len(indices), part),
            )
    for part, indices in (("training", train), ("validation", validation)):
        present = {dataset.samples[index].label for index in indices}
        for label in sorted({sample.label for sample in dataset.samples} - present):
            log.warning("%s: class '%s' has no %s image", dataset.name, dataset.classes[label], part)


def _divide(
    dataset: Dataset, indices: Sequence[int], validation: float, test: float
) -> tuple[list[int], list[int], list[int]]:
    """Divide some images of a data set into train, validation and test, all of a unit into the same."""
    units = _units(dataset, indices)
    of_class: dict[int, list[_Unit]] = defaultdict(list)
    for unit in units:
        for label in unit.counts:
            of_class[label].append(unit)
    quotas: dict[Part, Counter[int]] = {"validation": Counter(), "test": Counter()}
    for label, its_units in of_class.items():
        size = sum(unit.counts[label] for unit in its_units)
        quotas["validation"][label] = max(1, _nearest_whole(size * validation))
        quotas["test"][label] = _nearest_whole(size * test)
    part_of: dict[str, Part] = {}
    for unit in units:
        part_of[unit.key] = "train"
        if any(len(of_class[label]) == 1 for label in unit.counts):
            continue
        for part, quota in quotas.items():
            if all(quota[label] >= count for label, count in unit.counts.items()):
                quota.subtract(unit.counts)
                part_of[unit.key] = part
                break
    _fill_gaps(of_class, part_of)
    train, chosen, judging = (
        [index for unit in units if part_of[unit.key] == part for index in unit.indices]
        for part in ("train", "validation", "test")
    )
    return train, chosen, judging


def _nearest_whole(number: float) -> int:
    """Round to the nearest whole number, one half up."""
    return int(number + 0.5)


def _fill_gaps(of_class: dict[int, list[_Unit]], part_of: dict[str, Part]) -> None:
    """Move the smallest units so that each class with two of them can be trained and validated; changes `part_of`.

    Training comes first, and what validation then needs is never the last training unit of a class: so no later step
    undoes an earlier one.
    """
    split_classes = sorted(label for label, units in of_class.items() if len(units) > 1)

    def move_smallest(units: Iterable[_Unit], part: Part) -> None:
        smallest = min(units, key=lambda unit: (len(unit.indices), unit.key), default=None)
        if smallest:
            part_of[smallest.key] = part

    def trains_without(unit: _Unit) -> bool:
        """Tell whether each class of the unit has another one to train on."""
        return all(
            any(part_of[other.key] == "train" for other in of_class[label] if other is not unit)
            for label in unit.counts
        )

    for label in split_classes:
        if all(part_of[unit.key] != "train" for unit in of_class[label]):
            move_smallest(of_class[label], "train")
    for label in split_classes:
        if all(part_of[unit.key] != "validation" for unit in of_class[label]):
            move_smallest(filter(trains_without, of_class[label]), "validation")


def _units(dataset: Dataset, indices: Sequence[int]) -> list[_Unit]:
    """Join images that share a group or their content, and return the joined units in the order of their smallest hash."""
    edges: list[tuple[int | str, int | str]] = []  # images are numbers, hashes and groups texts
    for index in indices:
        edges.append((index, f"hash {dataset.content_hash(index)}"))
        if group := dataset.samples[index].group:
            edges.append((index, f"group {group}"))
    members = ([node for node in nodes if isinstance(node, int)] for nodes in connected(edges))
    units = (
        _Unit(
            key=min(dataset.content_hash(index) for index in together),
            indices=tuple(together),
            counts=Counter(dataset.samples[index].label for index in together),
        )
        for together in members
    )
    return sorted(units, key=lambda unit: unit.key)
