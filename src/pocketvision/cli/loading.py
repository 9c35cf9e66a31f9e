"""Ctrl-C while large modules load."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def loading() -> Iterator[None]:
    """Leave at once on Ctrl-C while the block imports; nothing has been done yet that could be lost.

    An exception raised inside the import machinery may be swallowed, or leave half a module behind.
    """
    before = signal.signal(signal.SIGINT, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.stderr.write("Interrupted: stopped by Ctrl-C.\n")
    sys.stderr.flush()
    os._exit(130)
