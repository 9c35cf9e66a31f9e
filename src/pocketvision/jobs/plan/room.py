"""Disk and memory that a job needs: looked at before it begins."""

import shutil
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

from pocketvision.cost.count import count
from pocketvision.errors import DiskFailed
from pocketvision.events import Note
from pocketvision.jobs.plan.plan import Plan
from pocketvision.model.graph import Graph
from pocketvision.run.device import free_memory_bytes

# Of the weights: three checkpoints of network, averages and momentum, one under way; and the file.
COPIES_ON_DISK = 10
# More for each stage that follows: such checkpoints again, with two moments; the start, or the cuts.
COPIES_LATER = 13
# For log, plan and curves.
LOG_BYTES = 1_000_000
# Times the forward pass's outputs: inputs and outputs of each op, kept for the gradients.
KEPT_ACTIVATIONS = 2.5
# Weights, gradients, momentum, averaged weights, the last good state.
KEPT_WEIGHTS = 6


def check_room(run: Path, plans: Sequence[Plan]) -> Iterator[Note]:
    """Say where memory may be short.

    Args:
        run: the run folder, which need not exist.
        plans: of the networks of which one will be trained.

    Raises:
        DiskFailed: the disk has no room for checkpoints and the file.
    """
    needed = max(disk_bytes(plan.graph, later_stages(plan)) for plan in plans)
    home = next(folder for folder in (run.absolute(), *run.absolute().parents) if folder.exists())
    free = shutil.disk_usage(home).free
    if free < needed:
        raise DiskFailed(
            f"{str(run)!r} needs about {needed / 1e6:.0f} MB of disk for checkpoints and the file; {free / 1e6:.0f} MB "
            "are free there.",
            "-o on another disk, or free space",
        )
    steps = max(training_bytes(plan.graph, plan.recipe.batch_size) for plan in plans)
    memory = free_memory_bytes()
    if memory < steps:
        yield Note(
            f"Training needs about {steps / 1e6:,.0f} MB of memory, and {memory / 1e6:,.0f} MB are free: close other programs, "
            "or take a smaller --batch-size."
        )


def later_stages(plan: Plan) -> int:
    """Return how many stages may follow the main one, with checkpoints of their own: of a pick, and on all images."""
    is_elastic = plan.elastic is not None
    return is_elastic + (plan.epochs_on_all > 0 or (is_elastic and plan.recipe.batch_norm_momentum is None))


def disk_bytes(graph: Graph, later: int = 0) -> int:
    """Return what the run folder takes at most; `later`: stages that follow the first."""
    return (COPIES_ON_DISK + later * COPIES_LATER) * 4 * count(graph).params + LOG_BYTES


def training_bytes(graph: Graph, batch_size: int, images: int = 0) -> float:
    """Estimate the memory of training: the weights, what a step keeps, and images that are kept decoded."""
    cost = count(graph)
    activations = KEPT_ACTIVATIONS * batch_size * cost.activation_bytes
    return KEPT_WEIGHTS * 4 * cost.params + activations + images * prod(graph.image)
