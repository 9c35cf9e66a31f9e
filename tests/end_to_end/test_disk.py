"""A disk that is full, broken, read-only or forbidden: it is said, nothing is lost, and the same command goes on."""

import errno
import os
import shutil
import signal
import subprocess

import pytest

from commandline import ONE_THREAD, PROGRAM, TWO_EPOCHS, pocketvision, start_program, words_of
from inspection import faults, leftovers, newest_step, weights
from pocketvision.events import Progress, Step, Timed
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
ENVIRONMENT = ONE_THREAD | {"POCKETVISION_CHECKPOINT_SECONDS": "0"}
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


def command(photos, folder, **changes):
    return ("fit", photos, *words_of(TWO_EPOCHS | changes), "-o", folder)


def fit(photos, folder):
    return pocketvision(*command(photos, folder))


def run(*words):
    """Run a process; return its exit code, stdout and stderr."""
    words = list(map(str, words))
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def read_until(job, text):
    for line in job.stderr:
        if text in line:
            return
    raise AssertionError(f"{text!r} was never said")


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
    "after training": (Timed, ""),
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


def test_the_disk_fills_up_under_a_process(photos, disk):
    """With the curves' own thread writing too."""
    folder = disk / "run"
    job = start_program(*command(photos, folder, epochs=10_000), env=ENVIRONMENT)
    read_until(job, "epoch 3/")
    fill(disk)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (6, "")
    require_said(err, os.strerror(errno.ENOSPC), "of 10000")
    assert faults(folder) == leftovers(folder) == []
    assert newest_step(folder) >= 12


def test_no_room_from_the_start(photos, disk):
    fill(disk)
    outcome = fit(photos, disk / "run")
    assert (outcome.code, outcome.out) == (6, "")
    require_said(outcome.err, f"'{disk / 'run'}'", "0 MB are free")
    assert not (disk / "run").exists()


def test_the_disk_breaks(photos, tmp_path, whole):
    """The third checkpoint meets an input/output error; the two before it stay."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to let a call fail")
    folder = tmp_path / "run"
    checkpoint = folder / "checkpoint"
    broken = ("strace", "-f", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:error=EIO")
    third = ("-P", checkpoint / "00000003.safetensors", "-P", checkpoint / ".00000003.safetensors.part")
    code, out, err = run(*broken, *third, *PROGRAM, *command(photos, folder))
    assert (code, out) == (6, "")
    require_said(err, os.strerror(errno.EIO), "epoch 1 of 2, after step 2 of 6", str(checkpoint))
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
    code, out, err = run(*AS_NOBODY, *READING, *PROGRAM, *command(photos, folder))
    require_refused(code, err, folder, folder)
    assert out == "" and listing(folder) == before
