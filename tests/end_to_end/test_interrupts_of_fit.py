"""Ctrl-C: exit code 130, one sentence that says how far it got, a checkpoint, and the same command goes on from there."""

import json
import os
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from commandline import SMALL, TWO_EPOCHS, Outcome, pocketvision, start_program, words_of
from inspection import weights
from jobs import stop_at
from pocketvision.call import fit
from pocketvision.data.geometry import Augmentation
from pocketvision.errors import BadData, Interrupted, RunFolderInUse
from pocketvision.events import Epoch, Measured, Note, Progress, Step
from pocketvision.model.kernels.library import find_kernels
from pocketvision.train.checkpoint import load_checkpoint
from pocketvision.train.recipe import RECIPES
from troubles import listing

CAUGHT = (signal.SIGINT, signal.SIGTERM)


def handlers():
    return [signal.getsignal(number) for number in CAUGHT]


@pytest.fixture
def stopped(photos, tmp_path):
    """The folder of a run that was stopped in its first epoch."""
    with pytest.raises(Interrupted):
        fit(photos, tmp_path / "run", on_event=stop_at(Step, number=3), **TWO_EPOCHS)
    return tmp_path / "run"


def test_before_training_nothing_is_left(photos, tmp_path):
    with pytest.raises(Interrupted, match="nothing was trained"):
        fit(photos, tmp_path / "run", on_event=stop_at(object), **TWO_EPOCHS)
    assert not (tmp_path / "run").exists()


# where a run is stopped, again and again, and how far it says that it got
STOPS = (
    (Progress, "decoding test", "epoch 1 of 2 of the training, after step 1 of 6"),
    (Step, "", "epoch 1 of 2 of the training, after step 2 of 6"),
    (Progress, "validating", "epoch 1 of 2 of the training, after step 6 of 6"),
    (Epoch, "", "epoch 2 of 2 of the training, after step 0 of 6"),
    (Step, "", "epoch 2 of 2 of the training, after step 1 of 6"),
    (Epoch, "", "after the training"),
    (Note, "Judging", "after the training"),
)


def test_stopped_in_every_phase_a_run_ends_with_the_same_weights(photos, whole, tmp_path):
    folder, before = tmp_path / "run", handlers()
    for kind, text, reached in STOPS:
        with pytest.raises(Interrupted, match=reached) as caught:
            fit(photos, folder, on_event=stop_at(kind, text), **TWO_EPOCHS)
        assert caught.value.attempt and handlers() == before
        assert not (folder / "model.onnx").exists()
    finished = fit(photos, folder, on_event=stop_at(Measured), **TWO_EPOCHS)  # the file is there: too late to stop
    assert pocketvision("verify", finished.model).code == 0 and handlers() == before
    assert weights(folder) == weights(whole)
    logged = [line for line in (folder / "log.jsonl").read_text().splitlines() if '"event": "epoch"' in line]
    assert len(logged) == 2, "each epoch once"
    assert len(list((folder / "checkpoint").iterdir())) <= 4


def test_an_error_in_the_listener_puts_the_handlers_back_too(photos, tmp_path):
    before = handlers()
    with pytest.raises(ZeroDivisionError):
        fit(photos, tmp_path / "run", on_event=lambda event: 1 / 0, **TWO_EPOCHS)
    assert handlers() == before


def said_before_training(photos, folder):
    said, stop = [], stop_at(Step)

    def listen(event):
        said.append(getattr(event, "text", ""))
        stop(event)

    with pytest.raises(Interrupted):
        fit(photos, folder, on_event=listen, **TWO_EPOCHS)
    return "\n".join(said)


def test_a_compiler_that_came_or_went_is_said(stopped, photos, tmp_path, monkeypatch):
    """Kernels and torch differ in the last digits; a run that goes on without says so, and so does one that begins without."""
    assert json.loads((stopped / "plan.json").read_text())["kernels"]
    monkeypatch.setenv("CC", "no-such-compiler")
    find_kernels.cache_clear()
    try:
        assert "was begun with C kernels" in said_before_training(photos, stopped)
        assert "there is no C compiler 'no-such-compiler'" in said_before_training(photos, tmp_path / "other")
    finally:
        find_kernels.cache_clear()


def test_resumed_after_a_release_with_other_recipes_a_run_ends_with_the_weights_it_would_have_had(
    stopped, photos, whole, monkeypatch
):
    for name, recipe in RECIPES.items():
        other = replace(recipe, optimizer="sgd", lr=7.0, momentum=0.0, warmup=0.9, label_smoothing=0.3, ema=None)
        monkeypatch.setitem(
            RECIPES, name, replace(other, augmentation=Augmentation(), small_augmentation=Augmentation())
        )
    fit(photos, stopped, **TWO_EPOCHS)
    assert weights(stopped) == weights(whole)


