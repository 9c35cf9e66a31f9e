"""The run folder: what a job writes, where it is resumed, and what it refuses to overwrite."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from pocketvision.data.manifest import NAME as MANIFEST
from pocketvision.data.manifest import Manifest
from pocketvision.errors import BadData, BadOption, RunFolderInUse
from pocketvision.events import Epoch, Event, Measured, Note
from pocketvision.files import write_atomically
from pocketvision.jobs.runs.log import LOG
from pocketvision.train.checkpoint import Snapshot, load_checkpoint, save_checkpoint

PLAN, REPORT, START, PICK = "plan.json", "report.html", "start.safetensors", "pick.json"
# The trainings of a run, in order, with what they are called.
STAGES = {"main": "the training", "pick": "the pick's training", "all": "the epochs on all images"}
MAIN = "main"
Arrays = Mapping[str, NDArray[Any]]
CURVES = ("loss", "validation_loss", "validation_top1", "lr", "images_per_second")


class RunFolder:
    """model.onnx, plan.json, pick.json, start.safetensors, log.jsonl, a checkpoint folder a stage, elastic/, tensorboard/.

    Nothing is touched before the plan is made.

    Args:
        path: must not exist yet, be empty, or hold a run, which is then resumed.
        restart: a run that is there is moved aside instead.

    Raises:
        RunFolderInUse: something else is there.
        BadOption: the folder cannot be made there.
    """

    def __init__(self, path: str | Path, restart: bool = False) -> None:
        self.path = Path(path)
        is_run = bool(self.path.name) and (self.path / PLAN).exists()
        self._is_moved = is_run and restart
        self._is_begun = is_run and not restart
        if not is_run and _is_in_use(self.path):
            rule = f"; --restart moves only older runs, which have a {PLAN}" if restart else ""
            raise RunFolderInUse(
                f"{str(path)!r} exists and would be overwritten; a run needs a folder of its own{rule}.",
                f"-o {free_name(self.path)}",
            )
        home = next(folder for folder in (self.path.absolute(), *self.path.absolute().parents) if folder.exists())
        if not (home.is_dir() and os.access(home, os.W_OK | os.X_OK)):
            reason = "may not be written to" if home.is_dir() else "is a file"
            raise BadOption(f"{str(path)!r} cannot be made: {str(home)!r} {reason}.", "-o with another folder")
        self._board: Any = None
        self._lock: Any = None
        self._waiting: list[str] = []  # lines of the log, not yet written
        self.lines = 0  # of the log, on disk
        self.seconds = 0.0  # that the run had taken when it was last saved

    @property
    def model(self) -> Path:
        """Where the finished file goes."""
        return self.path / "model.onnx"

    def stage(self, name: str) -> Path:
        """Return the folder for the checkpoints of a stage."""
        return self.path / ("checkpoint" if name == MAIN else f"checkpoint_of_{name}")

    @property
    def state(self) -> str:
        """How far the run is: "new" (no plan yet), "begun", "written" (the file is there) or "finished" (its report, too)."""
        if not (self.is_open or self._is_begun):
            return "new"
        if not self.model.exists():
            return "begun"
        return "finished" if (self.path / REPORT).exists() else "written"

    @property
    def is_open(self) -> bool:
        """Whether this job has written, or resumed, in the folder."""
        return self._board is not None

    @property
    def is_written(self) -> bool:
        """Whether this job has written the file, so that it ends as usual."""
        return self.is_open and self.model.exists()

    def read_plan(self) -> dict[str, Any]:
        """Return what `begin` wrote.

        Raises:
            BadData: it is damaged.
        """
        try:
            content: dict[str, Any] = json.loads((self.path / PLAN).read_bytes())
        except ValueError as error:
            raise self.damaged(str(error)) from error
        return content

    def keep_pick(self, network: str, plan: Mapping[str, Any]) -> None:
        """Write pick.json: which cut of an elastic network is trained further, and what was decided of that."""
        write_atomically(self.path / PICK, json.dumps({"network": network, "plan": plan}, indent=1).encode())

    def read_pick(self, network: str | None = None) -> dict[str, Any]:
        """Return the plan in pick.json; nothing where it is not there, damaged, or of another network than that one."""
        try:
            content = json.loads((self.path / PICK).read_bytes())
            return dict(content["plan"]) if network in (None, content["network"]) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def damaged(self, why: str) -> BadData:
        """Return the error for a plan.json that cannot be used."""
        return BadData(
            f"{str(self.path / PLAN)!r} is damaged: {why}.", "the same command with --restart, to start over"
        )

    def refuse(self, why: str) -> RunFolderInUse:
        """Return the error for a run that is there and cannot be resumed."""
        done = "a finished run" if self.state == "finished" else "a run"
        return RunFolderInUse(
            f"{str(self.path)!r} holds {done} {why}.",
            f"-o {free_name(self.path)}, or --restart to move the old one aside",
        )

    def begin(self, plan: Mapping[str, Any], manifest: Manifest, start: Arrays | None = None) -> None:
        """Write manifest.json and plan.json: every image, every decision that was measured, and every option.

        From now on the log is written too. An older run is moved aside first. `start` are the weights that training starts
        from, where they are not initialised: the run is resumed without the file that they came from.
        """
        if self._is_moved:
            self._take_lock()  # another job may be at work there
            self.path.rename(free_name(self.path))
            self._lock.close()
            self._lock = None
        self.path.mkdir(parents=True, exist_ok=True)
        manifest.write(self.path)
        if start is not None:
            write_atomically(self.path / START, save_arrays(dict(start)))
        write_atomically(self.path / PLAN, json.dumps(plan, indent=1, ensure_ascii=False).encode())
        self._open(epoch=0)

    def origin(self) -> dict[str, Any]:
        """Return what files say of the device that they are for, and of the weights that training started from."""
        content = self.read_plan()
        return {"target": content["target"], "weights": content["start"]["weights"]}

    def read_start(self) -> Arrays:
        """Return the weights that training started from, as `begin` wrote them.

        Raises:
            BadData: they are missing or damaged.
        """
        path = self.path / START
        try:
            return load_arrays(path.read_bytes())
        except (OSError, SafetensorError) as error:
            raise BadData(
                f"{str(path)!r}, the weights that the run started from, cannot be read: {error}.",
                "the same command with --restart, to start over",
            ) from error

    def resume(self) -> None:
        """Open a run that was begun: its log becomes as long as it was at the newest checkpoint of the main stage that is whole.

        `seconds` becomes what the run had taken when it was last saved.

        Raises:
            RunFolderInUse: another process works in it.
        """
        self._take_lock()
        saved = self.saved()
        main: Mapping[str, Any] = saved[0][1] if saved else {"log_lines": 0, "closed": 0}
        self.lines = main["log_lines"]
        log = self.path / LOG
        kept = log.read_bytes().split(b"\n")[: self.lines] if log.exists() else []
        write_atomically(log, b"".join(line + b"\n" for line in kept if line))
        self._open(epoch=main["closed"])
        self.seconds = max((numbers["seconds"] for _, numbers in saved), default=0.0)

    def saved(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return how far each stage was saved: its name and its newest whole checkpoint's numbers, in order.

        A stage counts where those before it are done, as it started from their end.
        """
        found: list[tuple[str, Mapping[str, Any]]] = []
        for name in STAGES:
            snapshot = load_checkpoint(self.stage(name))
            if snapshot is not None:
                found.append((name, snapshot.numbers))
            if not found or found[-1][1]["done"] < found[-1][1]["total"]:
                break
        return found

    def save(self, stage: str, snapshot: Snapshot, seconds: float) -> None:
        """Write a checkpoint of a stage.

        Args:
            stage: its name.
            snapshot: of its training.
            seconds: that the run has taken so far.
        """
        numbers = {**snapshot.numbers, "seconds": seconds, "log_lines": self.lines}
        save_checkpoint(self.stage(stage), snapshot.numbers["done"], Snapshot(snapshot.tensors, numbers))

    def log(self, event: Event) -> None:
        """Append epochs, notes and figures to log.jsonl, and the curves to TensorBoard."""
        if not isinstance(event, Epoch | Note | Measured):
            return
        content = {"event": type(event).__name__.lower()} | asdict(event)
        self._waiting.append(json.dumps(content, ensure_ascii=False) + "\n")
        if self._board is None:
            return
        self._write_lines()
        if isinstance(event, Epoch):
            for name in CURVES:
                self._board.add_scalar(name, getattr(event, name), event.epoch)

    def close(self) -> None:
        """Bring the curves to disk; let others work here."""
        if self._board is not None:
            self._board.close()
        if self._lock is not None:
            self._lock.close()

    def _open(self, epoch: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._take_lock()
        self._board = SummaryWriter(str(self.path / "tensorboard"), purge_step=epoch + 1)
        self._write_lines()

    def _take_lock(self) -> None:
        """Hold plan.json for this process; the system releases it when the process ends, however that happens."""
        if self._lock is not None:
            return
        self._lock = (self.path / PLAN).open("rb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise RunFolderInUse(
                f"another process is at work in {str(self.path)!r}.", f"wait for it, or -o {free_name(self.path)}"
            ) from None

    def _write_lines(self) -> None:
        with (self.path / LOG).open("a", encoding="utf-8", errors="backslashreplace") as file:  # names may be no text
            file.writelines(self._waiting)
        self.lines += len(self._waiting)
        self._waiting.clear()


def _is_in_use(path: Path) -> bool:
    """Whether something is there, other than what was being written when a process was killed."""
    return path.exists() and (not path.is_dir() or any(not _is_part(entry) for entry in path.iterdir()))


def _is_part(path: Path) -> bool:
    return path.name in (MANIFEST, START) or (path.name.startswith(".") and path.suffix == ".part")


def free_name(path: Path) -> Path:
    """Return a name beside `path` that is not taken: run-2, run-3 ...; for "." and "/", which have no name, one inside."""
    number = 2
    while (candidate := path.parent / f"{path.name or 'run'}-{number}").exists():
        number += 1
    return candidate
