"""Predictions: small values that check themselves and print readably."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from pocketvision.errors import BadOption


@dataclass(frozen=True, repr=False)
class Label:
    """One class and how probable it is.

    Args:
        name: the class's name; not empty.
        probability: calibrated, 0 to 1.
        index: the class's place among the network's outputs, from 0.

    Raises:
        BadOption: a value outside of these.

    >>> Label("cat", 0.93, index=3)
    Label(name='cat', probability=0.93)
    """

    name: str
    probability: float
    index: int

    def __post_init__(self) -> None:
        if not self.name:
            raise BadOption("label: the name is empty; every class has a name.", "the class's index as its name")
        if not 0 <= self.probability <= 1:
            raise BadOption(
                f"label {self.name!r}: the probability is {self.probability}; it must be from 0 to 1.",
                "softmax(logits), if these are logits",
            )
        if self.index < 0:
            raise BadOption(f"label {self.name!r}: the index is {self.index}; classes count from 0.", "index=0")

    def __repr__(self) -> str:
        return f"Label(name={self.name!r}, probability={round(self.probability, 3)})"


@dataclass(frozen=True, repr=False, init=False)
class Labels(Sequence[Label]):
    """The most probable classes of one image, falling; immutable.

    Args:
        labels: at least one, in any order; equally probable ones keep their order.
        unknown: the image probably shows none of the classes, and `top` is only the nearest.

    Raises:
        BadOption: there are no labels.

    >>> labels = Labels([Label("dog", 0.25, index=1), Label("cat", 0.75, index=0)])
    >>> labels
    [Label(name='cat', probability=0.75), Label(name='dog', probability=0.25)]
    >>> labels.top.name, len(labels), labels.unknown
    ('cat', 2, False)
    """

    labels: tuple[Label, ...]
    unknown: bool

    def __init__(self, labels: Iterable[Label], unknown: bool = False) -> None:
        ordered = tuple(sorted(labels, key=lambda label: -label.probability))
        if not ordered:
            raise BadOption("labels: none given; a prediction has at least one.", "top=1")
        object.__setattr__(self, "labels", ordered)
        object.__setattr__(self, "unknown", bool(unknown))

    @property
    def top(self) -> Label:
        """The most probable label."""
        return self.labels[0]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as the service and `--json` print them.

        >>> Labels([Label("cat", 0.75, index=0)], unknown=True).to_json()
        {'labels': [{'name': 'cat', 'probability': 0.75}], 'unknown': True}
        """
        labels = [{"name": label.name, "probability": float(label.probability)} for label in self.labels]
        return {"labels": labels, "unknown": self.unknown}

    @overload
    def __getitem__(self, index: int) -> Label: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Label, ...]: ...

    def __getitem__(self, index: int | slice) -> Label | tuple[Label, ...]:
        return self.labels[index]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __repr__(self) -> str:
        return f"unknown, nearest {list(self.labels)}" if self.unknown else repr(list(self.labels))
