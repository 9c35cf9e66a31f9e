"""Runs the command line as a person does: inside this process where that is enough, since torch is loaded already."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from pocketvision.cli.app import run

PROGRAM = (sys.executable, "-W", "error", "-m", "pocketvision.cli.app")
# options of an elastic fit
ELASTIC = {
    "elastic": True,
    "epochs": 3,
    "width": 0.25,
    "resolution": 32,
    "batch_size": 8,
    "training_precision": "float32",
}
# options of a fit of twelve steps, alike wherever it runs: "auto" would measure which precision is faster
TWO_EPOCHS = {"epochs": 2, "width": 0.25, "resolution": 32, "batch_size": 4, "training_precision": "float32"}
SMALL = ("--width", "0.25", "--resolution", "32", "--epochs", "1")  # the quickest training
ONLY_PLAN = ("--training-precision", "float32", "--plan", "--json")  # no step is timed: minutes of them in all
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.err.splitlines()[-1]


def pocketvision(*arguments: object, stdin: bytes = b"") -> Outcome:
    """Run one command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin))):
        code = run([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def words_of(options: dict[str, object]) -> list[object]:
    """Return options of `fit` as the words of a command."""
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]


def start_program(*arguments: object, **options) -> subprocess.Popen:
    """Start one command as a process of its own."""
    words = [*PROGRAM, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": ONE_THREAD}
    return subprocess.Popen(words, **pipes | options)


def python(absent: tuple[str, ...], program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter that cannot find some modules."""
    block = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
    words = [sys.executable, "-W", "error", "-c", block + program, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)
