"""What is given before a network is decided on: images, what was asked for, the device, the time, and where training starts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.split import Split
from pocketvision.data.survey import Survey
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.initial_weights import SCRATCH, Start
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.recipe import chosen_recipe
from pocketvision.jobs.plan.timetable import Timetable
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from pocketvision.train.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Given:
    """What a plan is made of.

    Attributes:
        dataset: all usable images.
        parts: which of them train, validate and test.
        seen: their sizes and colours.
        options: what was asked for.
        device: where training runs.
        latencies: where they come from: this machine, or a device file.
        timetable: with nothing reserved yet.
        start: where training starts, as soon as that is decided.
    """

    dataset: Dataset
    parts: Split
    seen: Survey
    options: FitOptions
    device: torch.device
    latencies: Latencies
    timetable: Timetable
    start: Start = SCRATCH

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the training images (N,)."""
        return self.dataset.labels[self.parts.train]

    @property
    def preprocessing(self) -> Preprocessing:
        """From an image to the network's input: published weights bring their own; from scratch the whole image is seen."""
        return FROM_SCRATCH if self.start.weights is None else self.start.weights.preprocessing

    @cached_property
    def recipe(self) -> Recipe:
        """How networks are trained on these images from that start."""
        return chosen_recipe(self.options, len(self.labels), self.start.has_weights, self.options.elastic)
