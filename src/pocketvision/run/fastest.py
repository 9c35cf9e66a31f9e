"""Which engine is the fastest for one file on this machine: measured once, then read from the cache folder."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pocketvision.errors import BadArtifact
from pocketvision.events import drain
from pocketvision.files import cache_folder, write_atomically
from pocketvision.run.device import this_device
from pocketvision.run.engines import DEFAULT, Engine, installed_engines, open_engine
from pocketvision.run.goldens import compare_goldens, golden_images
from pocketvision.run.record import Record
from pocketvision.run.timing import always, time_interleaved

SECONDS = 0.5  # for timing; each engine has two rounds at least
WORTH = 0.02  # share of the time that must be gained to leave the default; drift affects both, as they take turns
VERSION = 1


@dataclass(frozen=True)
class Choice:
    """The measurements and the engine chosen.

    Attributes:
        engine: the fastest of those that give the file's goldens.
        timings: median and noise of one call in milliseconds, by engine.
        refused: engines that cannot load the file or give other answers, and why.
        date: when; empty if there was nothing to choose.
    """

    engine: str = DEFAULT
    timings: dict[str, tuple[float, float]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    date: str = ""


def fastest_engine(model: bytes, record: Record, threads: int | None = None, batch: int = 1) -> Choice:
    """Return the fastest installed engine for a file on this machine.

    If only the default is installed, nothing is measured or compared. Otherwise it takes about a second the first time; the
    choice is kept by the file's digest, the engines' versions, the processor, threads and batch.

    Args:
        model: the bytes of the file.
        record: what it says about itself.
        threads: for one call; None: all cores.
        batch: images in one call.

    Raises:
        BadArtifact: no engine can load the file, or none gives its goldens.
    """
    versions = installed_engines()
    if list(versions) == [DEFAULT]:
        return Choice()
    path = _place(model, versions, threads, batch)
    found = _read(path)
    if found is None:
        found = _measure(model, record, list(versions), threads, batch)
        _write(path, found)
    return found


def known_choice(model: bytes, threads: int | None = None, batch: int = 1) -> Choice | None:
    """Return the choice that was measured for a file earlier; None if there is none."""
    return _read(_place(model, installed_engines(), threads, batch))


def _measure(model: bytes, record: Record, names: list[str], threads: int | None, batch: int) -> Choice:
    """Open the file in each engine, compare its goldens, and time those that pass; they take turns."""
    calls, refused = {}, {}
    for name in names:
        try:
            engine = open_engine(model, name, threads)
            problem = _problem(engine, record)
        except Exception as error:  # a broken installation of an engine may raise anything
            problem = str(error) or type(error).__name__
        if problem:
            refused[name] = problem
            continue
        images = np.resize(golden_images(1, record.resolution, record.channels), (batch, *engine.image_shape[1:]))
        calls[name] = always(partial(engine.run, images))
    if not calls:
        said = "; ".join(f"{name}: {problem}" for name, problem in refused.items())
        raise BadArtifact(f"no engine runs the file as it was written: {said}", "pocketvision verify FILE")
    timings = drain(time_interleaved(calls, SECONDS))
    taken = min(timings, key=lambda name: timings[name].median_ms)
    if DEFAULT in timings and timings[taken].median_ms > (1 - WORTH) * timings[DEFAULT].median_ms:
        taken = DEFAULT
    return Choice(
        engine=taken,
        timings={name: (timing.median_ms, timing.noise_ms) for name, timing in timings.items()},
        refused=refused,
        date=datetime.now(UTC).date().isoformat(),
    )


def _problem(engine: Engine, record: Record) -> str:
    """Return how an engine's answers differ from the file's goldens; empty: they do not."""
    goldens = record.goldens
    logits = engine.run(golden_images(goldens.count, record.resolution, record.channels))["logits"]
    return compare_goldens(goldens, logits)[1]


def _place(model: bytes, versions: dict[str, str], threads: int | None, batch: int) -> Path:
    """Return where the choice is kept: the name holds everything that it depends on."""
    device = asdict(this_device())
    depends = [VERSION, hashlib.sha256(model).hexdigest(), versions, device, os.cpu_count(), threads, batch]
    name = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "engines" / f"{name}.json"


def _read(path: Path) -> Choice | None:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        timings = {str(name): (float(median), float(noise)) for name, (median, noise) in content["timings"].items()}
        found = Choice(str(content["engine"]), timings, dict(content["refused"]), str(content["date"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # missing or damaged: it is measured again
    return found if found.engine in timings else None


def _write(path: Path, choice: Choice) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(choice)).encode())
    except OSError:
        pass  # a read-only or full disk: it is measured again the next time
