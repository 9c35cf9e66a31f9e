"""What a job has to work with: images, what was asked for, where training runs, and until when."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.dataset import Dataset
from pocketvision.data.split import Split
from pocketvision.data.survey import Survey
from pocketvision.jobs.options import FitOptions


@dataclass(frozen=True, eq=False)
class Job:
    """What is given before anything is decided.

    Attributes:
        dataset: all usable images.
        parts: which of them train, validate and test.
        seen: their sizes and colours.
        options: what was asked for.
        device: where training runs.
        deadline: `time.monotonic()` by which the file should be there; None: no limit.
    """

    dataset: Dataset
    parts: Split
    seen: Survey
    options: FitOptions
    device: torch.device
    deadline: float | None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Labels of the training images (N,)."""
        return self.dataset.labels[self.parts.train]
