"""What a container leaves, read from groups that a test makes up: versions 1 and 2, nested, and mounted in odd ways."""

import pytest

from pocketvision.run import containers
from pocketvision.run.containers import cpu_limit, memory_left_bytes

NO_LIMIT_V1 = "9223372036854771712"  # what version 1 states where there is none


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Write /proc/self/cgroup, the mounts (kind, root, place, options) and the groups' files; return where they are mounted."""
    monkeypatch.setattr(containers, "PROC", tmp_path)

    def says(cgroup, mounts, files):
        (tmp_path / "cgroup").write_text(cgroup)
        lines = [
            f"32 31 0:29 {root} {tmp_path}/{place} rw - {kind} cgroup rw,{options}"
            for kind, root, place, options in mounts
        ]
        (tmp_path / "mountinfo").write_text("".join(f"{line}\n" for line in ["1 1 0:1 / /", *lines]))
        for name, text in files.items():
            path = tmp_path / name.replace("\\040", " ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

    return says


V2 = [("cgroup2", "/", "fs", "")]
V1 = [("cgroup", "/", "fs/cpu", "cpu,cpuacct"), ("cgroup", "/", "fs/memory", "memory")]


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "left"),
    [
        pytest.param("0::/a", V2, {"fs/a/memory.max": 1000, "fs/a/memory.current": 400}, 600, id="version 2"),
        pytest.param("0::/a", V2, {"fs/a/memory.max": "max", "fs/a/memory.current": 400}, None, id="no limit"),
        pytest.param("0::/a", V2, {"fs/a/memory.max": 1000, "fs/a/memory.current": 1400}, 0, id="more than allowed"),
        pytest.param(
            "0::/a",
            V2,
            {"fs/a/memory.max": 1000, "fs/a/memory.high": 700, "fs/a/memory.current": 400},
            300,
            id="it is slowed down before the limit",
        ),
        pytest.param(
            "0::/a/b/c",
            V2,
            {
                "fs/a/memory.max": 1000,
                "fs/a/memory.current": 900,
                "fs/a/b/memory.max": "max",
                "fs/a/b/c/memory.max": 500,
                "fs/a/b/c/memory.current": 100,
            },
            100,
            id="the outer group is nearly full",
        ),
        pytest.param(
            "0::/", V2, {"fs/memory.max": 1000, "fs/memory.current": 1}, 999, id="a namespace: the mount is the group"
        ),
        pytest.param(
            "0::/../other", V2, {"fs/memory.max": 1000, "fs/memory.current": 1}, 999, id="outside of the namespace"
        ),
        pytest.param(
            "0::/docker/x",
            [("cgroup2", "/docker/x", "fs", "")],
            {"fs/memory.max": 1000, "fs/memory.current": 1},
            999,
            id="the mount shows the group alone",
        ),
        pytest.param(
            "4:memory:/docker/x",
            [("cgroup", "/docker/x", "fs/memory", "memory")],
            {"fs/memory/memory.limit_in_bytes": 1000, "fs/memory/memory.usage_in_bytes": 300},
            700,
            id="version 1 in docker",
        ),
        pytest.param(
            "5:cpu,cpuacct:/\n4:memory:/a/b\n0::/",
            [*V1, ("cgroup2", "/", "fs/unified", "")],
            {
                "fs/memory/memory.limit_in_bytes": NO_LIMIT_V1,
                "fs/memory/a/memory.limit_in_bytes": 800,
                "fs/memory/a/memory.usage_in_bytes": 700,
                "fs/memory/a/b/memory.limit_in_bytes": NO_LIMIT_V1,
                "fs/memory/a/b/memory.usage_in_bytes": 50,
            },
            100,
            id="both versions, version 1 limits",
        ),
        pytest.param(
            "0::/a",
            [("cgroup2", "/", "f\\040s", "")],
            {"f\\040s/a/memory.max": 10, "f\\040s/a/memory.current": 1},
            9,
            id="a blank in the mount's name",
        ),
        pytest.param("0::/gone", V2, {}, None, id="nothing to read"),
        pytest.param("nonsense\n", V2, {}, None, id="something else"),
    ],
)
def test_memory(machine, cgroup, mounts, files, left):
    machine(cgroup, mounts, files)
    assert memory_left_bytes() == left


@pytest.mark.parametrize(
    ("cgroup", "mounts", "files", "cores"),
    [
        pytest.param("0::/a", V2, {"fs/a/cpu.max": "150000 100000"}, 1.5, id="version 2"),
        pytest.param("0::/a", V2, {"fs/a/cpu.max": "max 100000"}, None, id="no limit"),
        pytest.param(
            "0::/a/b", V2, {"fs/a/cpu.max": "50000 100000", "fs/a/b/cpu.max": "400000 100000"}, 0.5, id="the outer one"
        ),
        pytest.param(
            "5:cpu,cpuacct:/a",
            V1,
            {"fs/cpu/a/cpu.cfs_quota_us": 200000, "fs/cpu/a/cpu.cfs_period_us": 100000},
            2.0,
            id="version 1",
        ),
        pytest.param(
            "5:cpu,cpuacct:/a",
            V1,
            {"fs/cpu/a/cpu.cfs_quota_us": -1, "fs/cpu/a/cpu.cfs_period_us": 100000},
            None,
            id="version 1, no limit",
        ),
    ],
)
def test_cores(machine, cgroup, mounts, files, cores):
    machine(cgroup, mounts, files)
    assert cpu_limit() == cores


def test_without_proc_nothing_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "PROC", tmp_path / "absent")
    assert (memory_left_bytes(), cpu_limit()) == (None, None)
