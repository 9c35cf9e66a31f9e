"""How all sizes are trained at once, and the time that is kept for judging them and for training the pick further."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pocketvision.cost.count import count
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.train import Sandwich, relative_cost
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.timetable import decode_seconds, probe_seconds, timed_images
from pocketvision.model.graph import Graph
from pocketvision.train.loop import Objective
from pocketvision.train.recipe import Recipe
from pocketvision.train.speed import Workload
from pocketvision.train.statistics import images_needed

# Of the time, for training the pick further; and of the recipe's learning rate, then: docs/log.md.
TUNE_SHARE, TUNE_RATE = 0.25, 0.5
# The same where training starts from weights: sizes learn little in common then.
TUNE_SHARE_WITH_WEIGHTS, TUNE_RATE_WITH_WEIGHTS = 0.5, 1.0
# Judging a size in int8 takes as long as so many looks at all images in fp32.
INT8_LOOKS = 2


@dataclass(frozen=True)
class ElasticPlan:
    """How all sizes are trained at once.

    Attributes:
        widths, resolutions: of the cuts; the largest are the network's own.
        tune_share: of the time, for training the pick further.
        tune_rate: of the recipe's learning rate, then.
    """

    widths: tuple[float, ...]
    resolutions: tuple[int, ...]
    tune_share: float = TUNE_SHARE
    tune_rate: float = TUNE_RATE

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

    def judging_seconds(self, given: Given, graph: Graph, look: float) -> float:
        """Return how long judging and timing all sizes will take.

        Args:
            given: images and options.
            graph: the largest network.
            look: seconds that the network takes to judge one image.
        """
        space, parts = self.space(graph), given.parts
        judged, known = len(parts.validation) + len(parts.test), len(parts.train)
        images = [judged + min(images_needed(cut), known) for cut in space.graphs]
        shares = [count(cut).macs / count(graph).macs for cut in space.graphs]
        looks = 1 + INT8_LOOKS * ("int8" in given.options.precisions)
        looking = looks * look * sum(number * share for number, share in zip(images, shares, strict=True))
        decoded = sum(images) / len(space.widths) + judged  # once for each resolution, and again for the pick
        timing = probe_seconds(given.options.minutes) * (1 if given.options.budget.latency_ms is None else 2)
        return timing + looking + decoded * decode_seconds(given.dataset, graph) / len(given.dataset)


def workload(given: Given, graph: Graph, recipe: Recipe, elastic: ElasticPlan | None = None) -> Workload:
    """Return the training of a network whose steps are timed, `elastic` with all its sizes."""
    objective = objective_of(graph, elastic)
    return Workload(graph, recipe, given.device, timed_images(graph, recipe), objective)


def objective_of(graph: Graph, elastic: ElasticPlan | None, seed: int = 0) -> Objective | None:
    """Return what is learnt in a step; None: the labels alone."""
    return None if elastic is None else Sandwich(elastic.space(graph), seed)
