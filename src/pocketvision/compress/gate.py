"""The gate: what int8 may cost in accuracy, judged on the same images as the fp32 network."""

import math
from dataclasses import dataclass

import numpy as np

from pocketvision.errors import BadOption
from pocketvision.run.assess import Assessment
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


def judge(before: Assessment, after: Assessment, max_drop: float = MAX_DROP) -> Verdict:
    """Compare what two networks say of the same images.

    Args:
        before: of the fp32 network.
        after: of the int8 network.
        max_drop: points of top-1 that may be lost; what it is above the default is also allowed in labels that change.

    Raises:
        BadOption: they are not of the same images.

    Source: McNemar 1947, Psychometrika 12(2), in the exact form.
    """
    labels = before.labels
    if not np.array_equal(labels, after.labels):
        raise BadOption(
            f"answers to {len(labels)} and {len(after.labels)} images cannot be compared: they are of other images.",
            "both networks on the same images",
        )
    was_right, is_right = before.each, after.each
    lost, won = int((was_right & ~is_right).sum()), int((is_right & ~was_right).sum())
    images = len(labels)
    agreement = float((before.answers == after.answers).mean())
    drop = 100 * (lost - won) / images
    problems = []
    if not drop <= max_drop:
        problems.append(f"top-1 drops by {drop:.2f} points (allowed {max_drop:g})")
    needed = LEAST_AGREEMENT - max(0.0, max_drop - MAX_DROP) / 100
    if images < FEW_IMAGES and agreement < needed:
        problems.append(f"{agreement:.1%} of {images} labels agree ({100 * needed:g}% are needed)")
    fallen = _fallen(before, after)
    problems += [
        f"class {label} drops by {points:.1f} points (allowed {CLASS_DROP:g})"
        for label, points in fallen.items()
        if points > CLASS_DROP
    ]
    return Verdict(
        images=images,
        float_top1=float(was_right.mean()),
        top1=float(is_right.mean()),
        standard_error=difference(was_right, is_right)[1],
        p=mcnemar(lost, won),
        agreement=agreement,
        class_drop=max(0.0, *fallen.values()) if fallen else 0.0,
        problems=tuple(problems),
    )


def _fallen(before: Assessment, after: Assessment) -> dict[int, float]:
    """Return how many points each class loses that has enough images to be judged on its own."""
    fallen = {}
    for label in range(before.classes):
        own = before.labels == label
        if own.sum() >= CLASS_IMAGES:
            fallen[label] = 100 * float(before.each[own].mean() - after.each[own].mean())
    return fallen


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
