"""Ctrl-C: exit code 130, one sentence that says how far it got, a checkpoint that loads, and no model."""

import json
import re
import signal
import time

import numpy as np
import pytest

from commandline import SMALL, pocketvision, start_program
from pocketvision.errors import Interrupted
from pocketvision.events import Epoch, Measured, Step
from pocketvision.fit.call import fit
from pocketvision.model.network import build
from pocketvision.model.resolve import resolve
from pocketvision.train.checkpoint import load_checkpoint

pytestmark = pytest.mark.alone
OPTIONS = {"epochs": 2, "width": 0.25, "resolution": 32, "batch_size": 4}  # six steps an epoch


def stop_at(kind, number=1):
    """Return a listener that sends SIGINT once, at the given event of a kind."""
    seen = []

    def listen(event):
        seen.append(isinstance(event, kind))
        if seen[-1] and sum(seen) == number:
            signal.raise_signal(signal.SIGINT)

    return listen


def test_in_the_middle_of_an_epoch(photos, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted) as stopped:
        fit(photos, folder, on_event=stop_at(Step, number=8), **OPTIONS)
    assert str(stopped.value) == (
        f"stopped in epoch 2 of 2, after step 3 of 6; the averaged weights are in {folder / 'checkpoint'}. "
        "Try: the same command with --restart, to start over"
    )
    assert not (folder / "model.onnx").exists()

    weights, state = load_checkpoint(folder / "checkpoint")
    assert state == {"epoch": 1, "step": 3, "epochs": 2, "steps": 6}
    name = json.loads((folder / "plan.json").read_text())["model"]
    network = build(resolve(name["family"], width=0.25, resolution=32, classes=3, output_stride=name["output_stride"]))
    expected = network.arrays()
    assert weights.keys() == expected.keys()
    assert all(weights[key].shape == expected[key].shape and np.isfinite(weights[key]).all() for key in expected)


def test_between_the_last_epoch_and_the_file(photos, tmp_path):
    with pytest.raises(Interrupted, match="stopped after training, before the file was written; the averaged"):
        fit(photos, tmp_path / "run", on_event=stop_at(Epoch, number=2), **OPTIONS)
    assert not (tmp_path / "run" / "model.onnx").exists()


def test_when_the_file_is_there_the_job_ends_as_usual(photos, tmp_path):
    finished = fit(photos, tmp_path / "run", on_event=stop_at(Measured), **OPTIONS)
    assert pocketvision("verify", finished.model).code == 0


def test_before_training_leaves_nothing_and_the_same_command_works(photos, tmp_path):
    with pytest.raises(Interrupted) as stopped:
        fit(photos, tmp_path / "run", on_event=stop_at(object), **OPTIONS)
    assert str(stopped.value) == ("stopped before training began; nothing was trained. Try: the same command again")
    assert not (tmp_path / "run").exists()
    assert fit(photos, tmp_path / "run", **OPTIONS).model.exists()


def test_the_handlers_of_the_program_are_put_back(photos, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        fit(photos, tmp_path / "run", on_event=stop_at(Step), **OPTIONS)
    with pytest.raises(ZeroDivisionError):  # of the listener's own
        fit(photos, tmp_path / "other", on_event=lambda event: 1 / 0, **OPTIONS)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def read_until(job, text):
    for line in job.stderr:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_then_the_same_command_again(number, photos, tmp_path):
    folder = tmp_path / "run"
    words = ("fit", photos, "--width", 0.25, "--resolution", 32, "--batch-size", 2, "-o", folder)
    job = start_program(*words, "--epochs", 10_000)
    read_until(job, "epoch 2/10000")
    job.send_signal(number)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert re.search(
        r"Interrupted: stopped in epoch \d+ of 10000, after step \d+ of 12; the averaged weights are in", err
    )
    assert "Traceback" not in err
    assert load_checkpoint(folder / "checkpoint")[1]["epochs"] == 10_000
    assert not (folder / "model.onnx").exists()

    again = pocketvision(*words, "--epochs", 1)
    assert (again.code, again.out) == (2, "")
    assert again.err == (
        f"RunFolderInUse: '{folder}' exists and would be overwritten; a run needs a folder of its own. "
        f"Try: -o {folder}-2, or --restart to move the old one aside\n"
    )

    restarted = pocketvision(*words, "--epochs", 1, "--restart")
    assert restarted.code == 0, restarted.err
    assert (folder / "model.onnx").exists()
    assert not (folder / "checkpoint").exists()
    assert load_checkpoint(tmp_path / "run-2" / "checkpoint")[1]["epochs"] == 10_000


def test_a_process_that_is_still_loading(photos, tmp_path):
    job = start_program("fit", photos, *SMALL[:-1], 10_000, "-o", tmp_path / "run")
    time.sleep(1.0)  # Python and the command line are up; torch is on its way, or was just loaded
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert re.search(r"^Interrupted: stopped (by Ctrl-C\.|before training began|in epoch)", err, re.MULTILINE)
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "model.onnx").exists()


def test_predict_waiting_for_stdin(model):
    job = start_program("predict", model, "-", stdin=-1)
    time.sleep(2.0)
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out, err) == (130, "", "Interrupted: stopped by Ctrl-C.\n")
