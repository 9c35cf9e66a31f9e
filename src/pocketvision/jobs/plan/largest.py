"""The largest network of an elastic run: whose cuts all are trained, whatever its own costs."""

from dataclasses import dataclass, replace

from pocketvision.choose.candidates import Candidate
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.events import Note, Work
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.sizes import TUNE_RATE_WITH_WEIGHTS, TUNE_SHARE_WITH_WEIGHTS, ElasticPlan
from pocketvision.jobs.plan.trainable import Trainable
from pocketvision.model.rewrite import can_cut

# Of the width of trained weights, that sub-networks have, unless the budget allows less: docs/log.md.
NARROWEST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Largest:
    """The network that all sizes are cut from.

    Attributes:
        candidate: it.
        elastic: the sizes below it.
        step_seconds: measured time of one optimizer step with its sub-networks, by name.
    """

    candidate: Candidate
    elastic: ElasticPlan
    step_seconds: dict[str, float]

    @property
    def reason(self) -> str:
        """Why this one, in words."""
        return f"the largest of {len(self.elastic.space(self.candidate.graph).graphs)} sizes that are trained together"


def find_largest(given: Given, candidates: list[Candidate]) -> Work[Largest]:
    """Return the largest network.

    One of its cuts is what the prior would train alone within budget and time; of those that hold it, it is the likeliest best
    that can be trained in time, or else the cheapest.

    Args:
        given: options, images, start and time.
        candidates: with those over the budget dropped; one at least is within it.
    """
    sizes = yield from _choose_sizes(candidates, given.start.has_weights)
    fitting = [c for c in candidates if not c.dropped and c.options.width in sizes.widths]
    fitting = yield from Trainable(given).drop(fitting)
    picked = next(candidate for candidate in fitting if not candidate.dropped)
    precision = given.options.precisions[0]
    able = [
        replace(candidate, dropped="", precision="fp32")
        for candidate in candidates
        if candidate.precision == precision and _holds(candidate, picked, given, sizes)
    ]
    trainable = Trainable(given, sizes)
    able = yield from trainable.drop(able)
    chosen = next(candidate for candidate in able if not candidate.dropped)
    below = ElasticSpace.below(chosen.graph, sizes.widths, sizes.resolutions)
    sizes = replace(sizes, widths=below.widths, resolutions=below.resolutions)
    return Largest(chosen, sizes, trainable.step_seconds)


def _holds(one: Candidate, picked: Candidate, given: Given, sizes: ElasticPlan) -> bool:
    """Whether the picked network can be cut out of another one, which is as large as was asked for."""
    large, alone = one.options, picked.options
    is_fixed = given.start.has_weights or given.options.width is not None
    least_width = max(sizes.widths) if is_fixed else alone.width
    is_large = large.width >= least_width and large.resolution >= (given.options.resolution or alone.resolution)
    return large.family == alone.family and is_large and can_cut(one.graph, picked.graph)


def _choose_sizes(candidates: list[Candidate], has_weights: bool) -> Work[ElasticPlan]:
    """Return all widths and resolutions of the candidates, and how they are trained.

    Of trained weights little is left with fewer channels: widths are half of theirs at least, or what the budget needs, with one
    more to spare.
    """
    resolutions = tuple(sorted({candidate.options.resolution for candidate in candidates}))
    widths = sorted({candidate.options.width for candidate in candidates})
    if not has_weights:
        return ElasticPlan(tuple(widths), resolutions)
    needed = sorted({c.options.width for c in candidates if not c.dropped}, reverse=True)[:2]
    widths = [width for width in widths if width >= min(NARROWEST_SHARE * max(widths), *needed)]
    yield Note(f"Sub-networks have width {widths[0]:g} at least; narrower ones keep little of the weights.")
    return ElasticPlan(tuple(widths), resolutions, TUNE_SHARE_WITH_WEIGHTS, TUNE_RATE_WITH_WEIGHTS)
