"""Checkpoints: all that a training needs to go on as if it had never stopped, in two files of which one comes last.

    checkpoint/00000120.safetensors     tensors: weights, averages, momentum, random state
    checkpoint/00000120.json            numbers, and the digest of the other file; written last

The last two are kept: whatever happens while one is written, the one before it is whole.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pocketvision.files import write_atomically

KEPT = 2
TENSORS, NUMBERS = ".safetensors", ".json"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The state of a training between two steps.

    Attributes:
        tensors: by name; copies, on the CPU.
        numbers: JSON values.
    """

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]

    @property
    def is_finite(self) -> bool:
        """Whether no tensor holds NaN or infinity."""
        return all(bool(torch.isfinite(tensor).all()) for tensor in self.tensors.values())


def save_checkpoint(folder: Path, step: int, snapshot: Snapshot) -> None:
    """Write a checkpoint beside the older ones; then drop all but the last two.

    Args:
        folder: is made where it is missing; what is above it must be there.
        step: names it; the largest is the newest.
        snapshot: what to write.

    Raises:
        OSError: the system refuses; the older checkpoints are as they were.
    """
    folder.mkdir(exist_ok=True)
    content = save({name: tensor.contiguous() for name, tensor in snapshot.tensors.items()})
    numbers = {"sha256": hashlib.sha256(content).hexdigest(), **snapshot.numbers}
    write_atomically(folder / f"{step:08}{TENSORS}", content)
    write_atomically(folder / f"{step:08}{NUMBERS}", json.dumps(numbers, indent=1).encode())
    kept = {f"{name}{suffix}" for name in _steps(folder)[:KEPT] for suffix in (NUMBERS, TENSORS)}
    for old in folder.iterdir():  # also what was being written when a process was killed
        if old.name not in kept:
            old.unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> Snapshot | None:
    """Return the newest checkpoint that is whole; None where there is none."""
    for step in _steps(folder) if folder.is_dir() else ():
        if (snapshot := _load(folder, step)) is not None:
            return snapshot
    return None


def newest_step(folder: Path) -> int | None:
    """Return the step of the newest checkpoint, whole or not; None where there is none."""
    steps = _steps(folder) if folder.is_dir() else []
    return int(steps[0]) if steps else None


def _load(folder: Path, step: str) -> Snapshot | None:
    """Return one checkpoint, or None where a file is missing or is not the one that was written."""
    try:
        content = (folder / f"{step}{TENSORS}").read_bytes()
        numbers = json.loads((folder / f"{step}{NUMBERS}").read_bytes())
        if hashlib.sha256(content).hexdigest() != numbers.pop("sha256"):
            return None
        return Snapshot(load(content), numbers)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
        return None


def _steps(folder: Path) -> list[str]:
    """Return the names of the checkpoints, the newest first."""
    return sorted({path.stem for path in folder.glob(f"[0-9]*{NUMBERS}")}, reverse=True)
