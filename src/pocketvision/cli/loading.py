"""Ctrl-C and SIGTERM while large modules load."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def loading() -> Iterator[None]:
    """Exit at once on Ctrl-C or SIGTERM while the block imports; there is nothing to lose yet.

    An exception raised inside the import machinery may be swallowed, or leave a half-loaded module.
    """
    before = {number: signal.signal(number, _leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.stderr.write(f"Interrupted: stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}.\n")
    sys.stderr.flush()
    os._exit(130)
