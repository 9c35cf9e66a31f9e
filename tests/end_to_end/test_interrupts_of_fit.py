"""Ctrl-C: exit code 130, one sentence that says how far it got, a checkpoint, and the same command goes on from there."""

import json
import os
import re
import shutil
import signal
import time

import pytest

from commandline import SMALL, pocketvision, start_program
from pocketvision.errors import Interrupted, RunFolderInUse
from pocketvision.events import Epoch, Measured, Note, Progress, Step
from pocketvision.jobs.call import fit
from pocketvision.model.kernels.library import find_kernels
from pocketvision.run.predictor import load
from pocketvision.train.checkpoint import load_checkpoint

alone = pytest.mark.alone  # what counts seconds, or races a process
# six steps an epoch; "auto" would measure which precision is faster
OPTIONS = {"epochs": 2, "width": 0.25, "resolution": 32, "batch_size": 4, "training_precision": "float32"}


def stop_at(kind, number=1, where=lambda event: True):
    """Return a listener that sends SIGINT once, at the given event of a kind."""
    seen = []

    def listen(event):
        seen.append(isinstance(event, kind) and where(event))
        if seen[-1] and sum(seen) == number:
            signal.raise_signal(signal.SIGINT)

    return listen


def weights(folder):
    return load(folder / "model.onnx").record.digests["initializers"]


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The weights of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    fit(photos, folder, **OPTIONS)
    return weights(folder)


GOES_ON = "Try: the same command, which goes on from there"


@pytest.mark.parametrize(
    ("listener", "reached"),
    [
        (stop_at(Step, 1), "in epoch 1 of 2, after step 1 of 6; saved in {}"),
        (stop_at(Step, 6), "in epoch 1 of 2, after step 6 of 6; saved in {}"),
        (stop_at(Progress, 1, lambda e: e.work == "validating"), "in epoch 1 of 2, after step 6 of 6; saved in {}"),
        (stop_at(Epoch, 1), "in epoch 2 of 2, after step 0 of 6; saved in {}"),
        (stop_at(Step, 9), "in epoch 2 of 2, after step 3 of 6; saved in {}"),
        (stop_at(Epoch, 2), "after training, before the file was written; the weights are in {}"),
        (
            stop_at(Note, 1, lambda e: e.text.startswith("Judging")),
            "after training, before the file was written; the weights are in {}",
        ),
    ],
)
def test_the_same_command_ends_with_the_same_weights(listener, reached, photos, whole, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted) as stopped:
        fit(photos, folder, on_event=listener, **OPTIONS)
    assert str(stopped.value) == f"stopped {reached.format(folder / 'checkpoint')}. {GOES_ON}"
    assert not (folder / "model.onnx").exists()
    epochs = []
    fit(photos, folder, on_event=lambda e: epochs.append(e.epoch) if isinstance(e, Epoch) else None, **OPTIONS)
    assert weights(folder) == whole
    logged = [line for line in (folder / "log.jsonl").read_text().splitlines() if '"event": "epoch"' in line]
    assert len(logged) == 2, "each epoch once"
    assert len(list((folder / "checkpoint").iterdir())) <= 4


def test_stopped_again_and_again(photos, whole, tmp_path):
    folder = tmp_path / "run"
    for _ in range(12):
        with pytest.raises(Interrupted):
            fit(photos, folder, on_event=stop_at(Step, 1), **OPTIONS)
    fit(photos, folder, **OPTIONS)
    assert weights(folder) == whole


def test_a_compiler_that_came_or_went_is_said(photos, tmp_path, monkeypatch):
    """Kernels and torch differ in the last digits; a run that goes on without says so, and so does one that begins without."""
    folder, said = tmp_path / "run", []
    with pytest.raises(Interrupted):
        fit(photos, folder, on_event=stop_at(Step, 3), **OPTIONS)
    assert json.loads((folder / "plan.json").read_text())["kernels"]
    monkeypatch.setenv("CC", "no-such-compiler")
    find_kernels.cache_clear()
    try:
        fit(photos, folder, on_event=lambda e: said.append(e.text) if isinstance(e, Note) else None, **OPTIONS)
        fit(
            photos,
            tmp_path / "other",
            on_event=lambda e: said.append(e.text) if isinstance(e, Note) else None,
            **OPTIONS,
        )
    finally:
        find_kernels.cache_clear()
    assert any("was begun with C kernels, and goes on without: the weights will differ" in text for text in said)
    assert (
        "Training does without C kernels, which make it up to twice as fast: there is no C compiler 'no-such-compiler'."
        in said
    )


