"""report.json and report.html in a run folder: written and read."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from pocketvision.errors import BadOption
from pocketvision.events import Note, Work
from pocketvision.files import check_out_path, write_atomically
from pocketvision.report.facts import VERSION, Facts
from pocketvision.report.page import render

FACTS, PAGE = "report.json", "report.html"
PLAN, MODEL = "plan.json", "model.onnx"  # what a run folder holds besides


def write_report(folder: Path, gather: Callable[[], Facts]) -> Work[None]:
    """Gather the facts; write report.json and report.html. A failure is only reported: the model is there."""
    try:
        facts = gather()
        write_atomically(folder / FACTS, facts.to_json())
        write_atomically(folder / PAGE, render(facts).encode())
    except Exception as error:
        yield Note(f"The report was not written, the model was: {type(error).__name__}: {error}")


def remake_report(folder: Path, page: Path | None = None) -> Path:
    """Make the page of a finished run again; return where it is.

    Args:
        folder: the run folder.
        page: where the page goes; None is report.html in the folder.

    Raises:
        BadOption: it is not a run folder, its run is not finished, or its report.json cannot be read.
    """
    facts, page = read_facts(folder), page or folder / PAGE
    check_out_path(page, example=PAGE)
    write_atomically(page, render(facts).encode())
    return page


def read_facts(folder: Path) -> Facts:
    """Return what a finished run's report.json holds.

    Raises:
        BadOption: see `remake_report`.
    """
    _require_finished_run(folder)
    try:
        return Facts.model_validate_json((folder / FACTS).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise BadOption(
            f"{str(folder / FACTS)!r} is not a report of version {VERSION}: {where}: {first['msg'].lower()}.",
            "the release of pocketvision that wrote it, or fit again",
        ) from error


def _require_finished_run(folder: Path) -> None:
    name = str(folder)
    if not folder.is_dir():
        is_what = "is a file" if folder.exists() else "does not exist"
        attempt = str(folder.parent) if (folder.parent / PLAN).exists() else "the folder given to pocketvision fit -o"
        raise BadOption(f"{name!r} {is_what}; a report is made from a run folder.", attempt)
    if not (folder / PLAN).exists():
        raise BadOption(f"{name!r} is not a run folder: it has no {PLAN}.", "the folder given to pocketvision fit -o")
    if not (folder / MODEL).exists():
        raise BadOption(
            f"the run in {name!r} is not finished: it has no {MODEL}, and only a finished run has a report.",
            "the command of that run again",
        )
    if not (folder / FACTS).exists():
        raise BadOption(
            f"{name!r} has no {FACTS}: its report could not be written.",
            "fit again, with --restart",
        )
