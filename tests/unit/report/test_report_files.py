"""pocketvision report: the page again, or what is missing."""

import pytest

from commandline import pocketvision
from pocketvision.errors import BadOption
from pocketvision.events import Note
from pocketvision.report.files import write_report
from pocketvision.report.page import render
from refusals import complained
from reports import made_facts


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("plan.json", "model.onnx"):
        (folder / name).touch()
    assert list(write_report(folder, made_facts)) == []
    return folder


def refuses(*words, named, attempt=None):
    complained(pocketvision("report", *words), BadOption, *named, attempt=attempt)


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
    gone, empty = tmp_path / "gone", tmp_path / "empty"
    empty.mkdir()
    refuses(gone, named=(gone, "exist"), attempt="pocketvision fit -o")
    refuses(empty, named=(empty, "plan.json"), attempt="pocketvision fit -o")
    refuses(run / "model.onnx", named=(run / "model.onnx", "file"), attempt=str(run))


@pytest.mark.parametrize("name", ["model.onnx", "report.json"])
def test_a_run_that_lacks_a_file(run, name):
    (run / name).unlink()
    refuses(run, named=(run, name))


@pytest.mark.parametrize(("content", "why"), [("", "line 1 column 0"), ("{}", "network: ")])
def test_facts_that_cannot_be_read(run, content, why):
    (run / "report.json").write_text(content)
    refuses(run, named=(run / "report.json", "version 1", why))


def test_a_place_that_cannot_be_written_to(run, tmp_path):
    page = tmp_path / "no" / "page.html"
    refuses(run, "-o", page, named=(page, page.parent))
    refuses(run, "-o", tmp_path, named=(tmp_path,), attempt=str(tmp_path / "report.html"))


def test_a_report_that_fails_is_said_and_loses_nothing(tmp_path):
    def gather():
        raise ValueError("no such figure")

    (note,) = write_report(tmp_path, gather)
    assert isinstance(note, Note) and note.text.endswith("ValueError: no such figure")
    (note,) = write_report(tmp_path / "gone", made_facts)
    assert "FileNotFoundError: " in note.text
    assert list(tmp_path.iterdir()) == []
