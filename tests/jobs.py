"""Long work in tests: run to its end, with what came out and all that was said."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from pocketvision.events import Note
from pocketvision.jobs.call import fit
from pocketvision.jobs.finish.result import Finished


def watched(job: Generator[Any, None, Any]) -> tuple[Any, list[Any]]:
    """Return what came out, and the events."""
    events = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as stop:
            return stop.value, events


def told(data: Path, out: Path, **options: Any) -> tuple[Finished, list[str]]:
    """Fit; return what came out, and the sentences that were said."""
    said: list[str] = []
    finished = fit(data, out, on_event=lambda e: said.append(e.text) if isinstance(e, Note) else None, **options)
    return finished, said
