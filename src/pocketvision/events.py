"""Events of long work: plain values that it yields while it runs, and that the command line draws."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

Said = TypeVar("Said")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Note:
    """A sentence for the user: a choice that was made, and why."""

    text: str


@dataclass(frozen=True)
class Progress:
    """Counted work: decoding, measuring, checking."""

    work: str
    done: int
    total: int


@dataclass(frozen=True)
class Timed:
    """The timing of one network so far; more rounds may follow.

    Attributes:
        name: of the network.
        latency_ms: median.
        p95_ms: 95 of 100 calls took no longer.
        noise_ms: by how much the median of another run may differ.
        rounds: that were timed.
    """

    name: str
    latency_ms: float
    p95_ms: float
    noise_ms: float
    rounds: int


@dataclass(frozen=True)
class Step:
    """One optimizer step.

    Attributes:
        epoch, epochs: the current one, from 1, and how many are planned.
        step, steps: the same within the epoch.
        loss: running mean over the epoch.
        lr: learning rate of the step.
        images_per_second: over the epoch so far.
        seconds_left: until the last planned step.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    lr: float
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True)
class Epoch:
    """One pass over the training images, and the validation of the averaged weights.

    Attributes:
        epoch, epochs: from 1, and how many are planned.
        loss: mean training loss.
        validation_loss: mean negative log likelihood, in nats; NaN: nobody looked.
        validation_top1: share of validation images whose likeliest class is right; NaN: nobody looked.
        lr: learning rate at the end.
        seconds: of the epoch, validation included.
        images_per_second: in training.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float
    validation_top1: float
    lr: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Measured:
    """A figure of the finished file, for instance ("top-1 on the test part", 0.9231)."""

    name: str
    value: float


Event = Note | Progress | Timed | Step | Epoch | Measured
Work: TypeAlias = Generator[Event, None, Result]  # long work: it yields events, and returns a result


def drain(work: Generator[Said, None, Result], on_event: Callable[[Said], object] = lambda event: None) -> Result:
    """Run work to its end and return its result; `on_event` is called with each event."""
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        on_event(event)


def mapped(work: Generator[Said, None, Result], to_event: Callable[[Said], Event]) -> Work[Result]:
    """Yield `to_event` of all that work yields; return its result."""
    while True:
        try:
            said = next(work)
        except StopIteration as stop:
            result: Result = stop.value
            return result
        yield to_event(said)
