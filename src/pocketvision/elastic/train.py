"""The sandwich rule: in each step the largest network, the narrowest and some random ones learn from the same images.

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
    """What an elastic network learns in a step: an objective for `Trainer`.

    Source: the sandwich rule, US-Nets, arXiv:1903.05134, section 3.2; resolutions from the same crop: MutualNet,
    arXiv:1909.12978, section 3.

    Args:
        space: whose largest network is trained.
        seed: of which ones, and at which resolution: with the step, all that this depends on.
    """

    def __init__(self, space: ElasticSpace, seed: int) -> None:
        self.space, self.seed = space, seed
        self._networks = {
            (width, side): SubNetwork(space.graph, space.cut(width, side))
            for width in space.widths
            for side in space.resolutions
        }

    def __call__(self, trainer: Trainer, images: Tensor, labels: Tensor) -> float:
        """Add the gradients of one step; return the largest network's loss, or what is no number in another's.

        Args:
            trainer: whose network learns.
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

        No width and no resolution comes twice while there are others; instead of the largest network, which learns anyway, its
        width comes at a smaller resolution.
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
    """Return how many steps of the largest network alone a step takes, by multiply-adds: more where small layers wait."""

    def mean_macs(width: float) -> float:
        sides = space.resolutions[:-1] if width == space.widths[-1] else space.resolutions
        return float(np.mean([count(space.cut(width, side)).macs for side in sides])) if sides else 0.0

    others = float(np.mean([mean_macs(width) for width in space.widths[1:] or space.widths]))
    return 1 + (mean_macs(space.widths[0]) + RANDOM * others) / count(space.graph).macs


def spread(rng: np.random.Generator, values: Sequence[Any], number: int) -> list[Any]:
    """Draw so many of the values; none comes again before all others have come.

    >>> sorted(spread(np.random.default_rng(0), (16, 24, 32), 3)), len(spread(np.random.default_rng(0), (16, 24), 5))
    ([16, 24, 32], 5)
    """
    rounds = -(-number // len(values))
    return [value for _ in range(rounds) for value in rng.permutation(values).tolist()][:number]


class Distillation:
    """What a cut learns when it is trained further on its own: labels and the answers of the largest network, half and half.

    Args:
        teacher: the largest network, in evaluation mode; it is not changed.
        resolution: of the cut.
        share: of the labels.
    """

    def __init__(self, teacher: Network, resolution: int, share: float = 0.5) -> None:
        self.teacher, self.resolution, self.share = teacher.eval(), resolution, share

    def __call__(self, trainer: Trainer, images: Tensor, labels: Tensor) -> float:
        """Add the gradients of one step; return the loss. The images have the largest network's resolution."""
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
    """Return images (N, C, R, R) uint8 at another resolution, antialiased; as they are where it is theirs."""
    if images.shape[-1] == resolution:
        return images
    small: Tensor = transforms.resize(images, [resolution, resolution], InterpolationMode.BILINEAR, antialias=True)
    return small.contiguous(memory_format=torch.channels_last)
