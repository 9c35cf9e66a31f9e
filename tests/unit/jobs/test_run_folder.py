"""The run folder: nothing that was there is overwritten, and nothing is written before the plan."""

import json

import pytest
import torch

from pocketvision.data.manifest import Manifest, Row, read_manifest
from pocketvision.errors import BadData, BadOption, RunFolderInUse
from pocketvision.events import Epoch, Measured, Note, Progress
from pocketvision.jobs.runs.folder import RunFolder, free_name
from pocketvision.jobs.runs.log import read_minutes
from pocketvision.train.checkpoint import Snapshot

EPOCH = Epoch(epoch=1, epochs=2, loss=1, validation_loss=1, validation_top1=0, lr=0, seconds=1, images_per_second=1)


IMAGES = Manifest("made up", (Row("a/1.jpg", "0" * 64, 10, "a", None, "train"),))


def refusal(path, **options):
    with pytest.raises(RunFolderInUse) as caught:
        RunFolder(path, **options)
    return str(caught.value)


def test_the_log_waits_for_the_plan(tmp_path):
    run = RunFolder(tmp_path / "deep" / "run")
    run.log(Note("first"))
    assert list(tmp_path.iterdir()) == []
    run.begin({"é": 1}, IMAGES)
    assert json.loads((run.path / "plan.json").read_text(encoding="utf-8")) == {"é": 1}
    for event in (Progress("decoding", 1, 2), EPOCH, Measured("top-1", 0.5)):
        run.log(event)
    run.close()
    lines = (run.path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["note", "epoch", "measured"]
    assert len(list((run.path / "tensorboard").iterdir())) == 1


def test_an_empty_folder_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunFolder(".")
    run.begin({}, IMAGES)
    run.close()
    assert (tmp_path / "plan.json").exists()


def test_what_is_in_use_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    (tmp_path / "photos-2").mkdir()
    rule = "a run needs a folder of its own"
    assert refusal("photos") == f"'photos' exists and would be overwritten; {rule}. Try: -o photos-3"
    assert refusal(".") == f"'.' exists and would be overwritten; {rule}. Try: -o run-2"
    assert refusal("photos/a.jpg") == (
        f"'photos/a.jpg' exists and would be overwritten; {rule}. Try: -o photos/a.jpg-2"
    )
    assert refusal("photos", restart=True) == (
        f"'photos' exists and would be overwritten; {rule}; --restart moves only older runs, which have a plan.json. "
        "Try: -o photos-3"
    )


def test_an_older_run_is_gone_on_with_or_moved_aside_with_the_new_plan(tmp_path):
    path = tmp_path / "run"
    older = RunFolder(path)
    assert older.state == "new"
    older.begin({"old": 1}, IMAGES)
    older.close()
    assert read_manifest(path) == IMAGES
    (path / "model.onnx").touch()
    assert RunFolder(path).state == "written", "killed before its report"
    (path / "report.html").touch()
    again = RunFolder(path)
    assert again.state == "finished" and again.read_plan() == {"old": 1}
    assert str(again.refuse("with other options: epochs 3, not 5")) == (
        f"'{path}' holds a finished run with other options: epochs 3, not 5. "
        f"Try: -o {path}-2, or --restart to move the old one aside"
    )
    run = RunFolder(path, restart=True)
    assert run.model.exists() and run.state == "new"
    run.begin({"new": 1}, IMAGES)
    run.close()
    assert not run.model.exists()
    assert json.loads((path / "plan.json").read_text()) == {"new": 1}
    assert json.loads((tmp_path / "run-2" / "plan.json").read_text()) == {"old": 1}


def test_what_a_process_left_that_was_killed_before_its_plan_is_no_obstacle(tmp_path):
    (tmp_path / ".plan.json.part").write_bytes(b"{")
    IMAGES.write(tmp_path)
    assert RunFolder(tmp_path).state == "new"


def test_two_processes_do_not_work_in_one_folder(tmp_path):
    first, second = RunFolder(tmp_path / "run"), None
    first.begin({}, IMAGES)
    second = RunFolder(tmp_path / "run")
    with pytest.raises(RunFolderInUse) as caught:
        second.resume()
    assert str(caught.value) == (
        f"another process is at work in '{tmp_path / 'run'}'. Try: wait for it, or -o {tmp_path / 'run-2'}"
    )
    first.close()
    second.close()
    third = RunFolder(tmp_path / "run")
    third.resume()
    assert (third.state, third.seconds, third.saved()) == ("begun", 0.0, [])
    third.close()


def test_the_log_becomes_as_long_as_it_was_at_the_checkpoint(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.log(Note("one"))
    run.begin({}, IMAGES)
    run.log(Note("two"))
    run.save("main", Snapshot({"a": torch.zeros(1)}, {"closed": 1, "done": 5, "total": 9}), seconds=2.5)
    run.log(Note("lost"))
    run.close()
    with (tmp_path / "run" / "log.jsonl").open("a") as log:
        log.write('{"torn')

    again = RunFolder(tmp_path / "run")
    again.log(Note("reading"))
    again.resume()
    assert again.saved() == [("main", {"closed": 1, "done": 5, "total": 9, "seconds": 2.5, "log_lines": 2})]
    assert again.seconds == 2.5
    again.log(Note("three"))
    again.close()
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one", "two", "reading", "three"]


@pytest.mark.parametrize(("done", "seconds"), [(9, 7.0), (5, 2.5)])
def test_the_time_of_what_came_after_counts_where_that_still_holds(done, seconds, tmp_path):
    """Where the training was not done, what went on from its end is of no use."""
    run = RunFolder(tmp_path / "run")
    run.begin({}, IMAGES)
    for stage, steps, took in (("main", done, 2.5), ("all", 3, 7.0)):
        run.save(stage, Snapshot({"a": torch.zeros(1)}, {"closed": 1, "done": steps, "total": 9}), took)
    run.close()
    again = RunFolder(tmp_path / "run")
    again.resume()
    again.close()
    assert again.seconds == seconds


def test_minutes_are_read_from_the_log(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert read_minutes(run.path) == 0
    run.begin({}, IMAGES)
    for event in (Note("a"), Measured("top-1", 0.5), Measured("minutes", 1.25)):
        run.log(event)
    run.close()
    assert read_minutes(run.path) == 1.25


def test_a_folder_that_cannot_be_made_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "run"
    with pytest.raises(BadOption) as caught:
        RunFolder(path)
    assert str(caught.value) == f"'{path}' cannot be made: '{tmp_path / 'file'}' is a file. Try: -o with another folder"

    monkeypatch.setattr("os.access", lambda *arguments: False)
    with pytest.raises(BadOption) as caught:
        RunFolder(tmp_path / "a" / "b")
    assert str(caught.value) == (
        f"'{tmp_path / 'a' / 'b'}' cannot be made: '{tmp_path}' may not be written to. Try: -o with another folder"
    )


def test_free_names(tmp_path):
    assert free_name(tmp_path / "run") == tmp_path / "run-2"
    (tmp_path / "run-2").touch()
    assert free_name(tmp_path / "run") == tmp_path / "run-3"


def test_restart_leaves_a_run_alone_in_which_another_job_works(tmp_path):
    working = RunFolder(tmp_path / "run")
    working.begin({}, IMAGES)
    other = RunFolder(tmp_path / "run", restart=True)
    with pytest.raises(
        RunFolderInUse, match=r"^another process is at work in '.*run'\. Try: wait for it, or -o .*run-2$"
    ):
        other.begin({}, IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    working.close()
    again = RunFolder(tmp_path / "run", restart=True)
    again.begin({"new": 1}, IMAGES)
    assert (again.read_plan(), again.is_open) == ({"new": 1}, True)
    again.close()


def test_a_name_with_a_line_separator_or_no_text_in_it_does_not_break_the_log(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin({}, IMAGES)
    run.log(Note("a\u2028b\x85c\udce9.jpg"))
    run.log(Measured("minutes", 2.5))
    run.close()
    assert read_minutes(run.path) == 2.5
    again = RunFolder(tmp_path / "run")
    again.resume()
    again.close()


def test_a_damaged_plan_is_named(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.begin({}, IMAGES)
    run.close()
    (run.path / "plan.json").write_text("{")
    with pytest.raises(BadData, match=r"plan\.json' is damaged: Expecting .* Try: the same command with --restart"):
        RunFolder(tmp_path / "run").read_plan()
