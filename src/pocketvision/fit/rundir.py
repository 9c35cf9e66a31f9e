"""The run folder: what a job writes, and what it refuses to overwrite."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pocketvision.errors import BadOption, RunFolderInUse
from pocketvision.events import Epoch, Event, Measured, Note
from pocketvision.files import write_atomically

PLAN = "plan.json"


class RunFolder:
    """model.onnx, plan.json, log.jsonl, checkpoint/ and tensorboard/ of one job. Nothing is touched before the plan is made.

    Args:
        path: must not exist yet, or be empty.
        restart: an older run may be there; it is moved aside.

    Raises:
        RunFolderInUse: something is there.
        BadOption: the folder cannot be made there.
    """

    def __init__(self, path: str | Path, restart: bool = False) -> None:
        self.path = Path(path)
        self._in_use = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        is_run = bool(self.path.name) and (self.path / PLAN).exists()
        if self._in_use and not (restart and is_run):
            done = " with a finished model" if self.model.exists() else ""
            rule = f"; --restart moves only older runs, which have a {PLAN}" if restart else ""
            raise RunFolderInUse(
                f"{str(path)!r} exists{done} and would be overwritten; a run needs a folder of its own{rule}.",
                f"-o {free_name(self.path)}" + (", or --restart to move the old one aside" if is_run else ""),
            )
        home = next(folder for folder in (self.path.absolute(), *self.path.absolute().parents) if folder.exists())
        if not (home.is_dir() and os.access(home, os.W_OK | os.X_OK)):
            reason = "may not be written to" if home.is_dir() else "is a file"
            raise BadOption(f"{str(path)!r} cannot be made: {str(home)!r} {reason}.", "-o with another folder")
        self._board: Any = None
        self._lines: list[str] = []  # of the log, not yet written

    @property
    def model(self) -> Path:
        """Where the finished file goes."""
        return self.path / "model.onnx"

    @property
    def checkpoint(self) -> Path:
        """Where interrupted work is saved."""
        return self.path / "checkpoint"

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Write plan.json: every decision that was measured, and every option. From now on the log is written too.

        An older run is moved aside first.
        """
        from torch.utils.tensorboard import SummaryWriter

        if self._in_use:
            self.path.rename(free_name(self.path))
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / PLAN, json.dumps(plan, indent=1, ensure_ascii=False).encode())
        self._board = SummaryWriter(str(self.path / "tensorboard"))
        self._write_lines()

    def log(self, event: Event) -> None:
        """Append epochs, notes and figures to log.jsonl, and the curves to TensorBoard."""
        if not isinstance(event, Epoch | Note | Measured):
            return
        content = {"event": type(event).__name__.lower()} | asdict(event)
        self._lines.append(json.dumps(content, ensure_ascii=False) + "\n")
        if self._board is None:
            return
        self._write_lines()
        if isinstance(event, Epoch):
            for name in ("loss", "validation_loss", "validation_top1", "lr", "images_per_second"):
                self._board.add_scalar(name, getattr(event, name), event.epoch)

    def close(self) -> None:
        """Bring the curves to disk."""
        if self._board is not None:
            self._board.close()

    def _write_lines(self) -> None:
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(self._lines)
        self._lines.clear()


def free_name(path: Path) -> Path:
    """Return a name beside `path` that is not taken: run-2, run-3 ...; for "." and "/", which have no name, one inside."""
    number = 2
    while (candidate := path.parent / f"{path.name or 'run'}-{number}").exists():
        number += 1
    return candidate
