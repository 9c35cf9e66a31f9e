"""The torture itself: a quick round of it, and proof that it sees what is lost."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from system_calls import Call, unsafe_renames

from inspection import faults, leftovers, newest_step

SCRIPT = Path(__file__).with_name("torture.py")


@pytest.mark.slow
@pytest.mark.alone
def test_a_quick_round_loses_nothing(tmp_path):
    paths = os.pathsep.join(filter(None, [str(SCRIPT.parents[1]), os.environ.get("PYTHONPATH", "")]))
    words = ("--kills", "2", "--terms", "1", "--syscalls", "1", "--epochs", "20", "--page", tmp_path / "page.md")
    done = subprocess.run(
        [sys.executable, SCRIPT, *words],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "6 kills, 0 lost"
    page = (tmp_path / "page.md").read_text()
    assert "**6 kills, 0 lost.** 0 files got their final name before their content was on disk." in page
    assert str(Path.home()) not in page
    assert "torture-" not in page


def write_run(folder):
    """Write what a run leaves, without training: a plan, a log, a checkpoint."""
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    (folder / "log.jsonl").write_text('{"event": "note"}\n')
    (folder / "report.html").write_text("<html></html>\n")
    (folder / ".model.onnx.part").write_bytes(b"half")
    tensors = folder / "checkpoint" / "00000007.safetensors"
    save_file({"weight": np.ones(1000, np.float32)}, tensors)

    digest = hashlib.sha256(tensors.read_bytes()).hexdigest()
    tensors.with_suffix(".json").write_text(json.dumps({"sha256": digest}))
    return folder


def test_a_whole_run_has_no_faults(tmp_path):
    folder = write_run(tmp_path / "run")
    assert (faults(folder), newest_step(folder), leftovers(folder)) == ([], 7, [".model.onnx.part"])
    assert (faults(tmp_path / "none"), newest_step(tmp_path / "none")) == ([], None)


@pytest.mark.parametrize("name", ["plan.json", "log.jsonl", "report.html", "checkpoint/00000007.safetensors"])
def test_a_file_that_is_cut_short_is_a_fault(name, tmp_path):
    folder = write_run(tmp_path / "run")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    (fault,) = faults(folder)
    assert fault.startswith(f"{Path(name).name}: ")


def test_half_a_model_and_an_unknown_file_are_faults(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "model.onnx").write_bytes(b"half")
    (folder / "core").write_bytes(b"")
    assert [fault.split(":")[0] for fault in faults(folder)] == ["core", "model.onnx"]


def test_a_checkpoint_whose_files_do_not_belong_together_does_not_count(tmp_path):
    folder = write_run(tmp_path / "run")
    save_file({"weight": np.zeros(1000, np.float32)}, folder / "checkpoint" / "00000007.safetensors")
    assert newest_step(folder) is None


def test_a_name_that_is_given_too_early_is_found():
    def calls(*names):
        return [Call(name, ("/a.part", "/a") if name == "rename" else ("/a.part",), 1, True) for name in names]

    assert unsafe_renames(calls("openat", "write", "fsync", "rename")) == []
    assert unsafe_renames(calls("openat", "write", "rename")) == ["a"]
    assert unsafe_renames(calls("openat", "write", "fsync", "write", "rename", "fsync")) == ["a"]
