"""Assessments of made-up logits, for tests of what reads assessments."""

import numpy as np

from pocketvision.events import drain
from pocketvision.run.assess import AS_IS, Assessment, Calibration, assess


def assessed(logits: np.ndarray, labels: np.ndarray, calibration: Calibration | None = AS_IS) -> Assessment:
    """What a network with these logits (N, classes) says of images with these labels; None: calibrated on them."""
    return drain(assess([logits], labels, calibration=calibration))
