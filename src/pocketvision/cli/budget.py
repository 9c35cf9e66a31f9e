"""The options that say what a device can spend, for every verb that has a budget."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from pocketvision.errors import BudgetMissed

if TYPE_CHECKING:
    from pocketvision.cost.budget import Budget
    from pocketvision.events import Work

LatencyMs = Annotated[float | None, Option(help="Budget: one image on one thread, without decoding.")]
SizeMb = Annotated[float | None, Option(help="Budget: the file, in 10^6 bytes.")]
MemoryMb = Annotated[float | None, Option(help="Budget: weights and peak activations, in 10^6 bytes.")]
Macs = Annotated[str | None, Option(help="Budget: multiply-adds for one image, such as 50M.")]
Target = Annotated[Path | None, Option(help="Device file that `pocketvision probe` wrote. [default: this machine]")]
Threads = Annotated[int, Option(help="Threads of the engine that the latency is for.")]


def read_budget(latency_ms: float | None, size_mb: float | None, memory_mb: float | None, macs: str | None) -> "Budget":
    """Return the budget.

    Raises:
        BadOption: a limit is not above 0.
    """
    from pocketvision.cost.budget import Budget, read_macs

    return Budget(
        latency_ms=latency_ms,
        size_mb=size_mb,
        memory_mb=memory_mb,
        macs=None if macs is None else read_macs(macs),
    )


def show_result(work: "Work[Any]", show: Callable[[Any], None]) -> None:
    """Do the work and show what came out, also where that is over the budget.

    Raises:
        BudgetMissed: it is; and what the work raises.
    """
    from pocketvision.cli.progress import watch

    try:
        found = watch(work)
    except BudgetMissed as missed:
        if missed.result is not None:
            show(missed.result)
        raise
    show(found)
