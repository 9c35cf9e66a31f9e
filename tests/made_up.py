"""Made-up data sets, for tests of prepared images and of batches."""

import numpy as np

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.pixels import Pixels
from pocketvision.run.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(mode="letterbox")


def dataset(images):
    samples = tuple(Sample(f"{i}", i % 3) for i in range(len(images)))
    return Dataset("made up", ("a", "b", "c"), samples, images)


def noise(n):
    return dataset(np.random.default_rng(0).integers(0, 256, (n, 9, 12, 3), np.uint8))


def numbered(n):
    """Images of which each pixel is the image's number, as `Pixels` of the same size."""
    images = dataset(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 4, 4)).copy())
    return Pixels(images, np.arange(n), 4, 1, Preprocessing())