def test_other_options_are_refused(photos, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        fit(photos, folder, on_event=stop_at(Step, 3), **OPTIONS)
    words = ("--width", 0.25, "--resolution", 32, "--batch-size", 4, "--training-precision", "float32", "-o", folder)
    other = pocketvision("fit", photos, *words, "--epochs", 3, "--seed", 1)
    advice = f"Try: -o {folder}-2, or --restart to move the old one aside\n"
    assert (other.code, other.out) == (2, "")
    assert other.last_line + "\n" == (
        f"RunFolderInUse: '{folder}' holds a run with other options: epochs 2, not 3; seed 0, not 1. {advice}"
    )


def test_other_images_are_refused_and_named(photos, tmp_path):
    folder, images = tmp_path / "run", shutil.copytree(photos, tmp_path / "photos")
    with pytest.raises(Interrupted):
        fit(images, folder, on_event=stop_at(Step, 3), **OPTIONS)
    removed = sorted((images / "cat").iterdir())[0]
    removed.rename(tmp_path / removed.name)
    with pytest.raises(RunFolderInUse) as caught:
        fit(images, folder, **OPTIONS)
    assert f"holds a run with other images; since then: 1 image removed: 'cat/{removed.name}'" in str(caught.value)
    (tmp_path / removed.name).rename(removed)
    assert fit(images, folder, **OPTIONS).model.exists()


def test_killed_before_the_report_it_is_written_again(photos, tmp_path):
    folder = tmp_path / "run"
    fit(photos, folder, **OPTIONS)
    before = weights(folder)
    for name in ("report.html", "report.json"):
        (folder / name).unlink()
    fit(photos, folder, **OPTIONS)
    assert weights(folder) == before and (folder / "report.html").exists()


def test_a_finished_run_says_so_and_what_came_out(photos, tmp_path):
    folder = tmp_path / "run"
    words = ("fit", photos, *SMALL, "-o", folder)
    first = pocketvision(*words)
    assert first.code == 0, first.err
    content = (folder / "model.onnx").read_bytes()
    again = pocketvision(*words)
    assert again.code == 0 and again.out == first.out
    assert f"{folder / 'model.onnx'} is finished; there is nothing left to do. --restart starts over." in again.err
    assert (folder / "model.onnx").read_bytes() == content


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


@alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_then_the_same_command_again(number, photos, tmp_path):
    folder = tmp_path / "run"
    words = ("fit", photos, "--width", 0.25, "--resolution", 32, "--batch-size", 2, "-o", folder)
    job = start_program(*words, "--epochs", 10_000)
    read_until(job, "epoch 2/10000")
    job.send_signal(number)
    began = time.monotonic()
    out, err = job.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert (job.returncode, out) == (130, "")
    assert re.search(r"Interrupted: stopped in epoch \d+ of 10000, after step \d+ of 12; saved in ", err)
    assert "Traceback" not in err
    reached = load_checkpoint(folder / "checkpoint").numbers["done"]
    assert reached >= 12 and not (folder / "model.onnx").exists()

    again = start_program(*words, "--epochs", 10_000)
    read_until(again, "Going on in")
    again.send_signal(number)
    again.communicate(timeout=60)
    assert load_checkpoint(folder / "checkpoint").numbers["done"] >= reached

    restarted = pocketvision(*words, "--epochs", 1, "--restart")
    assert restarted.code == 0, restarted.err
    assert (folder / "model.onnx").exists()
    assert load_checkpoint(tmp_path / "run-2" / "checkpoint").numbers["done"] >= reached


@alone
def test_killed_between_two_checkpoints(photos, tmp_path, whole, monkeypatch):
    """As by a power failure: what was saved last is taken up."""
    folder = tmp_path / "run"
    monkeypatch.setenv("POCKETVISION_CHECKPOINT_SECONDS", "0")
    options = [word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", value)]
    job = start_program("fit", photos, *options, "-o", folder, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not (folder / "checkpoint").is_dir() or load_checkpoint(folder / "checkpoint") is None:
        time.sleep(0.01)
        assert job.poll() is None, job.communicate()
    job.kill()
    job.communicate(timeout=60)
    again = pocketvision("fit", photos, *options, "-o", folder)
    assert again.code == 0, again.err
    assert weights(folder) == whole


@alone
def test_a_process_that_is_still_loading(photos, tmp_path):
    job = start_program("fit", photos, *SMALL[:-1], 10_000, "-o", tmp_path / "run")
    time.sleep(1.0)  # Python and the command line are up; torch is on its way, or was just loaded
    job.send_signal(signal.SIGINT)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert re.search(r"^Interrupted: stopped (by Ctrl-C\.|before training began|in epoch)", err, re.MULTILINE)
    assert "Traceback" not in err
    assert not (tmp_path / "run" / "model.onnx").exists()


@alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_predict_waiting_for_stdin(number, model):
    job = start_program("predict", model, "-", stdin=-1)
    time.sleep(2.0)
    job.send_signal(number)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out, err) == (130, "", "Interrupted: stopped by Ctrl-C.\n")
