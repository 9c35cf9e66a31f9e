"""What all benchmarks share: where and of what a number is, its result file, the clock's rounds, and ratios with their noise.

The statistics are pocketvision.run.timing's: benchmarks, `probe` and `fit` state the same median and the same noise.
"""

import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.cli.app import SPINS
from pocketvision.files import write_atomically
from pocketvision.run.device import this_device
from pocketvision.run.timing import Open, Timing, summarize, time_interleaved

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
SAME = ("device", "commit", "versions")  # cells of one file agree in these
FEWEST_ROUNDS = 5


def device() -> str:
    """Return the processor's name and the number of cores that can be used."""
    return str(this_device())


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def commit(root: Path = ROOT) -> str:
    """Return the commit that is measured, with a plus sign where src differs from it."""
    head, changes = (
        subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--", "src"))
    )
    return head + ("+" if changes else "")


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Give a folder with the files of another commit, which is removed in the end."""
    git = ["git", "-C", str(ROOT), "worktree"]
    with tempfile.TemporaryDirectory() as name:
        other = Path(name, "other")
        subprocess.run([*git, "add", "--quiet", "--detach", other, commit], check=True)
        try:
            yield other
        finally:
            subprocess.run([*git, "remove", "--force", other], check=True)


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages in this environment, "none" where one is not installed, and of Python."""
    found = {}
    for name in ("pocketvision", *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found | {"python": platform.python_version()}


def environment() -> dict[str, str]:
    """Return the environment that measured processes get: this one, without what would change how Python starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": SPINS}


def file_name(question: str, date: str, suffix: str = "") -> str:
    """Return the name of a result file: <question>_<device>_<date>[_<suffix>].json."""
    place = re.sub(r"[^a-z0-9]+", "-", device().lower()).strip("-")
    return "_".join(part for part in (question, place, date, suffix) if part) + ".json"


def write(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result; an older one of that name is replaced only by the finished one."""
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())


class Results:
    """The result file of one question, filled cell by cell: what was measured already is not measured again.

    Args:
        question: name of the script.
        packages: whose versions matter.
        suffix: for a second file of one day.
        folder: where the file is kept.

    Raises:
        SystemExit: an unfinished file of that name was begun with other code, packages or on another device.
    """

    def __init__(self, question: str, packages: Sequence[str] = (), suffix: str = "", folder: Path = RESULTS) -> None:
        here = {"device": device(), "commit": commit(), "versions": versions(*packages)}
        self.path = folder / file_name(question, today(), suffix)
        self.content: dict[str, Any] = {"question": question, "date": today(), **here, "is_finished": False}
        self.content |= {
            "flags": " ".join(this_device().flags),
            "load_before": round(os.getloadavg()[0], 2),
            "cells": {},
        }
        if self.path.exists():
            self.content = json.loads(self.path.read_text(encoding="utf-8"))
            differing = [name for name in SAME if self.content[name] != here[name]]
            if differing and not self.is_finished:
                sys.exit(
                    f"{self.path.name} was begun with another {differing[0]}; it cannot be finished here. "
                    "Try: --suffix NAME, or move it away"
                )
        if self.is_finished:
            print(f"{self.path.name}: there already")

    @property
    def is_finished(self) -> bool:
        """Whether all cells are there."""
        finished: bool = self.content["is_finished"]
        return finished

    def cell(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return what was measured under that name; measure it and write the file where that is still to be done."""
        if name not in self.content["cells"]:
            print(f"{name} ...", flush=True)
            self.content["cells"][name] = measure()
            write(self.path, self.content)
        return self.content["cells"][name]

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what follows from all cells, and that they are complete."""
        self.content |= {"summary": dict(summary), "is_finished": True}
        write(self.path, self.content)
        print(json.dumps(summary, indent=1, ensure_ascii=False))
        print(self.path.name)


def print_estimate(minutes: float) -> None:
    """Say how long it will take, before it begins."""
    print(f"about {minutes:.0f} minutes in all", flush=True)


def time_calls(contestants: Mapping[str, Open], seconds: float) -> dict[str, Any]:
    """Time functions in interleaved rounds, as `probe` does; return each one's Timing as JSON."""
    rounds = time_interleaved(contestants, seconds)
    while True:
        try:
            next(rounds)
        except StopIteration as stop:
            return {name: to_json(timing) for name, timing in stop.value.items()}


def time_processes(commands: Mapping[str, Sequence[str | Path]], rounds: int, folder: Path) -> dict[str, Any]:
    """Time processes from start to end in interleaved rounds, one start of each in turn; return their Timings as JSON.

    An uncounted round comes first: it compiles the modules and brings the files into memory.

    Args:
        commands: name -> words of a command, which must succeed.
        rounds: counted ones, five at least.
        folder: working directory.
    """
    taken: dict[str, list[list[float]]] = {name: [] for name in commands}
    for number in range(max(rounds, FEWEST_ROUNDS) + 1):
        for name, words in commands.items():
            began = time.perf_counter()
            subprocess.run(words, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, check=True)
            if number:
                taken[name].append([1000 * (time.perf_counter() - began)])
    return {name: to_json(summarize(bursts)) for name, bursts in taken.items()}


def to_json(timing: Timing) -> dict[str, float]:
    """Return a Timing as JSON: the median, its noise (see run/timing.py), the 95th percentile and the rounds."""
    return asdict(timing)


def paired(ones: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Return by how much more of the images one way has right than another, and the standard error of that.

    The error is the larger of that over seeds and that over images.

    Args:
        ones: for each seed, which images the one way has right (N,), 0 or 1.
        others: the same of the other, of the same images.

    >>> difference, error = paired([np.array([1, 1, 0]), np.array([1, 1, 1])], [np.array([1, 0, 0]), np.array([1, 1, 0])])
    >>> round(difference, 3), round(error, 3)
    (0.333, 0.167)
    """
    difference = np.array(ones, np.float64) - np.array(others, np.float64)
    over_seeds = difference.mean(1).std(ddof=1) / math.sqrt(len(difference))
    over_images = difference.mean(0).std(ddof=1) / math.sqrt(difference.shape[1])
    return float(difference.mean()), float(max(over_seeds, over_images))


def ratio(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return how many times longer one takes than the other, and how far that may be off: both noises together.

    >>> ratio({"median_ms": 8.0, "noise_ms": 0.4}, {"median_ms": 2.0, "noise_ms": 0.1})
    {'ratio': 4.0, 'noise': 0.4}
    """
    value = one["median_ms"] / other["median_ms"]
    noise = value * (one["noise_ms"] / one["median_ms"] + other["noise_ms"] / other["median_ms"])
    return {"ratio": round(value, 3), "noise": round(noise, 3)}
