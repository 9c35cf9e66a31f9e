"""The trainings of a run are saved now and then, when they are done, and when the user stops them."""

import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketvision.events import Event, Note
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.runs.interrupts import Interrupts
from pocketvision.model.rewrite import Arrays
from pocketvision.train.checkpoint import Snapshot, load_checkpoint, newest_step
from pocketvision.train.loop import Trainer

CHECKPOINT_SECONDS = 60.0  # between two


@dataclass(frozen=True, eq=False)
class Saved:
    """Trains, and saves.

    Attributes:
        run: where checkpoints are kept.
        interrupts: whether the user asked to stop.
        began: `time.monotonic()` at which the job would have begun, had it never been stopped.
    """

    run: RunFolder
    interrupts: Interrupts
    began: float

    def train(
        self, job: Iterator[Event], trainer: Trainer, checkpoint: Path, origin: str = ""
    ) -> Generator[Event, None, None]:
        """Train to the end.

        Args:
            job: the training's events.
            trainer: whose state is saved.
            checkpoint: the folder for it.
            origin: digest of the weights that it goes on from, where these are in another checkpoint.
        """
        saved = time.monotonic()
        with self.interrupts.held():
            for event in job:
                yield event
                if self.interrupts.requested:
                    self.save(trainer, checkpoint, origin)
                    raise KeyboardInterrupt
                if time.monotonic() - saved >= checkpoint_seconds():
                    self.save(trainer, checkpoint, origin)
                    saved = time.monotonic()
            self.save(trainer, checkpoint, origin)

    def save(self, trainer: Trainer, checkpoint: Path, origin: str = "") -> None:
        """Save a training's state, unless it holds what is no number; arguments as of `train`."""
        snapshot = trainer.snapshot()
        if snapshot.is_finite:
            self.run.save(checkpoint, trainer.done, snapshot, time.monotonic() - self.began, origin)
            trainer.good = snapshot


def take_up(checkpoint: Path, origin: str) -> Generator[Event, None, Snapshot | None]:
    """Return where a later training was saved last; None: nowhere, or it went on from other weights than these."""
    snapshot = load_checkpoint(checkpoint)
    yield from clear_damaged(checkpoint, snapshot)
    if snapshot is not None and snapshot.numbers["origin"] != origin:
        yield Note(f"What {checkpoint} holds went on from other weights; these epochs begin anew.")
        shutil.rmtree(checkpoint)  # its larger steps would pass for newer ones
        return None
    return snapshot


def digest(arrays: Arrays) -> str:
    """Return the SHA-256 of weights: what a later training went on from."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def clear_damaged(checkpoint: Path, snapshot: Snapshot | None) -> Iterator[Note]:
    """Say where what was loaded is not the newest that was saved; where nothing could be, remove it.

    Damaged checkpoints of later steps would pass for newer ones than those to come.
    """
    newest = newest_step(checkpoint)
    if newest is None or (snapshot is not None and snapshot.numbers["done"] == newest):
        return
    if snapshot is None:
        yield Note(f"No checkpoint in {checkpoint} is whole; this training begins anew.")
        shutil.rmtree(checkpoint)
    else:
        yield Note(
            f"The newest checkpoint in {checkpoint}, of step {newest}, is damaged; the one before it is taken up."
        )


def checkpoint_seconds() -> float:
    """Return the time between two checkpoints; tests that kill the process set it."""
    return float(os.environ.get("POCKETVISION_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS))
