"""What one network takes of a process: asked of real processes, as the probe does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pocketvision.run import footprint
from pocketvision.run.footprint import peak_memory_mb


def python(*words, stdin=b""):
    return subprocess.run([sys.executable, "-W", "error", *words], input=stdin, capture_output=True, timeout=120)


def measure(model, engine="onnxruntime"):
    return python("-m", "pocketvision.run.footprint", "1", engine, stdin=model)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_network_takes_time_to_load_and_memory_beyond_the_process(exported, engine):
    done = measure(exported.content, engine)
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert list(found) == ["load_ms", "first_ms", "process_mb", "rss_mb"]
    assert found["load_ms"] > 0 and found["first_ms"] > 0
    assert found["rss_mb"] > found["process_mb"] > 10  # the interpreter, numpy and the engine


@pytest.mark.parametrize("model", [b"", b"no model"])
def test_what_is_no_model_ends_with_an_error(model):
    done = measure(model)
    assert done.returncode != 0 and done.stdout == b""
    assert b"BadArtifact" in done.stderr


def test_peak_memory_grows_with_what_is_touched_and_stays():
    program = """
import numpy as np
from pocketvision.run.footprint import peak_memory_mb
before = peak_memory_mb()
array = np.ones(50_000_000, np.uint8)
touched = peak_memory_mb()
del array
print(before, touched, peak_memory_mb())
"""
    before, touched, freed = map(float, python("-c", program).stdout.split())
    assert 45 < touched - before < 60
    assert freed > touched - 1  # the kernel counts pages a little late


@pytest.mark.parametrize(("system", "unit"), [("darwin", 1), ("other", 1024)])
def test_peak_memory_without_linuxs_file(system, unit, monkeypatch):
    """getrusage counts bytes on macOS and KiB elsewhere; its figure may be the parent's, so that it is not compared."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(footprint, "Path", lambda _: Path("/nowhere/at/all"))
    monkeypatch.setattr(sys, "platform", system)
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak_memory_mb() >= unit * peak_before / 1e6 > 0
