"""Ctrl-C as a request that is read between two steps, so that nothing is torn in the middle."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CAUGHT = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether the user asked to stop. The second request stops at once."""

    def __init__(self) -> None:
        self.requested = False

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
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
