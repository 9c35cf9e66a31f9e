"""Reads a run folder as a stranger would, after a kill: is every file that has its final name whole?"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pocketvision.errors import PocketvisionError
from pocketvision.export.verify import verify_file
from pocketvision.run.predictor import load


def faults(folder: Path) -> list[str]:
    """Return what is wrong with a run folder, one sentence a file; a folder that is not there has no faults.

    TensorBoard's own stream is not judged. A name that begins with a dot and ends in `.part` is not final.
    """
    found = []
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        if path.is_dir() or is_part(path) or "tensorboard" in path.parts:
            continue
        read = READERS.get(path.suffix)
        try:
            if read is None:
                found.append(f"{path.name}: nobody knows how to read it")
            else:
                read(path)
        except (OSError, ValueError, KeyError, SafetensorError, PocketvisionError) as error:
            found.append(f"{path.name}: {type(error).__name__}: {error}")
    return found


def newest_step(folder: Path) -> int | None:
    """Return the step of the newest checkpoint of which both files are there and belong together."""
    steps = []
    for numbers in (folder / "checkpoint").glob("[0-9]*.json"):
        tensors = numbers.with_suffix(".safetensors")
        with suppress(ValueError, KeyError):
            if tensors.exists() and json.loads(numbers.read_bytes())["sha256"] == _digest(tensors):
                steps.append(int(numbers.stem))
    return max(steps, default=None)


def leftovers(folder: Path) -> list[str]:
    """Return the names of unfinished files."""
    return sorted(path.name for path in folder.rglob("*") if is_part(path))


def weights(folder: Path) -> str:
    """Return the digest of the weights that a finished run wrote."""
    digest: str = load(folder / "model.onnx").record.digests["initializers"]
    return digest


def is_part(path: Path) -> bool:
    """Say whether a name is that of an unfinished file."""
    return path.name.startswith(".") and path.name.endswith(".part")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_json(path: Path) -> None:
    json.loads(path.read_bytes())


def _read_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        raise ValueError("the last line is cut short")
    for line in text.splitlines():
        json.loads(line)


def _read_tensors(path: Path) -> None:
    with safe_open(path, "np") as file:
        for name in file.keys():  # noqa: SIM118  the file is no mapping
            file.get_tensor(name)


def _read_model(path: Path) -> None:
    verify_file(path.read_bytes())


def _read_page(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("the page is cut short")


READERS: dict[str, Callable[[Path], None]] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".safetensors": _read_tensors,
    ".onnx": _read_model,
    ".html": _read_page,
}
