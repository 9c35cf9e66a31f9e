"""A disk that is full, broken, read-only or forbidden: it is said, nothing is lost, and the same command goes on."""

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from commandline import ONE_THREAD, PROGRAM, TWO_EPOCHS, pocketvision, words_of
from inspection import faults, leftovers, newest_step, weights
from pocketvision.events import Epoch, Progress, Step, Timed
from pocketvision.jobs.runs.folder import RunFolder
from troubles import listing

NOBODY = 65534
# another user, who may read all that root may: the interpreter may lie in root's home
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
READING = (
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture(autouse=True)
def _save_after_each_step(monkeypatch):
    monkeypatch.setenv("POCKETVISION_CHECKPOINT_SECONDS", "0")


@pytest.fixture
def disk(tmp_path):
    """A disk of 12 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, to mount a small disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], check=False).returncode != 0:
        pytest.skip("needs root that may mount; this one may not")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def when(monkeypatch):
    """Return a function: do something when an event comes for the nth time, before it is logged."""

    def when(action, kind, text="", number=1):
        log, seen = RunFolder.log, []

        def watched(self, event):
            said = getattr(event, "text", getattr(event, "work", getattr(event, "name", "")))
            if isinstance(event, kind) and text in said:
                seen.append(event)
                if len(seen) == number:
                    action()
            log(self, event)

        monkeypatch.setattr(RunFolder, "log", watched)

    return when


def command(photos, folder):
    return ("fit", photos, *words_of(TWO_EPOCHS), "-o", folder)


def fit(photos, folder):
    return pocketvision(*command(photos, folder))


def open_to_all(folder):
    """Let other users look into a test's folder: pytest keeps them out."""
    for place in (folder, *folder.parents):
        if place.owner() == "root" and "pytest-of-" in str(place):
            place.chmod(0o755)
    folder.chmod(0o755)


def fill(disk):
    """Leave not one byte."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def require_said(error, *words):
    """The last line says what failed, how far the run got, and what to try."""
    last = error.splitlines()[-1]
    assert last.startswith("DiskFailed: ") and " Try: " in last and "Traceback" not in error
    assert all(word in last for word in words), last


PHASES = {
    "before the first checkpoint": (Progress, "decoding test"),
    "in epoch 1 of 2 of the training, after step 6 of 6": (Epoch, ""),  # its curves are drawn by a thread of their own
    "after the training": (Timed, ""),
}


@pytest.mark.parametrize("reached", PHASES)
def test_the_disk_fills_up(reached, photos, disk, when, whole):
    folder = disk / "run"
    when(lambda: fill(disk), *PHASES[reached])
    outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (6, "")
    require_said(outcome.err, os.strerror(errno.ENOSPC), reached)
    assert not (folder / "model.onnx").exists()
    assert faults(folder) == leftovers(folder) == []
    before = newest_step(folder)
    still_full = fit(photos, folder)
    assert still_full.code == 6, still_full.err
    assert newest_step(folder) == before
    (disk / "filler").unlink()
    again = fit(photos, folder)
    assert again.code == 0, again.err
    assert weights(folder) == weights(whole)
    assert faults(folder) == leftovers(folder) == []


def test_no_room_from_the_start(photos, disk):
    fill(disk)
    outcome = fit(photos, disk / "run")
    assert (outcome.code, outcome.out) == (6, "")
    require_said(outcome.err, f"'{disk / 'run'}'", "0 MB are free")
    assert not (disk / "run").exists()


def test_the_disk_breaks(photos, tmp_path, monkeypatch, whole):
    """The third checkpoint meets an input/output error; the two before it stay."""
    folder, sync = tmp_path / "run", os.fsync

    def broken(number):
        if Path(f"/proc/self/fd/{number}").readlink().name == ".00000003.safetensors.part":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (6, "")
    require_said(outcome.err, os.strerror(errno.EIO), "of the training, after step 2 of 6", str(folder / "checkpoint"))
    assert faults(folder) == leftovers(folder) == []
    assert newest_step(folder) == 2
    again = fit(photos, folder)
    assert again.code == 0, again.err
    assert weights(folder) == weights(whole)


def require_refused(code, err, folder, refused):
    """A new or begun run is not as much as touched where it may not be written."""
    assert code == 2 and "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith(f"BadOption: '{folder}' ") and f"'{refused}'" in last and " Try: " in last


def test_the_disk_becomes_read_only(photos, disk, when):
    folder = disk / "run"
    remount = ["mount", "-o", "remount,ro", disk]
    when(lambda: subprocess.run(remount, check=True), Step, number=3)
    outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (6, "")
    require_said(outcome.err, "after step 2 of 6", str(folder / "checkpoint"))
    before = listing(folder)
    for wanted, refused in ((folder, folder), (disk / "other", disk)):
        again = fit(photos, wanted)
        require_refused(again.code, again.err, wanted, refused)
    assert listing(folder) == before
    assert faults(folder) == []


@needs_root
def test_another_users_folder(photos, tmp_path, when):
    """A run of root, gone on with by nobody."""
    folder = tmp_path / "run"
    open_to_all(tmp_path)
    when(lambda: signal.raise_signal(signal.SIGTERM), Step, number=3)
    assert fit(photos, folder).code == 130
    before = listing(folder)
    words = map(str, (*AS_NOBODY, *READING, *PROGRAM, *command(photos, folder)))
    done = subprocess.run(list(words), capture_output=True, text=True, env=ONE_THREAD, timeout=300, check=False)
    require_refused(done.returncode, done.stderr, folder, folder)
    assert done.stdout == "" and listing(folder) == before
