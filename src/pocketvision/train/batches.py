"""The batches that a network is trained on: in the order, and with the augmentation, of one epoch."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketvision.data.geometry import Augmentation, draws, order
from pocketvision.data.pixels import Images, steps_per_epoch
from pocketvision.run.ahead import ahead
from pocketvision.train.augment import augment

READ_AHEAD = 3  # batches


def training_batches(
    pixels: Images, batch_size: int, augmentation: Augmentation, seed: int, epoch: int, first: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch: (images (N, C, R, R) uint8 channels last, labels (N,) int64), the incomplete last batch left out.

    `first` is the first step, in an epoch that is resumed. Order and augmentation depend on (seed, epoch, index) alone.
    Batches are prepared ahead, in threads.
    """
    sequence, draw = order(seed, epoch, len(pixels)), draws(seed, epoch, len(pixels))

    def batch(start: int) -> tuple[Tensor, Tensor]:
        rows = sequence[start : start + batch_size]
        images = augment(pixels[rows], draw[rows], augmentation)
        return to_tensor(images), torch.from_numpy(pixels.labels[rows])

    starts = range(first * batch_size, steps_per_epoch(len(pixels), batch_size) * batch_size, batch_size)
    yield from ahead(batch, starts, READ_AHEAD, READ_AHEAD)


def to_tensor(images: NDArray[np.uint8]) -> Tensor:
    """Return images (N, R, R, C) as a tensor (N, C, R, R) over the same memory: channels last."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)
