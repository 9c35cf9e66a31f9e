"""The C kernels as a library: compiled for this machine when first needed, then read from the cache folder.

Without a compiler that understands them, or a place to write, there are no kernels, and torch's own operations are used.
"""

import ctypes
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path

import torch
from torch import nn

from pocketvision.files import cache_folder
from pocketvision.run.device import this_device

FOLDER = Path(__file__).parent
SOURCES = ("batch_norm.c", "depthwise.c")
HEADERS = ("values.h",)
# No trap and no errno, so that loops become vector code; nothing that changes what is computed, as -ffast-math would.
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
SECONDS = 60  # that a compiler may take; it takes about 2
TYPES = {torch.float32: 0, torch.bfloat16: 1}  # as `values.h` numbers them


def kernels() -> ctypes.CDLL | None:
    """Return the kernels; None if this machine has none. $CC names the compiler; empty: no kernels."""
    return find_kernels()[0]


@cache
def find_kernels() -> tuple[ctypes.CDLL | None, str]:
    """Return the kernels, or None and the reason; no reason if $CC is empty, as that was asked for."""
    words = os.environ.get("CC", "cc")
    try:
        compiler = shlex.split(words)
        if not compiler:
            return None, ""
        if shutil.which(compiler[0]) is None:
            return None, f"there is no C compiler {compiler[0]!r}"
        return _load(compiler), ""
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return None, f"{words!r} cannot compile them{f': {said[0]}' if said else ''}"
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        return None, f"they cannot be compiled: {error}"


def can_take(x: torch.Tensor) -> bool:
    """Whether the kernels can work on a tensor: one with values in main memory, not a stand-in of torch's transforms."""
    return (
        type(x) is torch.Tensor
        and x.device.type == "cpu"
        and x.dtype in TYPES
        and x.numel() > 0
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and kernels() is not None
    )


def _load(compiler: list[str]) -> ctypes.CDLL:
    """Load the kernels that a compiler made earlier, or makes now."""
    content = b"".join((FOLDER / name).read_bytes() for name in (*SOURCES, *HEADERS))
    said = subprocess.run([*compiler, "--version"], capture_output=True, check=True, timeout=SECONDS).stdout
    depends = (content, said, json.dumps([compiler, FLAGS, asdict(this_device()), platform.machine()]).encode())
    path = cache_folder() / "kernels" / f"{hashlib.sha256(b'|'.join(depends)).hexdigest()}.so"
    if not _is_own(path):
        _compile(compiler, path)
    try:
        return _open(path)
    except (OSError, AttributeError):  # damaged
        _compile(compiler, path)
        return _open(path)


def _is_own(path: Path) -> bool:
    """Whether a file is there and only this user can have written it: what it holds will be run."""
    if not path.exists():
        return False
    if os.name != "posix":
        return True
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _open(path: Path) -> ctypes.CDLL:
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
            os.fsync(file.fileno())  # an incomplete library would crash the program that loads it
        made.chmod(0o755)
        made.replace(path)


def is_plain(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether calling a module does only what its class does, so that a kernel can replace it."""
    return type(module) is kind and not module._forward_hooks and not module._forward_pre_hooks


def is_vector(tensor: torch.Tensor | None, size: int) -> bool:
    """Whether a kernel can read a tensor as a float32 vector of that size."""
    return tensor is not None and (
        tensor.dtype == torch.float32
        and tensor.device.type == "cpu"
        and tensor.numel() == size
        and tensor.is_contiguous()
    )
