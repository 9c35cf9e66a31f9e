"""This device: processor, cores and memory, as far as they matter to the speed of a network."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pocketvision.run.containers import cpu_limit, memory_left_bytes
from pocketvision.text import plural

RELEVANT_FLAGS = {  # vector instructions by which engines choose kernels, as x86 and ARM list them
    "flags": re.compile(r"sse4_[12]|avx2?|avx512\w+|avx_\w+|amx_\w+|fma|f16c"),
    "Features": re.compile(r"neon|asimd\w*|sve\w*|sme\w*|i8mm|bf16|fphp|dotprod"),
}


@dataclass(frozen=True)
class Device:
    """A machine.

    Attributes:
        cpu: name of the processor.
        flags: its vector instructions.
        cores: that this process may use.
        memory_mb: of the machine, in 10^6 bytes.
        system: operating system and architecture.
    """

    cpu: str
    flags: tuple[str, ...]
    cores: int
    memory_mb: int
    system: str

    def __str__(self) -> str:
        return f"{self.cpu}, {plural(self.cores, 'core')}"


def this_device() -> Device:
    """Describe the machine this runs on."""
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8", errors="replace") if information.exists() else ""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Device(
        _cpu_name(text), _flags(text), count_cores(), round(memory / 1e6), f"{platform.system()} {platform.machine()}"
    )


def count_cores() -> int:
    """Return the cores that this process may use: of those it may run on, as many as its container's share of time can keep busy.

    A share of 1.5 cores is one core: two threads that wait for each other would be stopped together, in each period.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cpu_limit()
    return cores if limit is None else min(cores, max(1, int(limit)))


def free_memory_bytes() -> int:
    """Return the memory that this process may still take, in bytes.

    What the system's file cache would give back counts as free. Never more than a container's limit leaves.
    """
    free, left = _available_bytes(), memory_left_bytes()
    return free if left is None else min(free, left)


def _available_bytes() -> int:
    """Ask psutil, which knows the systems; where it is missing or /proc is hidden, the C library; else half of the machine."""
    try:
        import psutil

        return int(psutil.virtual_memory().available)
    except (ImportError, OSError, ValueError, KeyError, RuntimeError):
        pass
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * page
    except (OSError, ValueError):  # macOS does not say
        return os.sysconf("SC_PHYS_PAGES") * page // 2


def _cpu_name(text: str) -> str:
    """x86 names its processor in /proc/cpuinfo; ARM boards name themselves there or in the device tree; macOS has sysctl."""
    board = Path("/proc/device-tree/model")
    if board.exists():
        return board.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    for key in ("model name", "Model", "Hardware"):
        if found := re.search(rf"^{key}\s*: (.*)$", text, re.MULTILINE):
            return found[1].strip()
    if platform.system() == "Darwin":
        asked = subprocess.run(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True)
        return asked.stdout.strip() or platform.machine()
    return platform.processor() or platform.machine()


def _flags(text: str) -> tuple[str, ...]:
    found = re.search(r"^(flags|Features)\s*: (.*)$", text, re.MULTILINE)
    return tuple(sorted(filter(RELEVANT_FLAGS[found[1]].fullmatch, found[2].split()))) if found else ()
