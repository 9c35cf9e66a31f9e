"""The front: accuracy and cost of each cut of one elastic network, and the pick within a budget."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketvision.choose.candidates import Candidate
from pocketvision.choose.search import screen
from pocketvision.cost.budget import Budget
from pocketvision.run.paired import is_as_good


@dataclass(frozen=True, eq=False)
class Cut:
    """One size of an elastic network.

    Attributes:
        candidate: its graph and its costs.
        right: which of the validation images it gets right (N,), the same images for all cuts.
    """

    candidate: Candidate
    right: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """The network's full name."""
        return self.candidate.name

    @property
    def top1(self) -> float:
        """Share of validation images that it gets right."""
        return float(self.right.mean())

    @property
    def cost(self) -> tuple[float, ...]:
        """Orders cuts from cheap to expensive: by latency if it is known, then multiply-adds, then file size."""
        spent = self.candidate.spent
        return spent.latency_ms or 0.0, spent.macs, spent.size_mb


def pick(cuts: Sequence[Cut], budget: Budget, device: str) -> Cut:
    """Return the best cut within the budget; of those as good within one standard error, the cheapest.

    Args:
        cuts: of one network.
        budget: the limits.
        device: name of the device, for the message.

    Raises:
        NoFit: none is within the budget.
    """
    screened = screen([cut.candidate for cut in cuts], budget, device)
    fitting = [cut for cut, candidate in zip(cuts, screened, strict=True) if not candidate.dropped]
    best = max(sorted(fitting, key=lambda cut: cut.cost), key=lambda cut: cut.top1)
    return min((cut for cut in fitting if is_as_good(cut.right, best.right)), key=lambda cut: cut.cost)


def pareto(cuts: Sequence[Cut]) -> list[Cut]:
    """Return the cuts that are better than all cheaper ones, the cheapest first; dropped ones do not count."""
    front: list[Cut] = []
    for cut in sorted((cut for cut in cuts if not cut.candidate.dropped), key=lambda cut: (cut.cost, -cut.top1)):
        if not front or cut.top1 > front[-1].top1:
            front.append(cut)
    return front


def next_better(cuts: Sequence[Cut], chosen: Cut) -> Cut | None:
    """Return the cheapest cut of the front that costs more and is clearly better than the chosen one; None if there is none."""
    dearer = (cut for cut in pareto(cuts) if cut.cost > chosen.cost)
    return next((cut for cut in dearer if not is_as_good(chosen.right, cut.right)), None)


def what_more_buys(points: float, latencies_ms: tuple[float | None, float | None], size_mb: float) -> str:
    """Return in words what a better cut gives, and what it takes more.

    Args:
        points: of top-1, that are gained.
        latencies_ms: of the cheaper cut and of the better one; None: not known.
        size_mb: that the file grows, in 10^6 bytes.

    >>> what_more_buys(5.0, (1.0, 1.5), 0.4), what_more_buys(1.25, (None, None), 0.4)
    ('+5.0 points for +0.500 ms, +0.40 MB', '+1.2 points for +0.40 MB')
    """
    cheaper, better = latencies_ms
    latency = "" if cheaper is None or better is None else f"{better - cheaper:+.3f} ms, "
    return f"{points:+.1f} points for {latency}{size_mb:+.2f} MB"
