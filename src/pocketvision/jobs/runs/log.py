"""The log of a run, log.jsonl, read again."""

from pathlib import Path
from typing import Any

from pocketvision.events import Epoch
from pocketvision.files import read_json_lines

LOG = "log.jsonl"


def read_epochs(run: Path) -> list[Epoch]:
    """Return the epochs of a run. One that was trained again after an interruption counts once, as it went last."""
    found: dict[int, Epoch] = {}
    for content in _events(run):
        if content.pop("event", None) == "epoch":
            found[content["epoch"]] = Epoch(**content)
    return [found[number] for number in sorted(found)]


def read_minutes(run: Path) -> float:
    """Return what a finished run took; 0 where the log does not say."""
    return next((float(e["value"]) for e in _events(run) if e["event"] == "measured" and e["name"] == "minutes"), 0.0)


def _events(run: Path) -> list[dict[str, Any]]:
    log = run / LOG
    return read_json_lines(log.read_text(encoding="utf-8")) if log.exists() else []
