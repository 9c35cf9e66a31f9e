"""The C kernels as a library: compiled for this machine the first time they are wanted, then read from the cache folder.

Where that cannot be done, for want of a compiler, of a place to write, or of what the compiler understands, there are none, and
torch's own operations are used.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from pocketvision.files import cache_folder
from pocketvision.run.device import this_device

FOLDER = Path(__file__).parent
SOURCES = ("batch_norm.c", "depthwise.c")
HEADERS = ("values.h",)
# No trap and no errno, so that loops become vector code; nothing that changes what is computed, as -ffast-math would.
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
SECONDS = 60  # that a compiler may take; it takes two
TYPES = {torch.float32: 0, torch.bfloat16: 1}  # as `values.h` numbers them


@cache
def kernels() -> ctypes.CDLL | None:
    """Return the kernels of the C files; None where this machine has none. $CC names the compiler; empty: no kernels."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        return None
    try:
        return _load(compiler)
    except (OSError, subprocess.SubprocessError):
        return None


def can_take(x: torch.Tensor) -> bool:
    """Whether the kernels can work on a tensor: values in the main memory, not what stands for them while torch traces."""
    return (
        type(x) is torch.Tensor
        and x.device.type == "cpu"
        and x.dtype in TYPES
        and not torch.compiler.is_compiling()
        and kernels() is not None
    )


def _load(compiler: list[str]) -> ctypes.CDLL:
    """Load the kernels that a compiler made before, or makes now."""
    content = b"".join((FOLDER / name).read_bytes() for name in (*SOURCES, *HEADERS))
    version = subprocess.run([*compiler, "--version"], capture_output=True, check=True, timeout=SECONDS).stdout
    depends = (content, version, " ".join(FLAGS).encode(), this_device().cpu.encode(), platform.machine().encode())
    path = cache_folder() / "kernels" / f"{hashlib.sha256(b'|'.join(depends)).hexdigest()}.so"
    try:
        library = ctypes.CDLL(str(path))
    except OSError:  # not made yet, or damaged
        _compile(compiler, path)
        library = ctypes.CDLL(str(path))
    pointer, count, number, flag = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_int
    shape = (count, count)
    library.batch_norm_forward.argtypes = (pointer, pointer, *shape, *(pointer,) * 5, number, number, flag, flag, flag)
    library.batch_norm_backward.argtypes = (pointer, pointer, pointer, *shape, *(pointer,) * 3, flag, flag, flag)
    library.depthwise_backward.argtypes = (*(pointer,) * 6, flag, flag)
    return library


def _compile(compiler: list[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sources = [str(FOLDER / name) for name in SOURCES]
    with tempfile.TemporaryDirectory(dir=path.parent) as place:  # so that two processes do not write one file
        made = Path(place) / "kernels.so"
        command = [*compiler, *FLAGS, *sources, "-o", str(made), "-lm"]
        subprocess.run(command, capture_output=True, check=True, timeout=SECONDS)
        with made.open("rb") as file:
            os.fsync(file.fileno())  # half a library would end the program that loads it
        made.replace(path)