def test_a_plan_that_lost_a_value_is_named_and_kept(stopped, photos):
    plan = stopped / "plan.json"
    content = json.loads(plan.read_text())
    for outer, inner, why in (
        ("recipe", "lr", r"'lr'"),
        ("model", "width", r"'width'"),
        ("augmentation", None, "None"),
    ):
        lost = content | {outer: {k: v for k, v in content[outer].items() if k != inner} if inner else None}
        plan.write_text(json.dumps(lost))
        before = listing(stopped / "checkpoint")
        with pytest.raises(BadData, match=rf"plan\.json' is damaged: .*{why}.* Try: the same command with --restart"):
            fit(photos, stopped, **TWO_EPOCHS)
        assert json.loads(plan.read_text()) == lost and listing(stopped / "checkpoint") == before


def test_other_options_are_refused(stopped, photos):
    before = listing(stopped)
    other = pocketvision("fit", photos, *words_of(TWO_EPOCHS | {"epochs": 3, "seed": 1}), "-o", stopped)
    assert (other.code, other.out) == (2, "")
    assert other.last_line.startswith(f"RunFolderInUse: '{stopped}' ")
    assert "epochs 2, not 3; seed 0, not 1" in other.last_line
    assert f"Try: -o {stopped}-2, or --restart" in other.last_line
    assert listing(stopped) == before


def test_other_images_are_refused_and_named(stopped, photos, tmp_path):
    images, before = shutil.copytree(photos, tmp_path / "photos"), listing(stopped)
    removed = sorted((images / "cat").iterdir())[0]
    removed.unlink()
    with pytest.raises(RunFolderInUse, match=f"1 image removed: 'cat/{removed.name}'"):
        fit(images, stopped, **TWO_EPOCHS)
    assert listing(stopped) == before


def test_killed_before_the_report_it_is_written_again(photos, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    for name in ("report.html", "report.json"):
        (folder / name).unlink()
    fit(photos, folder, **TWO_EPOCHS)
    assert weights(folder) == weights(whole) and (folder / "report.html").exists()


def test_a_finished_run_says_so_and_what_came_out(training: tuple[Outcome, Path], photos):
    first, folder = training
    before = listing(folder)
    again = pocketvision("fit", photos, *SMALL, "--batch-size", 8, "-o", folder)
    assert again.code == 0 and again.out == first.out
    assert f"{folder / 'model.onnx'} is finished" in again.err and "--restart" in again.err
    assert listing(folder) == before


def read_until(job, text):
    for line in job.stderr:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said")


@pytest.mark.alone  # counts seconds
def test_a_process_is_stopped_in_seconds(photos, tmp_path):
    folder = tmp_path / "run"
    job = start_program("fit", photos, *words_of(TWO_EPOCHS | {"epochs": 10_000}), "-o", folder)
    read_until(job, "epoch 2/10000")
    job.terminate()
    began = time.monotonic()
    out, err = job.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert (job.returncode, out) == (130, "")
    assert re.search(r"Interrupted: .* epoch \d+ of 10000 .*after step \d+ of 6", err)
    assert "Traceback" not in err
    assert load_checkpoint(folder / "checkpoint").numbers["done"] >= 6
    assert not (folder / "model.onnx").exists()


def test_killed_between_two_checkpoints(photos, tmp_path, whole, monkeypatch):
    """As by a power failure: what was saved last is taken up."""
    folder = tmp_path / "run"
    monkeypatch.setenv("POCKETVISION_CHECKPOINT_SECONDS", "0")
    words = ("fit", photos, *words_of(TWO_EPOCHS), "-o", folder)
    job = start_program(*words, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while not (folder / "checkpoint").is_dir() or load_checkpoint(folder / "checkpoint") is None:
        time.sleep(0.01)
        assert job.poll() is None, job.communicate()
    job.kill()
    job.communicate(timeout=60)
    again = pocketvision(*words)
    assert again.code == 0, again.err
    assert "Resuming" in again.err
    assert weights(folder) == weights(whole)


@pytest.mark.parametrize("number", CAUGHT)
def test_a_process_that_is_still_loading(number, photos, tmp_path):
    job = start_program("fit", photos, *SMALL, "-o", tmp_path / "run")
    while "libtorch" not in Path(f"/proc/{job.pid}/maps").read_text():
        assert job.poll() is None, job.communicate()
        time.sleep(0.01)
    job.send_signal(number)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert err.startswith("Interrupted: ") and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", CAUGHT)
def test_predict_waiting_for_stdin(number, model):
    job = start_program("predict", model, "-", stdin=-1)
    while Path(f"/proc/{job.pid}/syscall").read_text().split()[1:2] != ["0x0"]:  # until it waits for file 0
        assert job.poll() is None, job.communicate()
        time.sleep(0.01)
    job.send_signal(number)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (130, "")
    assert err.startswith("Interrupted: ") and len(err.splitlines()) == 1
