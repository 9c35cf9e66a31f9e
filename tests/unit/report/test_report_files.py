"""pocketvision report: the page again, or what is missing."""

import pytest

from commandline import pocketvision
from pocketvision.errors import BadOption
from pocketvision.events import Note
from pocketvision.report.files import write_report
from pocketvision.report.page import render
from reports import made_facts


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("plan.json", "model.onnx"):
        (folder / name).touch()
    assert list(write_report(folder, made_facts)) == []
    return folder


def refused(*words):
    outcome = pocketvision("report", *words)
    assert (outcome.code, outcome.out) == (BadOption.exit_code, "")
    return outcome.last_line.removeprefix("BadOption: ")


def test_the_page_is_made_again_from_the_facts_alone(run):
    before = (run / "report.html").read_text()
    (run / "report.html").unlink()
    outcome = pocketvision("report", run)
    assert (outcome.code, outcome.out) == (0, f"report: {run / 'report.html'}\n")
    assert (run / "report.html").read_text() == before == render(made_facts())


def test_the_page_goes_where_it_is_asked_to(run, tmp_path):
    assert pocketvision("report", run, "-o", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text() == (run / "report.html").read_text()


def test_no_run_folder(run, tmp_path):
    where = "the folder given to pocketvision fit -o"
    gone, empty = tmp_path / "gone", tmp_path / "empty"
    empty.mkdir()
    assert refused(gone) == f"{str(gone)!r} does not exist; a report is made from a run folder. Try: {where}"
    assert refused(empty) == f"{str(empty)!r} is not a run folder: it has no plan.json. Try: {where}"
    model = run / "model.onnx"
    assert refused(model) == f"{str(model)!r} is a file; a report is made from a run folder. Try: {run}"


def test_a_run_that_is_not_finished(run):
    (run / "model.onnx").unlink()
    assert refused(run) == (
        f"the run in {str(run)!r} is not finished: it has no model.onnx, and only a finished run has a report. "
        "Try: the command of that run again"
    )


def test_a_run_without_facts(run):
    (run / "report.json").unlink()
    assert refused(run) == (
        f"{str(run)!r} has no report.json: its report could not be written. Try: fit again, with --restart"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the document: invalid json: eof while parsing a value at line 1 column 0."),
        ("{}", "network: field required."),
    ],
)
def test_facts_that_cannot_be_read(run, content, why):
    (run / "report.json").write_text(content)
    assert refused(run) == (
        f"{str(run / 'report.json')!r} is not a report of version 1: {why} "
        "Try: the release of pocketvision that wrote it, or fit again"
    )


def test_a_place_that_cannot_be_written_to(run, tmp_path):
    page = tmp_path / "no" / "page.html"
    assert refused(run, "-o", page) == (
        f"{str(page)!r} cannot be written: there is no such folder. Try: -o with another path"
    )
    assert refused(run, "-o", tmp_path) == (
        f"{str(tmp_path)!r} is a folder; the file needs a name of its own. Try: -o {tmp_path / 'report.html'}"
    )


def test_a_report_that_fails_is_said_and_loses_nothing(tmp_path):
    def gather():
        raise ValueError("no such figure")

    (note,) = write_report(tmp_path, gather)
    assert note == Note("The report was not written, the model was: ValueError: no such figure")
    (note,) = write_report(tmp_path / "gone", made_facts)
    assert note.text.startswith("The report was not written, the model was: FileNotFoundError: ")
    assert list(tmp_path.iterdir()) == []
