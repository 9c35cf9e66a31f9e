"""Checkpoints of a run's stages: now and then, when a stage is done, and when the user stops it."""

import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np

from pocketvision.events import Event, Note, Work
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.runs.interrupts import Interrupts
from pocketvision.model.rewrite import Arrays
from pocketvision.train.checkpoint import Snapshot, load_checkpoint, newest_step
from pocketvision.train.loop import Trainer

# Between two checkpoints.
CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Checkpointing:
    """Saves the state of trainings in a run folder.

    Attributes:
        run: where checkpoints are kept.
        interrupts: whether the user asked to stop.
        began: `time.monotonic()` at which the job would have begun, had it never been stopped.
    """

    run: RunFolder
    interrupts: Interrupts
    began: float

    def train(
        self, events: Iterator[Event], trainer: Trainer, stage: str, origin: str = ""
    ) -> Generator[Event, None, None]:
        """Run a training; save it every 60 s, at the end, and when the user stops it.

        Args:
            events: of the training.
            trainer: whose state is saved.
            stage: names the folder for it.
            origin: digest of the weights that it starts from, where these are in another stage's checkpoint.

        Raises:
            KeyboardInterrupt: the user asked to stop; the state was saved.
        """
        saved = time.monotonic()
        with self.interrupts.held():
            for event in events:
                yield event
                if self.interrupts.requested:
                    self.save(trainer, stage, origin)
                    raise KeyboardInterrupt
                if time.monotonic() - saved >= checkpoint_seconds():
                    self.save(trainer, stage, origin)
                    saved = time.monotonic()
            self.save(trainer, stage, origin)

    def save(self, trainer: Trainer, stage: str, origin: str = "") -> None:
        """Save a training's state, unless it holds NaN or infinity; arguments as of `train`."""
        snapshot = trainer.snapshot()
        if snapshot.is_finite:
            numbers = {**snapshot.numbers, "steps": trainer.steps, "origin": origin}
            self.run.save(stage, Snapshot(snapshot.tensors, numbers), time.monotonic() - self.began)
            trainer.good = snapshot

    def take_up(self, stage: str, origin: str = "") -> Work[Snapshot | None]:
        """Return where a stage was saved last; None: nowhere, or it started from other weights than these.

        Damaged checkpoints of later steps, which would pass for newer ones than those to come, are said and removed.
        """
        folder = self.run.stage(stage)
        snapshot, newest = load_checkpoint(folder), newest_step(folder)
        if newest is not None and snapshot is None:
            yield Note(f"No checkpoint in {folder} is whole; this training begins anew.")
            shutil.rmtree(folder)
        elif newest is not None and snapshot is not None and snapshot.numbers["done"] != newest:
            yield Note(
                f"The newest checkpoint in {folder}, of step {newest}, is damaged; the one before it is taken up."
            )
        if snapshot is not None and snapshot.numbers["origin"] != origin:
            yield Note(f"What {folder} holds started from other weights; this training begins anew.")
            shutil.rmtree(folder)
            return None
        return snapshot


def digest(arrays: Arrays) -> str:
    """Return the SHA-256 of weights: what a later stage started from."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def checkpoint_seconds() -> float:
    """Return the time between two checkpoints; tests that kill the process set it."""
    return float(os.environ.get("POCKETVISION_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS))
