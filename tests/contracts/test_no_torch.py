"""The promise: describing, counting, writing and running networks needs no torch; running them needs no onnx either.

Each check is a fresh interpreter in which the forbidden modules cannot be imported.
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
for family in families.FAMILIES:
    g = resolve.resolve(family, width=1.0, resolution=32, classes=10)
    narrow = resolve.resolve(family, width=0.5, resolution=16, classes=10)
    arrays = rewrite.cut(init.initial_arrays(g, 0), g, narrow, rewrite.leading_indices(g, narrow))
    print(count(g).macs > 0, len(onnx_writer.write_onnx(narrow, arrays)) > 10_000)
"""
    assert set(run_without(TORCH, program).splitlines()) == {"True True"}


def test_cost_needs_no_torch():
    assert "pocketvision.cost.count" in run_without(TORCH, "print(import_all('pocketvision.cost'))")


DESCRIBING = "check dataset duplicates findings folders idx looks manifest named read rules sheet split surroundings survey table"


@pytest.mark.parametrize("module", DESCRIBING.split())
def test_describing_data_needs_no_torch(module):
    run_without(TORCH, f"import pocketvision.data.{module}")


def test_the_device_side_needs_numpy_pillow_and_one_engine():
    found = run_without(
        NOT_ON_DEVICE, "print(import_all('pocketvision.run')); assert not set(FORBIDDEN) & set(sys.modules)"
    )
    assert "pocketvision.run.images" in found
