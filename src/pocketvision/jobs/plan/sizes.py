"""How all sizes are trained at once, and the time that is kept for judging them and for training the pick further."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pocketvision.cost.count import count
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.train import Sandwich, relative_cost
from pocketvision.jobs.plan.given import Job
from pocketvision.jobs.plan.timetable import decode_seconds, probe_seconds
from pocketvision.model.graph import Graph
from pocketvision.train.loop import Objective
from pocketvision.train.statistics import images_needed

TUNE_SHARE = 0.25  # of the time, for training the pick further: docs/log.md
TUNE_RATE = 0.5  # of the recipe's learning rate, then: docs/log.md
TUNE_SHARE_WITH_WEIGHTS, TUNE_RATE_WITH_WEIGHTS = 0.5, 1.0  # these learn little in common: docs/log.md
INTEGER_LOOKS = 2  # at all images, in floats, that judging a cut in integers takes as long as


@dataclass(frozen=True)
class ElasticPlan:
    """How all sizes are trained at once.

    Attributes:
        widths, resolutions: of the cuts; the largest are the network's own.
        tune_share: of the time, for training the pick further.
        tune_rate: of the recipe's learning rate, then.
        front_seconds: kept for judging and timing all cuts.
        tune_seconds: kept for training the pick further.
    """

    widths: tuple[float, ...]
    resolutions: tuple[int, ...]
    tune_share: float = TUNE_SHARE
    tune_rate: float = TUNE_RATE
    front_seconds: float = 0.0
    tune_seconds: float = 0.0

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> "ElasticPlan | None":
        """Return what `asdict` made of it."""
        if content is None:
            return None
        return cls(**{**content, **{name: tuple(content[name]) for name in ("widths", "resolutions")}})

    def space(self, graph: Graph) -> ElasticSpace:
        """Return the sizes below a network, itself included."""
        return ElasticSpace.below(graph, self.widths, self.resolutions)

    def relative_cost(self, graph: Graph) -> float:
        """Return how many steps of the largest network alone a step with its sub-networks takes, about."""
        return relative_cost(self.space(graph))

    def keep_seconds(self, job: Job, graph: Graph, look: float, seconds_left: float) -> "ElasticPlan":
        """Return it with the time that is kept for the front and for the pick.

        Args:
            job: images and options.
            graph: the largest network.
            look: seconds that one image takes that is only looked at by it.
            seconds_left: for all training.
        """
        space, parts = self.space(graph), job.parts
        judged, known = len(parts.validation) + len(parts.test), len(parts.train)
        images = [judged + min(images_needed(cut), known) for cut in space.graphs]
        shares = [count(cut).macs / count(graph).macs for cut in space.graphs]
        looks = 1 + INTEGER_LOOKS * ("int8" in job.options.precisions)
        looking = looks * look * sum(number * share for number, share in zip(images, shares, strict=True))
        decoded = sum(images) / len(space.widths) + judged  # once for each resolution, and again for the pick
        timing = probe_seconds(job.options.minutes) * (1 if job.options.budget.latency_ms is None else 2)
        front_seconds = timing + looking + decoded * decode_seconds(job.dataset, graph) / len(job.dataset)
        tune_seconds = self.tune_share * max(0.0, seconds_left - front_seconds)
        return replace(self, front_seconds=front_seconds, tune_seconds=tune_seconds)


def objective_of(graph: Graph, elastic: ElasticPlan | None, seed: int = 0) -> Objective | None:
    """Return what is learnt in a step; None: the labels alone."""
    return None if elastic is None else Sandwich(elastic.space(graph), seed)
