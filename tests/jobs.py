"""Long work in tests: run to its end, with what came out and all that was said; or stopped on the way."""

import signal
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from pocketvision.call import fit
from pocketvision.events import Event, Note
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


def stop_at(kind: type[Event], text: str = "", number: int = 1) -> Callable[[Event], None]:
    """Return a listener that sends SIGINT once, at an event of a kind in whose note or work the text stands."""
    seen: list[bool] = []

    def listen(event: Event) -> None:
        seen.append(isinstance(event, kind) and text in getattr(event, "text", getattr(event, "work", "")))
        if seen[-1] and sum(seen) == number:
            signal.raise_signal(signal.SIGINT)

    return listen
