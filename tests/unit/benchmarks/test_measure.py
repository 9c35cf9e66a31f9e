import json
import subprocess
import sys
import time
from functools import partial

import measure
import pytest

NAME = "startup_amd-epyc-2-cores_2026-11-25.json"


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """One device, day and commit, whatever the machine."""
    monkeypatch.setattr(measure, "device", lambda: "AMD EPYC, 2 cores")
    monkeypatch.setattr(measure, "today", lambda: "2026-11-25")
    monkeypatch.setattr(measure, "commit", lambda: "abc1234")


def git(folder, *words):
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def never():
    raise AssertionError("measured again")


def test_the_file_says_question_device_and_date():
    assert measure.file_name("startup", "2026-11-25") == NAME
    assert measure.file_name("startup", "2026-11-25", "6min") == NAME.replace(".json", "_6min.json")


def test_the_commit_has_a_plus_where_src_differs(tmp_path, monkeypatch):
    monkeypatch.undo()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = measure.commit(tmp_path)
    assert len(clean) >= 7
    assert "+" not in clean
    (tmp_path / "notes.md").write_text("beside src")
    assert measure.commit(tmp_path) == clean
    (tmp_path / "src" / "new.py").write_text("")
    assert measure.commit(tmp_path) == f"{clean}+"


def test_a_cell_is_on_disk_when_it_is_done(tmp_path):
    results = measure.Results("startup", ("numpy",), folder=tmp_path)
    assert results.cell("first", lambda: {"median_ms": 2.0}) == {"median_ms": 2.0}
    content = json.loads((tmp_path / NAME).read_text())
    assert content["cells"] == {"first": {"median_ms": 2.0}}
    assert content["device"] == "AMD EPYC, 2 cores"
    assert content["commit"] == "abc1234"
    assert set(content["versions"]) == {"pocketvision", "numpy", "python"}
    assert not content["is_finished"]


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    stopped = measure.Results("startup", folder=tmp_path)
    stopped.cell("first", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        stopped.cell("second", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    results = measure.Results("startup", folder=tmp_path)
    assert results.cell("first", never) == 1
    assert results.cell("second", lambda: 2) == 2
    results.finish({"sum": 3})
    content = json.loads((tmp_path / NAME).read_text())
    assert content["cells"] == {"first": 1, "second": 2}
    assert content["summary"] == {"sum": 3}


def test_what_is_finished_is_said_to_be_there(tmp_path, capsys):
    measure.Results("startup", folder=tmp_path).finish({})
    capsys.readouterr()
    assert measure.Results("startup", folder=tmp_path).is_finished
    assert capsys.readouterr().out == f"{NAME}: there already\n"
    assert not measure.Results("startup", suffix="again", folder=tmp_path).is_finished


def test_cells_of_two_commits_do_not_mix(tmp_path, monkeypatch):
    measure.Results("startup", folder=tmp_path).cell("first", lambda: 1)
    monkeypatch.setattr(measure, "commit", lambda: "def5678")
    with pytest.raises(SystemExit) as caught:
        measure.Results("startup", folder=tmp_path)
    assert NAME in caught.value.code and "--suffix" in caught.value.code
    assert measure.Results("startup", suffix="again", folder=tmp_path).cell("first", lambda: 2) == 2


def test_a_finished_file_of_another_commit_is_left_alone(tmp_path, monkeypatch):
    measure.Results("startup", folder=tmp_path).finish({})
    monkeypatch.setattr(measure, "commit", lambda: "def5678")
    assert measure.Results("startup", folder=tmp_path).is_finished


def test_processes_take_turns_after_an_uncounted_round(tmp_path):
    mark = "import sys; open('order', 'a').write(sys.argv[1])"
    words = {name: [sys.executable, "-c", mark, name] for name in "ab"}
    found = measure.time_processes(words, rounds=1, folder=tmp_path)
    assert (tmp_path / "order").read_text() == "ab" * (1 + measure.FEWEST_ROUNDS)
    assert {timing["rounds"] for timing in found.values()} == {measure.FEWEST_ROUNDS}
    assert list(found) == ["a", "b"]


def test_calls_are_timed_as_the_probe_does():
    found = measure.time_calls({"sleep": lambda: partial(time.sleep, 0.01)}, seconds=0.01)
    assert set(found["sleep"]) == {"median_ms", "p95_ms", "noise_ms", "rounds"}


def test_measured_processes_start_without_python_settings(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    given = measure.environment()
    assert not [name for name in given if name.startswith("PYTHON")]
    assert (given["OMP_WAIT_POLICY"], given["GOMP_SPINCOUNT"]) == ("PASSIVE", "1000")


def test_the_noise_of_a_ratio_is_both_noises_together():
    ours, theirs = {"median_ms": 2.0, "noise_ms": 0.1}, {"median_ms": 8.0, "noise_ms": 0.4}
    assert measure.ratio(theirs, ours) == {"ratio": 4.0, "noise": 0.4}
