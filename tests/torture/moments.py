"""Random moments of a run at which it is killed: start, training, the writing of a checkpoint, export."""

import random
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from job import Job, wait_until

from inspection import is_part

PHASES = ("start", "training", "checkpoint", "export")  # in the order in which a run meets them
EXPORT = "Judging the network"
EPOCH = re.compile(r"^epoch (\d+)/", re.MULTILINE)


@dataclass(frozen=True)
class Pace:
    """How long the parts of a run take here, in seconds.

    Attributes:
        start: until the first epoch is trained.
        export: from the last epoch to the end.
    """

    start: float
    export: float


def measure_pace(job: Job) -> Pace:
    """Run a job that is never stopped, and look when it says what.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    process = job.start()
    wait_until(process, lambda: bool(EPOCH.search(job.text())))
    trained = time.monotonic()
    wait_until(process, lambda: EXPORT in job.text())
    judged = time.monotonic()
    if process.wait() != 0:
        raise RuntimeError(f"the run that nobody stops failed: {job.text()}")
    return Pace(trained - began, time.monotonic() - judged)


def wait_for(phase: str, job: Job, process: subprocess.Popen[bytes], pace: Pace, rng: random.Random) -> bool:
    """Wait for a random moment of a phase; return False where the run ends before."""
    if phase == "start":
        began, seconds = time.monotonic(), rng.uniform(0.25, 1.2) * pace.start  # before, Python itself is loading
        return wait_until(process, lambda: time.monotonic() - began >= seconds)
    if phase == "training":
        number, seconds = rng.randrange(1, job.epochs), rng.uniform(0.0, 0.1)
        return wait_until(process, lambda: _epochs(job) >= number) and _sleep(process, seconds)
    if phase == "checkpoint":
        return wait_until(process, _unfinished(job, rng.randrange(1, 6)))
    seconds = rng.uniform(0.0, pace.export)
    return wait_until(process, lambda: EXPORT in job.text()) and _sleep(process, seconds)


def _epochs(job: Job) -> int:
    return max((int(number) for number in EPOCH.findall(job.text())), default=0)


def _unfinished(job: Job, number: int) -> Callable[[], bool]:
    """Return whether the nth unfinished file of a checkpoint that was met is there now."""
    folder, met = job.folder / "checkpoint", set()

    def happened() -> bool:
        now = {path.name for path in folder.iterdir() if is_part(path)} if folder.is_dir() else set()
        met.update(now)
        return bool(now) and len(met) >= number

    return happened


def _sleep(process: subprocess.Popen[bytes], seconds: float) -> bool:
    time.sleep(seconds)
    return process.poll() is None
