"""Augmentation: what may differ between two looks at one training image. Drawn from (seed, epoch, index) alone."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far a training image may be changed.

    Attributes:
        flip: mirror every second image left to right.
        shift: move by up to this share of the side, in whole pixels; the border is repeated.
        scale: smallest share of the area that a random crop keeps; 1 = no crop. The paper limits small crops for small
            networks (MobileNets, arXiv:1704.04861, section 3.2).
        erase: chance that a rectangle of up to a third of each side is set to grey (Zhong et al. 2017, arXiv:1708.04896).
    """

    flip: bool = False
    shift: float = 0.0
    scale: float = 1.0
    erase: float = 0.0


def draws(seed: int, epoch: int, count: int) -> NDArray[np.float64]:
    """Return (count, 8) numbers in [0, 1): the row of an image depends on (seed, epoch, its index) alone."""
    return np.random.default_rng([seed, epoch, 1]).random((count, 8))


def order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order in which an epoch visits the images, from (seed, epoch) alone."""
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


def augment(images: Bytes, draw: NDArray[np.float64], augmentation: Augmentation) -> Bytes:
    """Return changed copies of the images.

    Args:
        images: (N, R, R, C) uint8.
        draw: (N, 8), see `draws`.
        augmentation: how far they may change.
    """
    if augmentation.scale < 1:
        images = _cropped(images, draw[:, 3:6], augmentation.scale)
    images = _moved(images, draw[:, :3], augmentation)
    if augmentation.erase:
        _erase(images, draw[:, :2:-1], augmentation.erase)  # backwards: the chance shares no number with the crop
    return images


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


def _erase(images: Bytes, draw: NDArray[np.float64], chance: float) -> None:
    """Set a rectangle to mid-grey, in place."""
    side = images.shape[1]
    sizes = np.ceil(draw[:, 1:3] * side / 3).astype(int)
    for i in np.flatnonzero(draw[:, 0] < chance):
        top, left = (int(draw[i, 3 + axis] * (side - sizes[i, axis] + 1)) for axis in (0, 1))
        images[i, top : top + sizes[i, 0], left : left + sizes[i, 1]] = 128
