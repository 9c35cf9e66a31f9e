"""fit as a plain function, for scripts and notebooks."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from pocketvision.events import Event, drain
from pocketvision.jobs.fit import fit as run_fit
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.runs.result import Finished


def fit(
    data: str | Path,
    out: str | Path,
    on_event: Callable[[Event], None] = lambda event: None,
    restart: bool = False,
    **options: Any,
) -> Finished:
    """Train a network on images and write one verified file.

    Args:
        data: a folder, a CSV file, a folder of IDX files or the name of a data set.
        out: the run folder; must not exist yet, or be empty.
        on_event: is called with everything that happens, see `pocketvision.events`.
        restart: move an older run out of the way, once the new one is planned.
        options: see `FitOptions`.

    Raises:
        PocketvisionError: see `pocketvision.errors`.
    """
    with closing(run_fit(data, out, FitOptions(**options), restart)) as events:
        return drain(events, on_event)
