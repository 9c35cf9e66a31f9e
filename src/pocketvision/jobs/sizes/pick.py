"""The pick of an elastic run: the best size within the budget, trained further on its own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pocketvision.choose.front import Cut, next_better, pick, what_more_buys
from pocketvision.data.pixels import Pixels
from pocketvision.elastic.train import Distillation
from pocketvision.errors import NoFit, NonFiniteLoss
from pocketvision.events import Note, Work
from pocketvision.jobs.finish.file import network_with
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.plan import pick_json, plan_of_pick
from pocketvision.jobs.runs.checkpointing import Checkpointing, digest
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.sizes.judge import find_cuts
from pocketvision.jobs.sizes.store import Cuts
from pocketvision.jobs.training.prepare import decode
from pocketvision.jobs.training.stages import Stage, run_stage
from pocketvision.jobs.training.training import Training
from pocketvision.model.network import Network


@dataclass(frozen=True, eq=False)
class Pick:
    """A size that was picked, and trained further.

    Attributes:
        training: of it.
        network: what came out.
        test: the test images at its resolution.
    """

    training: Training
    network: Network
    test: Pixels


def train_pick(given: Given, training: Training, large: Network, checkpointing: Checkpointing) -> Work[Pick]:
    """Pick the cut of a trained elastic network that is best within the budget, and train it further.

    Raises:
        NoFit: no cut is within the budget, timed again after the training.
    """
    run = checkpointing.run
    cuts = yield from find_cuts(given, training, large.to("cpu"), run.path, run.origin())
    picked, test = yield from prepare_pick(given, training, cuts, run)
    trainer = picked.make_trainer()
    origin = digest(
        picked.network().arrays()
    )  # after it: a network that is built draws the numbers that dropout draws next
    snapshot = yield from checkpointing.take_up("pick", origin)
    try:
        yield from run_stage(Stage("pick", picked, origin), trainer, snapshot, checkpointing)
    except NonFiniteLoss as error:
        yield Note(f"The pick stays as it was cut: {error.problem}")
        return Pick(picked, picked.network(), test)
    return Pick(picked, trainer.average.network, test)


def prepare_pick(given: Given, training: Training, cuts: Cuts, run: RunFolder) -> Work[tuple[Training, Pixels]]:
    """Return the best cut within the budget, ready to be trained further with the largest network's answers; and test images.

    Raises:
        NoFit: no cut is within the budget, timed again after the training; `cut` writes one for a wider budget.
    """
    try:
        chosen = pick(cuts.eligible(), given.options.budget, cuts.device)
    except NoFit as error:
        raise NoFit(error.problem, f"pocketvision cut {run.path} {error.attempt} -o small.onnx") from error
    yield from describe_pick(cuts, chosen)
    candidate, preprocessing = chosen.candidate, training.plan.preprocessing
    graph = candidate.graph
    teacher = network_with(cuts.graph, cuts.arrays(cuts.graph))
    objective = Distillation(teacher.to(training.device), graph.image.height)
    validation = yield from decode(given, given.parts.validation, graph, preprocessing, "validation")
    test = yield from decode(given, given.parts.test, graph, preprocessing, "test")
    has_weights = training.start is not None
    plan = plan_of_pick(given, training.plan, candidate, objective, run.read_pick(graph.name), has_weights)
    run.keep_pick(graph.name, pick_json(plan))
    picked = replace(
        training,
        plan=plan,
        validation=validation,
        start=cuts.arrays(graph),
        objective=objective,
        held_back=training.validation,
        part="pick",
    )
    return picked, test


def describe_pick(cuts: Cuts, chosen: Cut) -> Iterator[Note]:
    """Say what was picked, what the budget cost, and what more would buy."""
    all_cuts = [each.cut for each in cuts.judged]
    best = max(all_cuts, key=lambda each: each.top1)
    yield Note(
        f"Pick of {len(all_cuts)} cuts: {chosen.name}, validation top-1 {chosen.top1:.4f}; the best of all, {best.name}, "
        f"has {best.top1:.4f}."
    )
    better = next_better(all_cuts, chosen)
    if better is not None:
        one, other = chosen.candidate.spent, better.candidate.spent
        points, latencies = 100 * (better.top1 - chosen.top1), (one.latency_ms, other.latency_ms)
        words = what_more_buys(points, latencies, other.size_mb - one.size_mb)
        yield Note(f"More would buy: {better.name}, {words}.")
