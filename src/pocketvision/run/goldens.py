"""Goldens: synthetic inputs and the trained network's logits for them, which prove a model file again on any machine."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDEN_TOLERANCE = 1e-4  # of the largest |logit|: by how much float32 sums in another order may differ
MOST_SCALES, NEAR_SHARE, SAME_LABELS = 4, 0.9, 0.75  # of an int8 network
ALL_LOGITS_UP_TO = 100  # classes; above, 64 evenly spaced logits and the top 5 are kept
SOME_LOGITS = 64


@dataclass(frozen=True)
class Goldens:
    """Synthetic inputs and the trained network's logits for them.

    Attributes:
        count: how many inputs; `golden_images` makes them.
        indices: which logits are kept.
        logits: (count, len(indices)).
        top: (count, up to 5) classes with the largest logits, in falling order.
        largest: the largest |logit| of all, which the tolerance is relative to.
        tolerance: relative.
        scale: of the logits of an int8 network; 0: the network is fp32. Processors sum int8 in different ways, so that other
            limits hold, see `compare_goldens`.
    """

    count: int
    indices: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]
    top: tuple[tuple[int, ...], ...]
    largest: float
    tolerance: float = GOLDEN_TOLERANCE
    scale: float = 0.0
    generator: str = "integer hash 1"

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Goldens":
        """Return what `asdict` made JSON values of."""
        rows = {name: tuple(map(tuple, content[name])) for name in ("logits", "top")}
        return cls(**content | rows | {"indices": tuple(content["indices"])})


def golden_images(count: int, resolution: int, channels: int) -> NDArray[np.uint8]:
    """Return inputs that any machine can reproduce from integers alone.

    Image k is a pattern of square cells, R/2, R/4, R/8, ... pixels wide in turn (at least 1). A cell's value is the top byte
    of h = (1 + k + 101 row + 10007 column + 1000003 channel) * 2654435761, then h ^= h >> 15, h *= 2246822519, all
    modulo 2**32.

    Returns:
        uint8 (count, resolution, resolution, channels).
    """
    images = np.empty((count, resolution, resolution, channels), np.uint8)
    for k in range(count):
        cell = max(1, resolution >> (k + 1))
        at = np.arange(resolution, dtype=np.uint64) // cell
        row, column, channel = at[:, None, None], at[None, :, None], np.arange(channels, dtype=np.uint64)
        h = (1 + k + 101 * row + 10007 * column + 1000003 * channel) * 2654435761 % 2**32
        h = (h ^ (h >> np.uint64(15))) * 2246822519 % 2**32
        images[k] = h >> np.uint64(24)
    return images


def make_goldens(logits: NDArray[np.float32], scale: float = 0.0) -> Goldens:
    """Return the goldens for logits (count, classes) of the golden images; `scale`: see `Goldens`."""
    classes = logits.shape[1]
    kept = np.arange(classes)
    if classes > ALL_LOGITS_UP_TO:
        kept = np.linspace(0, classes - 1, SOME_LOGITS).round().astype(int)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    return Goldens(
        count=len(logits),
        indices=tuple(kept.tolist()),
        logits=tuple(tuple(float(f"{value:.7g}") for value in row) for row in logits[:, kept]),
        top=tuple(tuple(row) for row in top.tolist()),
        largest=float(np.abs(logits).max()),
        scale=scale,
    )


def compare_goldens(goldens: Goldens, logits: NDArray[np.float32]) -> tuple[str, str]:
    """Return what was found on the golden images, and the problem; empty: there is none.

    Of an fp32 network no kept logit may be off by more than `tolerance` of the largest, nor may the top five differ. Of an int8
    network nine in ten of the kept logits must lie within four times the scale, and three in four of the likeliest classes must
    agree, or tie within that.

    Args:
        goldens: of the file.
        logits: (count, classes), of the engine that runs it now.
    """
    if not goldens.scale:
        difference = golden_difference(goldens, logits)
        found = f"{goldens.count} inputs, largest difference {difference:.1e} of the largest |logit|"
        if difference <= goldens.tolerance:
            return found, ""
        return found, f"the logits differ by {difference:.2g} of the largest |logit| (allowed {goldens.tolerance:g})"
    near = MOST_SCALES * goldens.scale
    off = np.abs(logits[:, list(goldens.indices)] - np.array(goldens.logits))
    share = float((off <= near).mean())
    best = np.array([row[0] for row in goldens.top])
    agrees = logits[np.arange(len(best)), best] >= logits.max(axis=1) - near
    found = (
        f"{goldens.count} inputs in int8: {share:.0%} of the logits within {MOST_SCALES} times the scale, "
        f"{int(agrees.sum())} of {len(best)} labels agree"
    )
    if share >= NEAR_SHARE and agrees.mean() >= SAME_LABELS:
        return found, ""
    return found, f"{found} ({NEAR_SHARE:.0%} and {SAME_LABELS:.0%} are needed)"


def golden_difference(goldens: Goldens, logits: NDArray[np.float32]) -> float:
    """Return the largest difference from the goldens, relative to the largest |logit|; it passes up to `tolerance`.

    If the top five differ although the kept logits agree, the difference is infinite, unless those classes tie within the
    tolerance.
    """
    largest = max(goldens.largest, 1e-12)
    difference = float(np.abs(logits[:, list(goldens.indices)] - np.array(goldens.logits)).max()) / largest
    for row, top in zip(logits, goldens.top, strict=True):
        now = np.sort(row)[::-1][: len(top)]
        if not float(np.abs(row[list(top)] - now).max()) / largest <= goldens.tolerance:  # NaN, too
            return float("inf") if difference <= goldens.tolerance else difference
    return difference
