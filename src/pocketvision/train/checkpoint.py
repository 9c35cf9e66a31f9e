"""Checkpoints: safetensors beside JSON, written so that a half-written one never carries the final name."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from pocketvision.files import write_atomically


def save_checkpoint(folder: Path, arrays: Mapping[str, NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Write weights.safetensors, then state.json.

    Args:
        folder: is made where it is missing.
        arrays: the averaged weights by name.
        state: what else is needed to know where training stood; JSON values.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(folder / "weights.safetensors", save(contiguous))
    write_atomically(folder / "state.json", json.dumps(state, indent=1).encode())


def load_checkpoint(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the weights and the state that `save_checkpoint` wrote."""
    return load_file(folder / "weights.safetensors"), json.loads((folder / "state.json").read_text())
