"""A small real run: started, killed, continued by the same command, and compared with one that was never stopped."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pocketvision import load

SAME = ("channels", "goldens", "labels", "metrics", "model", "temperature", "unknown_threshold")  # parts of the record
GOING_ON = re.compile(r"Resuming after epoch (\d+), step (\d+) of (\d+)")
PATIENCE_SECONDS = 600
TICK_SECONDS = 0.0005


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        data: folder of photographs.
        folder: the run folder, absolute.
        epochs: passes.
        every: seconds between two checkpoints; 0: after each step.
        before: words in front of the command.
    """

    data: Path
    folder: Path
    epochs: int
    every: float
    before: tuple[str, ...] = field(default=())

    @property
    def said(self) -> Path:
        """Where stderr goes."""
        return self.folder.with_name(f"{self.folder.name}.stderr")

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, in a process group of its own."""
        words = ["-m", "pocketvision.cli.app", "fit", str(self.data), "-o", str(self.folder)]
        options = ["--width", "0.25", "--resolution", "32", "--batch-size", "2", "--training-precision", "float32"]
        environment = {
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
            "POCKETVISION_CHECKPOINT_SECONDS": str(self.every),
        }
        with self.said.open("wb") as stderr:
            return subprocess.Popen(
                [*self.before, sys.executable, *words, *options, "--epochs", str(self.epochs)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=os.environ | environment,
                start_new_session=True,
            )

    def text(self) -> str:
        """Return what the command has said so far."""
        return self.said.read_text(errors="replace")

    def finish(self) -> int:
        """Run it to its end; return the exit code."""
        process = self.start()
        try:
            return process.wait(PATIENCE_SECONDS)
        finally:
            end(process)


def stop(process: subprocess.Popen[bytes], by: signal.Signals) -> float:
    """Send a signal to it; return how long it then took to end, in seconds. What it started ends too."""
    began = time.monotonic()
    with suppress(subprocess.TimeoutExpired):
        process.send_signal(by)
        process.wait(PATIENCE_SECONDS)
    seconds = time.monotonic() - began
    end(process)
    return seconds


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 it, with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> bool:
    """Wait for something; return False where the process ends first."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(TICK_SECONDS)
    return False


def result(folder: Path) -> dict[str, object]:
    """Return the digests of all that must not depend on whether a run was stopped: weights, nodes, and most of the record."""
    digests = load(folder / "model.onnx", threads=1).record.digests
    return {
        "initializers": digests["initializers"],
        "nodes": digests["nodes"],
        **{name: digests["record"][name] for name in SAME},
    }


def gone_on_from(text: str) -> int | None:
    """Return the step from which a command said it goes on; None where it began anew."""
    said = GOING_ON.search(text)
    return None if said is None else int(said[1]) * int(said[3]) + int(said[2])
