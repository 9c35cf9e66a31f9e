"""Disk and memory that a job needs: looked at before it begins."""

import shutil
from collections.abc import Generator, Sequence
from math import prod

from pocketvision.cost.count import count
from pocketvision.data.pixels import free_memory_bytes
from pocketvision.errors import DiskFailed
from pocketvision.events import Note
from pocketvision.jobs.plan.plan import Plan
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.training.trials import Entry
from pocketvision.model.graph import Graph

COPIES_ON_DISK = 10  # of the weights: three checkpoints of network, averages and momentum, one under way; the file
COPIES_LATER = (
    13  # more for each training that follows: such checkpoints again, with two moments; the start, or the cuts
)
LOG_BYTES = 1_000_000  # log, plan and curves
KEPT_ACTIVATIONS = 2.5  # times the forward pass's outputs: inputs and outputs of each op, kept for the gradients
KEPT_WEIGHTS = 6  # weights, gradients, momentum, averaged weights, the last good state


def check_space(run: RunFolder, entries: Sequence[Entry]) -> Generator[Note, None, None]:
    """Say where memory may be short.

    Raises:
        DiskFailed: the disk has no room for checkpoints and the file.
    """
    needed = max(disk_bytes(entry.plan.graph, later_trainings(entry.plan)) for entry in entries)
    home = next(folder for folder in (run.path.absolute(), *run.path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(home).free
    if free < needed:
        raise DiskFailed(
            f"{str(run.path)!r} needs about {needed / 1e6:.0f} MB of disk for checkpoints and the file; {free / 1e6:.0f} MB "
            "are free there.",
            "-o on another disk, or free space",
        )
    steps = max(training_bytes(entry.plan.graph, entry.plan.recipe.batch_size) for entry in entries)
    memory = free_memory_bytes()
    if memory < steps:
        yield Note(
            f"Training needs about {steps / 1e6:,.0f} MB of memory, and {memory / 1e6:,.0f} MB are free: close other programs, "
            "or take a smaller --batch-size."
        )


def later_trainings(plan: Plan) -> int:
    """Return how many trainings may follow, with checkpoints of their own: of a pick, and on all images."""
    is_elastic = plan.elastic is not None
    return is_elastic + (plan.epochs_on_all > 0 or (is_elastic and plan.recipe.batch_norm_momentum is None))


def disk_bytes(graph: Graph, later: int = 0) -> int:
    """Return what the run folder takes at most; `later`: trainings that follow the first."""
    return (COPIES_ON_DISK + later * COPIES_LATER) * 4 * count(graph).params + LOG_BYTES


def training_bytes(graph: Graph, batch_size: int, images: int = 0) -> float:
    """Estimate the memory of training: the weights, what a step keeps, and images that are kept decoded."""
    cost = count(graph)
    activations = KEPT_ACTIVATIONS * batch_size * cost.activation_bytes
    return KEPT_WEIGHTS * 4 * cost.params + activations + images * prod(graph.image)
