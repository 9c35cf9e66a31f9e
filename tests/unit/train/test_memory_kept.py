"""Freed memory is kept for the next step, where the C library can be told so."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np, resource
from pocketvision.train.memory import keep_memory
{told}
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(40_000_000, np.uint8)
before = faults()
for _ in range(10):
    np.ones(40_000_000, np.uint8)
print(faults() - before)
"""


def page_faults(told: str) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(told=told)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_large_arrays_are_not_cleared_page_by_page_again():
    assert page_faults("assert keep_memory()") < page_faults("") / 10
