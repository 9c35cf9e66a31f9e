"""Jobs as plain functions, for scripts and notebooks."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pocketvision.cost.budget import Budget
from pocketvision.events import Event, drain
from pocketvision.jobs import fit as main
from pocketvision.jobs.cut import Written, cut_run, read_front
from pocketvision.jobs.finish.result import Finished
from pocketvision.jobs.options import FitOptions


class Run(Finished):
    """What came out of a job, and what can be had of it afterwards."""

    def front(self) -> dict[str, Any]:
        """Return all sizes of an elastic run, see `pocketvision.jobs.sizes.store.front_json`.

        Raises:
            BadOption: the run was not elastic.
        """
        return drain(read_front(self.model.parent))

    def cut(self, budget: Budget, out: str | Path) -> Written:
        """Write the best cut of an elastic run within another budget; nothing is trained.

        Raises:
            BadOption, NoFit, BudgetMissed: see `pocketvision.jobs.cut.cut_run`.
        """
        return drain(cut_run(self.model.parent, Path(out), budget))


def fit(
    data: str | Path,
    out: str | Path,
    on_event: Callable[[Event], None] = lambda event: None,
    restart: bool = False,
    recheck: bool = False,
    **options: Any,
) -> Run:
    """Train a network on images and write one verified file.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, be empty, or hold this very run, which is then resumed.
        on_event: is called with everything that happens, see `pocketvision.events`.
        restart: move an older run out of the way, once the new one is planned.
        recheck: decode every image for the check, also those that a run in the folder has seen.
        options: see `FitOptions`.

    Raises:
        PocketvisionError: see `pocketvision.errors`.
    """
    with closing(main.fit(data, out, FitOptions(**options), restart, recheck)) as events:
        return Run(**vars(drain(events, on_event)))
