"""Augmentation of a batch: each image shifted, mirrored and cropped as its draw says."""

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from pocketvision.data.geometry import Augmentation

Bytes = NDArray[np.uint8]


def augment(images: Bytes, draw: NDArray[np.float64], augmentation: Augmentation) -> Bytes:
    """Return augmented copies of the images: (N, R, R, C) uint8.

    Args:
        images: (N, R, R, C) uint8.
        draw: (N, 8), see `pocketvision.data.geometry.draws`.
        augmentation: how far they may change.
    """
    if augmentation.scale < 1:
        images = _cropped(images, draw[:, 3:6], augmentation.scale)
    return _moved(images, draw[:, :3], augmentation)


def _moved(images: Bytes, draw: NDArray[np.float64], augmentation: Augmentation) -> Bytes:
    """Shift and mirror all images in one gather."""
    n, side = images.shape[:2]
    reach = round(augmentation.shift * side)
    offsets = np.floor(draw[:, :2] * (2 * reach + 1)).astype(np.int64) - reach
    rows = (np.arange(side)[None] + offsets[:, :1]).clip(0, side - 1)
    columns = (np.arange(side)[None] + offsets[:, 1:]).clip(0, side - 1)
    if augmentation.flip:
        columns = np.where(draw[:, 2:3] < 0.5, columns[:, ::-1], columns)
    moved: Bytes = images[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved


def _cropped(images: Bytes, draw: NDArray[np.float64], scale: float) -> Bytes:
    """Cut a random square of `scale` to 1 of the area out of each image, resized to the old side (antialiased)."""
    side = images.shape[1]
    crops = np.round(side * np.sqrt(scale + (1 - scale) * draw[:, 0])).astype(int)
    out = np.empty_like(images)
    for i, crop in enumerate(crops):
        top, left = (int(part * (side - crop + 1)) for part in draw[i, 1:3])
        piece = torch.from_numpy(images[i, top : top + crop, left : left + crop]).permute(2, 0, 1)
        whole = transforms.resize(piece, [side, side], InterpolationMode.BILINEAR, antialias=True)
        out[i] = whole.permute(1, 2, 0).numpy()
    return out
