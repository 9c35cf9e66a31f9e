"""The sandwich rule: in each step the largest, the narrowest and some random networks learn from the same images.

What differs from the published rules, and why: decisions/0014-elastic-training.md.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from pocketvision.cost.count import count
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.slice import SubNetwork
from pocketvision.model.network import Network
from pocketvision.train.loop import Trainer, autocast

STREAM = 2  # of random numbers; order and augmentation have 0 and 1
# Sub-networks of random width in a step, besides the largest and the narrowest: two, as in US-Nets (arXiv:1903.05134, section
# 3.3) and MutualNet (arXiv:1909.12978, section 3.2).
RANDOM = 2
LABELS = 0.5  # share of the labels in a sub-network's loss; the rest is distillation. US-Nets and MutualNet have 0
WEIGHT = 1.0  # of a sub-network's loss beside the largest network's, as in US-Nets and MutualNet


class Sandwich:
    """The objective of an elastic network, for `Trainer`.

    Source: the sandwich rule, US-Nets, arXiv:1903.05134, section 3.2; resolutions from the same crop: MutualNet,
    arXiv:1909.12978, section 3.

    Args:
        space: whose largest network is trained.
        seed: of the random widths and resolutions, which depend on it and the step alone.
    """

    def __init__(self, space: ElasticSpace, seed: int) -> None:
        self.space, self.seed = space, seed
        self._networks = {
            (width, side): SubNetwork(space.graph, space.cut(width, side))
            for width in space.widths
            for side in space.resolutions
        }

    def __call__(self, trainer: Trainer, images: Tensor, labels: Tensor) -> float:
        """Add the gradients of one step; return the largest network's loss, NaN if any sub-network's loss is not finite.

        Args:
            trainer: of the network that learns.
            images: (N, C, R, R) uint8 at the largest resolution.
            labels: (N,) int64.
        """
        with autocast(trainer.precision, trainer.device):
            logits = trainer.network(images)
        loss = trainer.loss(logits, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        answers = F.softmax(logits.detach().float(), 1)
        losses = [loss.detach()]
        for width, resolution in self.draw(trainer.done):
            with autocast(trainer.precision, trainer.device):
                found = self._networks[width, resolution](trainer.network, resized(images, resolution))
            mixed = LABELS * trainer.loss(found, labels) + (1 - LABELS) * distance(found, answers)
            (WEIGHT * mixed).backward()  # type: ignore[no-untyped-call]
            losses.append(mixed.detach())
        return loss.item() if bool(torch.isfinite(torch.stack(losses)).all()) else float("nan")

    def draw(self, step: int) -> list[tuple[float, int]]:
        """Return width and resolution of the sub-networks of a step: the narrowest first, then random ones.

        No width and no resolution is repeated while there are others; the largest network, which learns anyway, is replaced by
        its width at a smaller resolution.
        """
        widths, sides = self.space.widths, self.space.resolutions
        rng = np.random.default_rng([self.seed, STREAM, step])
        picked = [widths[0], *spread(rng, widths[1:] or widths, RANDOM)]
        drawn = list(zip(picked, spread(rng, sides, len(picked)), strict=True))
        largest, smaller = (widths[-1], sides[-1]), sides[:-1]
        if smaller:
            return [(w, int(rng.choice(smaller))) if (w, side) == largest else (w, side) for w, side in drawn]
        return [size for size in drawn if size != largest]


def relative_cost(space: ElasticSpace) -> float:
    """Return the cost of a step over that of the largest network alone, by multiply-adds; small layers cost more than that."""

    def mean_macs(width: float) -> float:
        sides = space.resolutions[:-1] if width == space.widths[-1] else space.resolutions
        return float(np.mean([count(space.cut(width, side)).macs for side in sides])) if sides else 0.0

    others = float(np.mean([mean_macs(width) for width in space.widths[1:] or space.widths]))
    return 1 + (mean_macs(space.widths[0]) + RANDOM * others) / count(space.graph).macs


def spread(rng: np.random.Generator, values: Sequence[Any], number: int) -> list[Any]:
    """Draw so many of the values; none is repeated before all others were drawn.

    >>> sorted(spread(np.random.default_rng(0), (16, 24, 32), 3)), len(spread(np.random.default_rng(0), (16, 24), 5))
    ([16, 24, 32], 5)
    """
    rounds = -(-number // len(values))
    return [value for _ in range(rounds) for value in rng.permutation(values).tolist()][:number]


class Distillation:
    """The objective of a network that also learns from the answers of a teacher.

    Args:
        teacher: for a cut the largest network; it is put into evaluation mode and does not learn.
        resolution: of the student.
        share: of the labels in the loss; the rest is distillation.
    """

    def __init__(self, teacher: Network, resolution: int, share: float = 0.5) -> None:
        self.teacher, self.resolution, self.share = teacher.eval(), resolution, share

    def __call__(self, trainer: Trainer, images: Tensor, labels: Tensor) -> float:
        """Add the gradients of one step; return the loss. The images have the teacher's resolution."""
        with torch.no_grad():
            answers = F.softmax(self.teacher(images).float(), 1)
        with autocast(trainer.precision, trainer.device):
            logits = trainer.network(resized(images, self.resolution))
        loss = self.share * trainer.loss(logits, labels)
        loss = loss + (1 - self.share) * distance(logits, answers)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()


def distance(logits: Tensor, answers: Tensor) -> Tensor:
    """Return the mean cross-entropy, in nats, between logits (N, classes) and answers: probabilities (N, classes)."""
    return -(answers * F.log_softmax(logits.float(), 1)).sum(1).mean()


def resized(images: Tensor, resolution: int) -> Tensor:
    """Return images (N, C, R, R) uint8 at another resolution, antialiased; unchanged if it is theirs."""
    if images.shape[-1] == resolution:
        return images
    small: Tensor = transforms.resize(images, [resolution, resolution], InterpolationMode.BILINEAR, antialias=True)
    return small.contiguous(memory_format=torch.channels_last)
