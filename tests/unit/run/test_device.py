"""This device, described from what different machines say of themselves."""

import os
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pocketvision.run import device
from pocketvision.run.device import Device, this_device

X86 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model\t\t: 17
model name\t: AMD EPYC 9B14 96-Core Processor
flags\t\t: fpu vme sse sse2 sme sev fma sse4_1 sse4_2 avx f16c avx2 smep avx512f avx512_bf16 avx_vnni amx_tile
vmx flags\t: vnmi
bogomips\t: 5199.99

processor\t: 1
model name\t: the second core
flags\t\t: fpu
"""
PI_4 = """\
processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41

Hardware\t: BCM2835
Serial\t\t: 10000000abcdef
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""
PI_5 = "processor\t: 0\nFeatures\t: fp asimd aes fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\n"
PHONE = "Features\t: neon vfpv4\nHardware\t: Qualcomm Technologies, Inc SM8350\n"

X86_FLAGS = ("amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "avx_vnni", "f16c", "fma", "sse4_1", "sse4_2")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose /proc says what a test wants."""
    monkeypatch.setattr(device, "Path", lambda path: tmp_path / path.lstrip("/"))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "processor", lambda: "")

    def says(cpuinfo=None, board=None):
        for path, text in (("proc/cpuinfo", cpuinfo), ("proc/device-tree/model", board)):
            if text is not None:
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / path).write_bytes(text.encode("latin-1"))
        return this_device()

    return says


@pytest.mark.parametrize(
    ("cpuinfo", "board", "cpu", "flags"),
    [
        pytest.param(X86, None, "AMD EPYC 9B14 96-Core Processor", X86_FLAGS, id="x86, without sme and smep"),
        pytest.param(PI_4, None, "Raspberry Pi 4 Model B Rev 1.4", ("asimd",), id="Pi 4"),
        pytest.param(
            PI_5,
            "Raspberry Pi 5 Model B Rev 1.0\0",
            "Raspberry Pi 5 Model B Rev 1.0",
            ("asimd", "asimddp", "asimdhp", "asimdrdm", "fphp"),
            id="Pi 5: the board's name is in the device tree alone",
        ),
        pytest.param(PHONE, None, "Qualcomm Technologies, Inc SM8350", ("neon",), id="phone"),
        pytest.param("Features\t: sme sme2 smef64f64\n", None, "aarch64", ("sme", "sme2", "smef64f64"), id="ARM's sme"),
        pytest.param("model name\t: caf\xe9\n", None, "caf\ufffd", (), id="not UTF-8"),
        pytest.param("", None, "aarch64", (), id="empty"),
        pytest.param(None, None, "aarch64", (), id="no such file"),
    ],
)
def test_processor_and_flags(machine, cpuinfo, board, cpu, flags):
    found = machine(cpuinfo, board)
    assert (found.cpu, found.flags) == (cpu, flags)


@pytest.mark.parametrize(("answer", "cpu"), [("Apple M2\n", "Apple M2"), ("", "aarch64")])
def test_macos_is_asked(machine, monkeypatch, answer, cpu):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(device.subprocess, "run", lambda *words, **options: SimpleNamespace(stdout=answer))
    assert machine().cpu == cpu


def test_cores_where_a_process_cannot_ask_which_it_may_use(machine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine().cores == 1


@pytest.mark.parametrize(
    ("may_run_on", "limit", "cores"), [(8, None, 8), (8, 2.0, 2), (8, 1.5, 1), (8, 0.1, 1), (2, 16.0, 2)]
)
def test_cores_follow_affinity_and_the_container(monkeypatch, may_run_on, limit, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(may_run_on)), raising=False)
    monkeypatch.setattr(device, "cpu_limit", lambda: limit)
    assert device.count_cores() == cores


@pytest.mark.parametrize(("left", "free"), [(None, 8000), (1000, 1000), (0, 0), (9000, 8000)])
def test_free_memory_is_never_more_than_the_container_leaves(monkeypatch, left, free):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=8000))
    monkeypatch.setattr(device, "memory_left_bytes", lambda: left)
    assert device.free_memory_bytes() == free


def test_free_memory_is_part_of_the_machine():
    assert 0 < device.free_memory_bytes() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file", "/proc/meminfo"), ImportError("no psutil")])
def test_free_memory_where_proc_or_psutil_is_missing(monkeypatch, error):
    def refuse():
        raise error

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    monkeypatch.setattr(device, "memory_left_bytes", lambda: None)
    pages = {"SC_PAGE_SIZE": 4096, "SC_AVPHYS_PAGES": 1000, "SC_PHYS_PAGES": 5000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert device.free_memory_bytes() == 4096 * 1000


def test_free_memory_is_half_of_a_machine_that_says_no_more(monkeypatch):
    def sysconf(name):
        if name == "SC_AVPHYS_PAGES":
            raise ValueError("unrecognized configuration name")
        return {"SC_PAGE_SIZE": 16384, "SC_PHYS_PAGES": 1000}[name]

    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setattr(device, "memory_left_bytes", lambda: None)
    monkeypatch.setattr(os, "sysconf", sysconf)
    assert device.free_memory_bytes() == 16384 * 500


def test_this_device():
    found = this_device()
    assert found == this_device()
    assert found.cpu.strip() == found.cpu != ""
    assert 1 <= found.cores <= os.cpu_count()
    assert 100 < found.memory_mb < 1e8
    assert found.system == f"{platform.system()} {platform.machine()}"
    if Path("/proc/meminfo").exists():
        total_kib = int(Path("/proc/meminfo").read_text().split()[1])
        assert found.memory_mb == pytest.approx(total_kib * 1024 / 1e6, rel=0.01)


@pytest.mark.parametrize(("cores", "text"), [(1, "chip, 1 core"), (4, "chip, 4 cores")])
def test_readable(cores, text):
    assert str(Device("chip", (), cores, 1000, "Linux")) == text
