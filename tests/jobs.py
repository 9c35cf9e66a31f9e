"""Long work in tests: run to its end, with what came out and all that was said."""

from collections.abc import Generator
from typing import Any


def watched(job: Generator[Any, None, Any]) -> tuple[Any, list[Any]]:
    """Return what came out, and the events."""
    events = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as stop:
            return stop.value, events
