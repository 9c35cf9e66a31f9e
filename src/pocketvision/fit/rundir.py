"""The run folder: what a job writes, and what it refuses to overwrite."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pocketvision.errors import RunFolderInUse
from pocketvision.events import Epoch, Event, Measured, Note
from pocketvision.files import write_atomically


class RunFolder:
    """model.onnx, plan.json, log.jsonl, checkpoint/ and tensorboard/ of one job.

    Raises:
        RunFolderInUse: the folder exists and is not empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            done = " with a finished model" if self.model.exists() else ""
            raise RunFolderInUse(
                f"{str(path)!r} exists{done} and would be overwritten; a run needs a folder of its own.",
                f"-o {self._free_name()}, or --restart to move the old one aside",
            )
        self._board: Any = None

    @property
    def model(self) -> Path:
        """Where the finished file goes."""
        return self.path / "model.onnx"

    @property
    def checkpoint(self) -> Path:
        """Where interrupted work is saved."""
        return self.path / "checkpoint"

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Write plan.json: every decision that was measured, and every option."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path / "plan.json", json.dumps(plan, indent=1, ensure_ascii=False).encode())

    def log(self, event: Event) -> None:
        """Append epochs, notes and figures to log.jsonl, and the curves to TensorBoard."""
        if not isinstance(event, Epoch | Note | Measured):
            return
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            content = {"event": type(event).__name__.lower()} | asdict(event)
            file.write(json.dumps(content, ensure_ascii=False) + "\n")
        if isinstance(event, Epoch):
            board = self._tensorboard()
            for name in ("loss", "validation_loss", "validation_top1", "lr", "images_per_second"):
                board.add_scalar(name, getattr(event, name), event.epoch)

    def close(self) -> None:
        """Bring the curves to disk."""
        if self._board is not None:
            self._board.close()

    def _tensorboard(self) -> Any:
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.path / "tensorboard"))
        return self._board

    def _free_name(self) -> str:
        return free_name(self.path).as_posix()


def free_name(path: Path) -> Path:
    """Return a name beside `path` that is not taken: run-2, run-3 ..."""
    number = 2
    while (candidate := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return candidate


def move_aside(path: Path) -> Path | None:
    """Rename a run folder that is in the way; return its new name, or None where there was none."""
    if not path.exists():
        return None
    aside = free_name(path)
    path.rename(aside)
    return aside
