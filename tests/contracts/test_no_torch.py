"""The promise: describing, counting, writing and running networks needs no torch; running them needs no onnx either.

Each check is a fresh interpreter in which the forbidden modules cannot be imported. That no other module imports torch where a
Raspberry Pi works is proven without one, by `lint-imports`.
"""

import subprocess
import sys

import pytest

BLOCK = """
import importlib, pkgutil, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is forbidden here")

sys.meta_path.insert(0, Blocked())

def import_all(package):
    found = [f"{package}.{module.name}" for module in pkgutil.walk_packages(importlib.import_module(package).__path__)]
    for name in found:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return found
"""
TORCH = {"torch", "torchvision", "safetensors"}
NOT_ON_DEVICE = TORCH | {"onnx", "pydantic", "typer", "rich", "tensorboard"}


def run_without(forbidden, program):
    script = f"FORBIDDEN = {sorted(forbidden)!r}\n{BLOCK}\n{program}"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_hook_blocks():
    with pytest.raises(AssertionError, match="torch is forbidden here"):
        run_without(TORCH, "import pocketvision.model.network")


def test_networks_are_resolved_counted_and_written_without_torch():
    program = """
from pocketvision.model import builder, blocks, families, graph, init, resolve, rewrite, rows, spaces, onnx_writer
from pocketvision.cost.count import count
for family in ("mobilenet_v2", "shufflenet_v1_g3", "squeezenet1_1"):
    g = resolve.resolve(family, width=1.0, resolution=32, classes=10)
    narrow = resolve.resolve(family, width=0.5, resolution=16, classes=10)
    arrays = rewrite.cut(init.initial_arrays(g, 0), g, narrow, rewrite.leading_indices(g, narrow))
    print(count(g).macs > 0, len(onnx_writer.write_onnx(narrow, arrays)) > 10_000)
"""
    assert set(run_without(TORCH, program).splitlines()) == {"True True"}


def test_the_device_side_needs_numpy_pillow_and_one_engine():
    found = run_without(
        NOT_ON_DEVICE, "print(import_all('pocketvision.run')); assert not set(FORBIDDEN) & set(sys.modules)"
    )
    assert "pocketvision.run.images" in found
