"""All arithmetic of time: what a job's minutes go to, what is reserved, and what is left for a stage."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import torch

from pocketvision.cost.count import count
from pocketvision.data.dataset import Dataset
from pocketvision.data.split import Split
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.recipe import Recipe
from pocketvision.train.statistics import evenly

# What a job does, in order: the main training, judging all sizes of an elastic network, training the pick further, the epochs
# on all images, the ladder to int8, and then goldens, parity, measuring, writing and verifying the file.
ORDER = ("main", "sizes", "pick", "all", "int8", "finish")

# Validation images after each epoch; all of them at the end.
CHECKED_EACH_EPOCH = 2000
# For timing candidates, or all sizes, on the device: seconds, and share of the time there is; at most.
PROBE_SECONDS = 20.0
PROBE_SHARE = 0.05
# For goldens, parity, measuring, writing and verifying the file.
FINISH_SECONDS = 10.0
# Of the time, for the ladder to int8.
INT8_SHARE = 0.1
# A step among others takes a little longer than a step measured alone.
SLACK = 1.03
# Of a training step's time, for images that are only looked at.
FORWARD_SHARE = 0.4
# Networks are judged in float32, which takes about so many times as long as bfloat16.
FULL_PRECISION = 2.0
# Looks at the validation images after fine-tuning, see jobs/training/interpolate.py; fewer where batch-norm statistics moved.
LOOKS_BACK = 5
LOOKS_AT_ENDS = 2
# Forward multiply-adds in a timed step.
TIMED_MACS = 2_000_000_000
# Images that are decoded, and looked at, to see how long one takes.
DECODED_FOR_TIMING = 32
TIMED_LOOKS = 64


@dataclass(frozen=True)
class Timetable:
    """When each part of a job should be over.

    Attributes:
        deadline: `time.monotonic()` by which the file should be there; None: no limit.
        reserved: seconds that are kept for parts of the job, by their names in `ORDER`.
    """

    deadline: float | None = None
    reserved: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, began: float, minutes: float | None) -> "Timetable":
        """Return the timetable of a job that began at a `time.monotonic()`; None minutes are no limit."""
        return cls(None if minutes is None else began + 60 * minutes)

    @property
    def is_limited(self) -> bool:
        """Whether there is a deadline."""
        return self.deadline is not None

    def reserve(self, **seconds: float) -> "Timetable":
        """Return it with other seconds kept for some parts."""
        return replace(self, reserved={**self.reserved, **seconds})

    def stop(self, part: str) -> float | None:
        """Return the `time.monotonic()` by which a part should be over, so that all later ones have theirs; None: no limit.

        >>> Timetable(100.0, {"pick": 20.0, "finish": 10.0}).stop("main")
        70.0
        """
        if self.deadline is None:
            return None
        return self.deadline - sum(self.reserved.get(later, 0.0) for later in ORDER[ORDER.index(part) + 1 :])

    def left(self, part: str) -> float:
        """Return the seconds until a part should be over, below 0 where it is late; infinity where there is no limit."""
        stop = self.stop(part)
        return math.inf if stop is None else stop - time.monotonic()


def probe_seconds(minutes: float | None) -> float:
    """Return how long networks are timed on the device; `minutes`: that the job may take, None where nothing limits it."""
    return PROBE_SECONDS if minutes is None else min(PROBE_SECONDS, PROBE_SHARE * 60 * minutes)


def timed_images(graph: Graph, recipe: Recipe) -> int:
    """Return how many images a timed step has: fewer for a large network, so that measuring stays short."""
    return max(8, min(recipe.batch_size, TIMED_MACS // count(graph).macs))


def look_seconds(graph: Graph, recipe: Recipe, device: torch.device, precision: str, step_seconds: float) -> float:
    """Return how long one image takes that is judged, not trained on; networks are judged on the CPU, wherever they are trained.

    Args:
        graph: the network.
        recipe: of the training.
        device: where it is trained.
        precision: "float32" or "bfloat16", in which it is trained.
        step_seconds: of one optimizer step of the network alone.
    """
    if device.type != "cpu":
        return _measure_look(graph)
    slower = FULL_PRECISION if precision == "bfloat16" else 1.0
    return slower * FORWARD_SHARE * step_seconds / recipe.batch_size


def looks_back(recipe: Recipe, has_start: bool) -> int:
    """Return how many passes over the validation images decide how far a training that started from weights is followed."""
    if not has_start:
        return 0
    return LOOKS_BACK if recipe.batch_norm_momentum is None else LOOKS_AT_ENDS


def _measure_look(graph: Graph) -> float:
    network, shape = build(graph), (TIMED_LOOKS, graph.image.height, graph.image.width, graph.image.channels)
    seconds = []
    for _ in range(3):  # the first is slower
        began = time.perf_counter()
        compute_logits(network, np.zeros(shape, np.uint8))
        seconds.append((time.perf_counter() - began) / TIMED_LOOKS)
    return min(seconds)


def finish_seconds(parts: Split, look: float, looks: int) -> float:
    """Return how long the end takes: so many passes over the validation images, one over the test images, and the file."""
    return FINISH_SECONDS + look * (looks * len(parts.validation) + len(parts.test))


def decode_seconds(dataset: Dataset, graph: Graph) -> float:
    """Estimate how long decoding all images once will take, from a few of them."""
    some = evenly(len(dataset), DECODED_FOR_TIMING)
    began = time.perf_counter()
    load_images([dataset.image(int(i)) for i in some], graph.image.height, graph.image.channels, FROM_SCRATCH)
    return (time.perf_counter() - began) / len(some) * len(dataset) / max(1, torch.get_num_threads())


def whole_epochs(seconds: float, epoch_seconds: float, most: int | None = None) -> int:
    """Return how many epochs fit into the time, at least one; `most`: None is any number.

    >>> whole_epochs(100.0, 30.0), whole_epochs(10.0, 30.0), whole_epochs(100.0, 30.0, most=2)
    (3, 1, 2)
    """
    fitting = max(1, int(seconds / epoch_seconds))
    return fitting if most is None else min(fitting, most)
