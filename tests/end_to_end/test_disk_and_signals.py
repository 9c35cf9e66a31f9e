"""A disk that is full, broken, read-only or forbidden, and SIGTERM at any time: it is said, nothing is lost, and the same
command goes on.
"""

import errno
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from commandline import ONE_THREAD, PROGRAM, pocketvision, start_program
from inspection import faults, leftovers, newest_step
from pocketvision import load
from pocketvision.events import Epoch, Measured, Note, Progress, Step, Timed
from pocketvision.jobs.runs.folder import RunFolder

# six steps an epoch; "auto" would measure which precision is faster
OPTIONS = ("--width", 0.25, "--resolution", 32, "--batch-size", 4, "--training-precision", "float32", "--epochs", 2)
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
GOES_ON = "Try: free space or permission there, then the same command, which goes on from there"


@pytest.fixture(autouse=True)
def _save_after_each_step(monkeypatch):
    monkeypatch.setenv("POCKETVISION_CHECKPOINT_SECONDS", "0")


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    """The weights of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    outcome = fit(photos, folder)
    assert outcome.code == 0, outcome.err
    return weights(folder)


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


def fit(photos, folder, *more):
    return pocketvision("fit", photos, *OPTIONS, "-o", folder, *more)


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


def interrupt():
    signal.raise_signal(signal.SIGINT)


def terminate():
    signal.raise_signal(signal.SIGTERM)


def cannot_be_made(folder, refused):
    return f"BadOption: '{folder}' cannot be made: '{refused}' may not be written to. Try: -o with another folder"


def open_to_all(folder):
    """Let other users look into a test's folder: pytest keeps them out."""
    for place in (folder, *folder.parents):
        if place.owner() == "root" and "pytest-of-" in str(place):
            place.chmod(0o755)
    folder.chmod(0o755)


def weights(folder):
    return load(folder / "model.onnx").record.digests["initializers"]


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fill(disk):
    """Leave not one byte."""
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def check_that_it_goes_on(photos, folder, whole):
    again = fit(photos, folder)
    assert again.code == 0, again.err
    assert weights(folder) == whole
    assert faults(folder) == leftovers(folder) == []


