"""Draws the events that long work yields: bars on a terminal, plain lines elsewhere. Everything goes to stderr."""

import sys
import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from pocketvision.events import Epoch, Event, Measured, Note, Result, Step, Timed, Work, drain
from pocketvision.events import Progress as Counted
from pocketvision.run.timing import FEWEST_ROUNDS

PLAIN_SECONDS = 10.0  # between two lines about steps, where there is no terminal


def watch(work: Work[Result]) -> Result:
    """Draw all events; return what the work returns."""
    screen = Bars() if sys.stderr.isatty() else Lines()
    try:
        return drain(work, screen.draw)
    finally:
        screen.close()


class Lines:
    """One line for each epoch, and a sign of life every ten seconds."""

    def __init__(self) -> None:
        self._spoke = time.monotonic()

    def draw(self, event: Event) -> None:
        """Write the event, unless it is frequent and another was just written."""
        is_frequent = isinstance(event, Step | Counted | Timed)
        if is_frequent and time.monotonic() - self._spoke < PLAIN_SECONDS:
            return
        self._spoke = time.monotonic()
        sys.stderr.write(f"{describe(event)}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Nothing is left open."""


class Bars:
    """A bar for the current work, above it a table of current timings; finished work stands above both."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            console=self._console,
        )
        self._timed: dict[str, Timed] = {}
        self._task: Any = None
        self._work, self._began, self._begun_at = "", 0.0, 0  # when it began, and where the bar was then
        self._live = Live(get_renderable=self._render, console=self._console, transient=True)
        self._live.start()

    def draw(self, event: Event) -> None:
        """Move the bar, change the table, or write a line above them."""
        if not isinstance(event, Timed):
            self._timed.clear()
        match event:
            case Step():
                detail = (
                    f"loss {event.loss:.3f}  {event.images_per_second:,.0f} images/s  {clock(event.seconds_left)} left"
                )
                self._move(f"epoch {event.epoch}/{event.epochs}", event.step, event.steps, detail)
            case Counted():
                self._move(event.work, event.done, event.total, self._left(event))
            case Timed():
                self._timed[event.name] = event
                self._move("timing, rounds", event.rounds, max(event.rounds, FEWEST_ROUNDS), event.name)
            case _:
                self._console.print(describe(event), markup=False)

    def _move(self, work: str, completed: int, total: int, detail: str) -> None:
        if work != self._work:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(work, total=total, detail=detail)
            self._work, self._began, self._begun_at = work, time.monotonic(), completed
        self._bars.update(self._task, completed=completed, total=total, detail=detail)

    def _left(self, event: Counted) -> str:
        """Return the time left for counted work at its pace so far."""
        if event.work != self._work or not event.done:
            return ""
        seconds = (time.monotonic() - self._began) * (event.total - event.done) / max(1, event.done - self._begun_at)
        return f"{clock(seconds)} left"

    def _render(self) -> Group:
        if not self._timed:
            return Group(self._bars)
        table = Table("network", "ms", "+-", "p95", box=None)
        for name, timed in self._timed.items():
            table.add_row(name, f"{timed.latency_ms:.3f}", f"{timed.noise_ms:.3f}", f"{timed.p95_ms:.3f}")
        return Group(table, self._bars)

    def close(self) -> None:
        """Take the bar away."""
        self._live.stop()


def describe(event: Event) -> str:
    """Return the event as one line.

    >>> describe(Measured("top-1 on the test part", 0.91234))
    'top-1 on the test part: 0.9123'
    """
    match event:
        case Note(text):
            return text
        case Measured(name, value):
            return f"{name}: {value:.4f}"
        case Counted(work, done, total):
            return f"{work}: {done:,} of {total:,}"
        case Timed():
            return f"{event.name}: {event.latency_ms:.3f} +- {event.noise_ms:.3f} ms, {event.rounds} rounds"
        case Step():
            return (
                f"epoch {event.epoch}/{event.epochs}, step {event.step}/{event.steps}: loss {event.loss:.3f}, "
                f"{event.images_per_second:,.0f} images/s, {clock(event.seconds_left)} left"
            )
        case Epoch():
            return (
                f"epoch {event.epoch}/{event.epochs}: loss {event.loss:.3f}, validation top-1 "
                f"{event.validation_top1:.4f}, {event.images_per_second:,.0f} images/s, {event.seconds:.0f} s"
            )


def clock(seconds: float) -> str:
    """Return a duration as people read it.

    >>> clock(59.6), clock(3725)
    ('1:00', '1:02:05')
    """
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
