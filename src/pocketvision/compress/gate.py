"""The gate: what int8 may cost in accuracy, judged on the same images as the fp32 network."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadOption
from pocketvision.run.paired import difference

MAX_DROP = 1.0  # points of top-1
FEW_IMAGES = 500  # with fewer, labels must agree, too: a drop of one point is less than five images
LEAST_AGREEMENT = 0.98  # lower by as many points as `max_drop` is above MAX_DROP
CLASS_IMAGES = 100  # of a class, for it to be judged on its own
CLASS_DROP = 5.0  # points


@dataclass(frozen=True)
class Verdict:
    """An int8 network compared with the fp32 one, image by image.

    Attributes:
        images: how many were judged.
        float_top1, top1: accuracy before and after, 0 to 1.
        standard_error: of the difference, 0 to 1, from the images on which only one of the two is right.
        p: McNemar's, two-sided and exact: how likely so uneven a split of those images is by chance. It decides nothing.
        agreement: share of images with the same label.
        class_drop: the largest drop of a class, in points, among those that are judged on their own; 0 if there are none.
        problems: what does not pass, in words; empty: it passes.
    """

    images: int
    float_top1: float
    top1: float
    standard_error: float
    p: float
    agreement: float
    class_drop: float
    problems: tuple[str, ...]

    @property
    def drop(self) -> float:
        """Points of top-1 that are lost; negative: gained."""
        return 100 * (self.float_top1 - self.top1)

    @property
    def allowing_drop(self) -> float | None:
        """The `max_drop` with which it would pass, in points; None: there is none, as a class drops too far."""
        if self.class_drop > CLASS_DROP:
            return None
        must_agree = self.images < FEW_IMAGES and self.agreement < LEAST_AGREEMENT
        return max(self.drop, 100 * (LEAST_AGREEMENT - self.agreement) + MAX_DROP if must_agree else 0.0)

    @property
    def passes(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


def judge(
    float_logits: NDArray[np.float32],
    logits: NDArray[np.float32],
    labels: NDArray[np.int64],
    max_drop: float = MAX_DROP,
) -> Verdict:
    """Compare the answers of two networks on the same images.

    Args:
        float_logits: (N, classes), of the fp32 network.
        logits: (N, classes), of the int8 network.
        labels: (N,).
        max_drop: points of top-1 that may be lost; what it is above the default is also allowed in labels that change.

    Raises:
        BadOption: there are no images, or the arrays do not fit together.

    Source: McNemar 1947, Psychometrika 12(2), in the exact form.
    """
    if not len(labels) or not len(labels) == len(float_logits) == len(logits):
        raise BadOption(
            f"{len(float_logits)} and {len(logits)} answers cannot be judged with {len(labels)} labels.",
            "as many of each, at least one",
        )
    before, after = float_logits.argmax(1), logits.argmax(1)
    was_right, is_right = before == labels, after == labels
    lost, won = int((was_right & ~is_right).sum()), int((is_right & ~was_right).sum())
    images = len(labels)
    agreement = float((before == after).mean())
    drop = 100 * (lost - won) / images
    problems = []
    if not drop <= max_drop:
        problems.append(f"top-1 drops by {drop:.2f} points (allowed {max_drop:g})")
    needed = LEAST_AGREEMENT - max(0.0, max_drop - MAX_DROP) / 100
    if images < FEW_IMAGES and agreement < needed:
        problems.append(f"{agreement:.1%} of {images} labels agree ({100 * needed:g}% are needed)")
    class_drop = 0.0
    for label in range(float_logits.shape[1]):
        own = labels == label
        if own.sum() >= CLASS_IMAGES:
            fallen = 100 * float(was_right[own].mean() - is_right[own].mean())
            class_drop = max(class_drop, fallen)
            if fallen > CLASS_DROP:
                problems.append(f"class {label} drops by {fallen:.1f} points (allowed {CLASS_DROP:g})")
    return Verdict(
        images=images,
        float_top1=float(was_right.mean()),
        top1=float(is_right.mean()),
        standard_error=difference(was_right, is_right)[1],
        p=mcnemar(lost, won),
        agreement=agreement,
        class_drop=class_drop,
        problems=tuple(problems),
    )


def mcnemar(lost: int, won: int) -> float:
    """Return the two-sided exact p of images on which only one of two is right.

    >>> round(mcnemar(8, 1), 5)
    0.03906
    >>> mcnemar(3, 3), mcnemar(0, 0)
    (1.0, 1.0)
    """
    several = lost + won
    tail = sum(math.comb(several, k) for k in range(min(lost, won) + 1))
    return min(1.0, float(2 * tail / 2**several) if several < 1000 else 2 * _normal_tail(lost, won))


def _normal_tail(lost: int, won: int) -> float:
    """Return the one-sided tail for many images, with the continuity correction."""
    distance = max(0.0, abs(lost - won) - 1) / math.sqrt(lost + won)
    return math.erfc(distance / math.sqrt(2)) / 2
