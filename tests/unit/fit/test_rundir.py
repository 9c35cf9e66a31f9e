"""The run folder: nothing that was there is overwritten, and nothing is written before the plan."""

import json

import pytest

from pocketvision.errors import BadOption, RunFolderInUse
from pocketvision.events import Epoch, Measured, Note, Progress
from pocketvision.fit.rundir import RunFolder, free_name

EPOCH = Epoch(epoch=1, epochs=2, loss=1, validation_loss=1, validation_top1=0, lr=0, seconds=1, images_per_second=1)


def refusal(path, **options):
    with pytest.raises(RunFolderInUse) as caught:
        RunFolder(path, **options)
    return str(caught.value)


def test_the_log_waits_for_the_plan(tmp_path):
    run = RunFolder(tmp_path / "deep" / "run")
    run.log(Note("first"))
    assert list(tmp_path.iterdir()) == []
    run.write_plan({"é": 1})
    assert json.loads((run.path / "plan.json").read_text(encoding="utf-8")) == {"é": 1}
    for event in (Progress("decoding", 1, 2), EPOCH, Measured("top-1", 0.5)):
        run.log(event)
    run.close()
    lines = (run.path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["note", "epoch", "measured"]
    assert len(list((run.path / "tensorboard").iterdir())) == 1


def test_an_empty_folder_will_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RunFolder(".").write_plan({})
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


def test_an_older_run_is_refused_or_moved_aside_with_the_new_plan(tmp_path):
    path = tmp_path / "run"
    RunFolder(path).write_plan({"old": 1})
    (path / "model.onnx").touch()
    assert refusal(path) == (
        f"'{path}' exists with a finished model and would be overwritten; a run needs a folder of its own. "
        f"Try: -o {path}-2, or --restart to move the old one aside"
    )
    run = RunFolder(path, restart=True)
    assert run.model.exists()
    run.write_plan({"new": 1})
    assert not run.model.exists()
    assert json.loads((path / "plan.json").read_text()) == {"new": 1}
    assert json.loads((tmp_path / "run-2" / "plan.json").read_text()) == {"old": 1}


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
