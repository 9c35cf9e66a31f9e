"""Which candidates can be trained in the time: by steps that are measured here, of few of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pocketvision.choose.candidates import Candidate
from pocketvision.choose.search import ENOUGH_EPOCHS, ENOUGH_WITH_WEIGHTS, drop_untrainable, finalists
from pocketvision.data.pixels import steps_per_epoch
from pocketvision.events import Note, Progress, Work
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.sizes import ElasticPlan, workload
from pocketvision.jobs.plan.timetable import FINISH_SECONDS, decode_seconds, probe_seconds


@dataclass(frozen=True, eq=False)
class Trainable:
    """What is known of how fast networks train here.

    Attributes:
        given: images, options, start and time.
        elastic: sizes that are trained with each network; None: it is trained alone.
        step_seconds: measured time of one optimizer step, by the network's name.
    """

    given: Given
    elastic: ElasticPlan | None = None
    step_seconds: dict[str, float] = field(default_factory=dict)

    def drop(self, candidates: list[Candidate]) -> Work[list[Candidate]]:
        """Return the candidates, those dropped that the time is too short for; all stay in where nothing limits it."""
        given, recipe = self.given, self.given.recipe
        if not given.timetable.is_limited:
            return candidates
        enough = ENOUGH_WITH_WEIGHTS if given.start.has_weights else ENOUGH_EPOCHS
        yield Progress("measuring how fast networks train here", 0, 1)
        steps = steps_per_epoch(len(given.labels), recipe.batch_size)
        found = drop_untrainable(candidates, self._measure, steps, self._seconds(candidates), enough)
        what = "in training" if self.elastic is None else "in training all sizes"
        for name, step in self.step_seconds.items():
            yield Note(f"{name}: {recipe.batch_size / step:,.0f} images/s {what}.")
        if not given.options.elastic or self.elastic is not None:
            yield from self._say_if_short(found, enough)
        return found

    def _measure(self, candidate: Candidate) -> float:
        graph = candidate.graph  # as it is trained, whatever the precision of the file
        if graph.name not in self.step_seconds:
            training = workload(self.given, graph, self.given.recipe, self.elastic)
            self.step_seconds[graph.name] = training.step_seconds()
        return self.step_seconds[graph.name]

    def _seconds(self, candidates: list[Candidate]) -> float:
        """Return the seconds that training may take, before much is known."""
        given = self.given
        largest = max((c.graph for c in candidates if not c.dropped), key=lambda graph: graph.image.height)
        left = max(1.0, given.timetable.left("main") - FINISH_SECONDS - decode_seconds(given.dataset, largest))
        if self.elastic is None:
            return left
        return max(1.0, (left - probe_seconds(given.options.minutes)) * (1 - self.elastic.tune_share))

    def _say_if_short(self, found: list[Candidate], enough: int) -> Iterator[Note]:
        """Say where no network has time for enough epochs."""
        first = finalists(found)[0]
        if any(candidate.epochs is None or candidate.epochs >= enough for candidate in finalists(found)):
            return
        none = f"with all its sizes no network has {enough} epochs; {first.name}"
        if self.elastic is None:
            none = f"no network has {enough} epochs; {first.name} is the cheapest and"
        yield Note(f"The time is short: {none} trains what it can. More --minutes will give a better one.")
