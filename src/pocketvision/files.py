"""The folder of fetched files, and writing files so that an incomplete one never has the final name."""

import json
import os
from pathlib import Path
from typing import Any

from pocketvision.errors import BadOption


def cache_folder() -> Path:
    """Return the folder for fetched data and weights; it need not exist."""
    if own := os.environ.get("POCKETVISION_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "pocketvision"


def check_out_path(path: Path, option: str = "-o", example: str = "model.onnx") -> None:
    """Refuse a path that no file can be written to, before any work is done.

    Args:
        path: of the file.
        option: of the command line, that the path was given with.
        example: a name for the file.

    Raises:
        BadOption: it is a folder, or its folder does not exist.
    """
    if path.is_dir():
        raise BadOption(f"{str(path)!r} is a folder; the file needs a name of its own.", f"{option} {path / example}")
    if not path.absolute().parent.is_dir():
        raise BadOption(f"{str(path)!r} cannot be written: there is no such folder.", f"{option} with another path")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, bring it to disk, then give it its final name."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Bring a folder's names to disk, so that a new name is still there after a power failure."""
    if os.name != "posix":
        return
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)


def read_json_lines(text: str) -> list[dict[str, Any]]:
    r"""Return the documents of a text of JSON lines; only a newline ends a line, not other separators that a name may contain.

    >>> read_json_lines('{"a": 1}\n{"a": "x\x85y"}\n')
    [{'a': 1}, {'a': 'x\x85y'}]
    """
    return [json.loads(line) for line in text.split("\n") if line]
