"""Ctrl-C: at once where nothing can be torn, else as a request that is read between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether the user asked to stop. The second request stops at once.

    Attributes:
        requested: the user asked; the work continues to where it may stop.
        may_raise: the work may stop anywhere: a request raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = False
        self.may_raise = False
        self._held = 0

    @property
    def is_held(self) -> bool:
        """True inside `held()`: a request to stop is deferred."""
        return self._held > 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Defer requests while the block runs, which must not be interrupted halfway."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested or (self.may_raise and not self.is_held):
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def watch_interrupts() -> Iterator[Interrupts]:
    """Collect SIGINT and SIGTERM while the block runs; outside of the main thread signals stay as they are."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts._request) for number in CAUGHT}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