PHASES = {
    "the plan is made": ((Progress, "decoding test"), "before the first checkpoint"),
    "training": ((Step, "", 3), "in epoch 1 of 2, after step 2 of 6; saved in {}"),
    "an epoch ends": ((Epoch, ""), "in epoch 1 of 2, after step 6 of 6; saved in {}"),
    "measuring": ((Timed, ""), "after training, before the file was written; the weights are in {}"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_the_disk_fills_up(phase, photos, disk, when, whole):
    event, reached = PHASES[phase]
    folder = disk / "run"
    when(lambda: fill(disk), *event)
    outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (6, "")
    last = outcome.last_line
    assert re.match(r"DiskFailed: the system says No space left on device( at '.+')?; stopped ", last), outcome.err
    assert last.endswith(f"stopped {reached.format(folder / 'checkpoint')}. {GOES_ON}")
    assert "Traceback" not in outcome.err
    assert not (folder / "model.onnx").exists()
    assert faults(folder) == leftovers(folder) == []
    before = newest_step(folder)
    still_full = fit(photos, folder)
    assert still_full.code == 6, still_full.err
    assert newest_step(folder) == before
    (disk / "filler").unlink()
    check_that_it_goes_on(photos, folder, whole)


def test_the_disk_fills_up_under_a_process(photos, disk, whole):
    """With the curves' own thread writing too."""
    folder = disk / "run"
    job = start_program("fit", photos, *OPTIONS[:-1], 10_000, "-o", folder, env=ENVIRONMENT)
    read_until(job, "epoch 3/")
    fill(disk)
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out) == (6, "")
    assert "DiskFailed: the system says No space left on device" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert faults(folder) == leftovers(folder) == []
    assert newest_step(folder) >= 12


def test_no_room_from_the_start(photos, disk, whole):
    fill(disk)
    outcome = fit(photos, disk / "run")
    assert (outcome.code, outcome.out) == (6, "")
    assert re.fullmatch(
        rf"DiskFailed: '{disk / 'run'}' needs about \d+ MB of disk for checkpoints and the file; 0 MB are free there. "
        "Try: -o on another disk, or free space",
        outcome.last_line,
    )
    assert not (disk / "run").exists()
    (disk / "filler").unlink()
    check_that_it_goes_on(photos, disk / "run", whole)


@pytest.mark.parametrize(
    "call", ["write", "rename", *(pytest.param(call, marks=pytest.mark.slow) for call in ("openat", "fsync"))]
)
def test_the_disk_breaks(call, photos, tmp_path, whole):
    """The third checkpoint meets an input/output error; the two before it stay."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace, to let a call fail")
    folder = tmp_path / "run"
    paths = [folder / "checkpoint" / f"{dot}00000003.safetensors{part}" for dot, part in (("", ""), (".", ".part"))]
    broken = ("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EIO")
    words = [word for path in paths for word in ("-P", path)]
    code, out, err = run(*broken, *words, *PROGRAM, "fit", photos, *OPTIONS, "-o", folder)
    assert (code, out) == (6, "")
    assert "Traceback" not in err
    assert re.match(r"DiskFailed: the system says Input/output error( at '.+')?; stopped ", err.splitlines()[-1]), err
    assert err.splitlines()[-1].endswith(
        f"in epoch 1 of 2, after step 2 of 6; saved in {folder / 'checkpoint'}. {GOES_ON}"
    )
    assert faults(folder) == leftovers(folder) == []
    assert newest_step(folder) == 2
    check_that_it_goes_on(photos, folder, whole)


def test_the_disk_becomes_read_only(photos, disk, when, whole):
    folder = disk / "run"
    remount = ["mount", "-o", "remount,ro", disk]
    when(lambda: subprocess.run(remount, check=True), Step, "", 3)
    outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (6, "")
    assert outcome.last_line.startswith("DiskFailed: the system says ")
    assert outcome.last_line.endswith(f"after step 2 of 6; saved in {folder / 'checkpoint'}. {GOES_ON}")
    before = contents(folder)
    again = fit(photos, folder)
    assert (again.code, again.last_line) == (2, cannot_be_made(folder, folder))
    elsewhere = fit(photos, disk / "other")
    assert (elsewhere.code, elsewhere.last_line) == (2, cannot_be_made(disk / "other", disk))
    assert contents(folder) == before
    assert faults(folder) == []
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    check_that_it_goes_on(photos, folder, whole)


@pytest.mark.alone
@needs_root
def test_another_users_folder(photos, tmp_path, when, whole):
    """A run of root, gone on with by nobody."""
    folder = tmp_path / "run"
    open_to_all(tmp_path)
    when(interrupt, Step, "", 3)
    assert fit(photos, folder).code == 130
    before = contents(folder)
    for wanted, refused in ((folder, folder), (tmp_path / "new", tmp_path)):
        code, out, err = run(*AS_NOBODY, *READING, *PROGRAM, "fit", photos, *OPTIONS, "-o", wanted)
        assert (code, out, err.splitlines()[-1]) == (2, "", cannot_be_made(wanted, refused))
        assert "Traceback" not in err
    assert contents(folder) == before
    assert not (tmp_path / "new").exists()
    check_that_it_goes_on(photos, folder, whole)


@needs_root
def test_the_permission_is_taken_away(photos, tmp_path, whole):
    """From nobody, while a run of his is going on; root then ends it."""
    open_to_all(tmp_path)
    tmp_path.chmod(0o777)
    folder = tmp_path / "run"
    words = [*AS_NOBODY, *READING, *PROGRAM, "fit", photos, *OPTIONS[:-1], 10_000, "-o", folder]
    with subprocess.Popen(list(map(str, words)), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as job:
        read_until(job, "epoch 2/")
        for place in (folder / "checkpoint", folder):
            os.chown(place, 0, 0)
        err = job.communicate(timeout=60)[1]
    assert job.returncode == 6
    assert "Traceback" not in err
    assert re.match(r"DiskFailed: the system says Permission denied", err.splitlines()[-1]), err
    assert faults(folder) == []
    assert newest_step(folder) >= 6


TERMINATED = {
    "reading": ((Note, "photos: "), None),
    "deciding": ((Note, "Network: "), None),
    "decoding": ((Progress, "decoding training"), None),
    "the plan is made": ((Progress, "decoding test"), "before the first checkpoint"),
    "training": ((Step, "", 3), "in epoch 1 of 2, after step 3 of 6; saved in {}"),
    "validating": ((Progress, "validating"), "in epoch 1 of 2, after step 6 of 6; saved in {}"),
    "judging": ((Note, "Judging"), "after training, before the file was written; the weights are in {}"),
    "measuring": ((Timed, ""), "after training, before the file was written; the weights are in {}"),
}


@pytest.mark.alone
@pytest.mark.parametrize("phase", TERMINATED)
def test_terminated(phase, photos, tmp_path, when, whole):
    event, reached = TERMINATED[phase]
    folder = tmp_path / "run"
    when(terminate, *event)
    outcome = fit(photos, folder)
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.last_line == (
        "Interrupted: stopped before training began; nothing was trained. Try: the same command again"
        if reached is None
        else f"Interrupted: stopped {reached.format(folder / 'checkpoint')}. Try: the same command, which goes on from there"
    )
    assert "Traceback" not in outcome.err
    assert folder.exists() == (reached is not None)
    assert faults(folder) == leftovers(folder) == []
    check_that_it_goes_on(photos, folder, whole)


@pytest.mark.alone
@pytest.mark.parametrize("event", [(Note, "agree on"), (Measured, "minutes")])
def test_terminated_when_the_file_is_there(event, photos, tmp_path, when, whole):
    when(terminate, *event)
    assert fit(photos, tmp_path / "run").code == 0
    check_that_it_goes_on(photos, tmp_path / "run", whole)


@pytest.mark.alone
def test_terminated_while_torch_loads(photos, tmp_path, whole):
    job = start_program("fit", photos, *OPTIONS, "-o", tmp_path / "run", env=ENVIRONMENT)
    while "libtorch" not in Path(f"/proc/{job.pid}/maps").read_text():
        assert job.poll() is None, job.communicate()
        time.sleep(0.01)
    job.terminate()
    out, err = job.communicate(timeout=60)
    assert (job.returncode, out, err) == (130, "", "Interrupted: stopped by SIGTERM.\n")
    check_that_it_goes_on(photos, tmp_path / "run", whole)
