"""What a container leaves to this process: the limits of its control groups, of versions 1 and 2. Only Linux has them."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")
MEMORY = (  # limits, and what counts against them: of version 2, then of version 1
    (("memory.max", "memory.high"), "memory.current"),
    (("memory.limit_in_bytes",), "memory.usage_in_bytes"),
)


def memory_left_bytes() -> int | None:
    """Return the least of what the groups around this process leave it, in bytes; None: no group has a limit.

    Their file caches count as used, although the system may give some of them back.
    """
    left = []
    for folder in _groups("memory"):
        for limits, usage in MEMORY:
            stated = [limit for name in limits if (limit := _number(folder / name)) is not None]
            if stated:
                left.append(max(0, min(stated) - (_number(folder / usage) or 0)))
    return min(left, default=None)


def cpu_limit() -> float | None:
    """Return the time that this process may have on all cores together, as a number of cores; None: no group has a limit."""
    quotas = []
    for folder in _groups("cpu"):
        quota, period = [*_words(folder / "cpu.max"), "", ""][:2]  # version 2: "max 100000" or "150000 100000"
        if not quota:
            quota, period = (" ".join(_words(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:  # -1 and max: no limit
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the groups that this process is in, the innermost first, as far out as they can be seen."""
    own = [line.split(":", 2)[1:] for line in _lines(PROC / "cgroup") if line.count(":") >= 2]
    paths = {name: path for names, path in own for name in names.split(",")}  # version 2 has the name ""
    for kind, root, place in _mounts(controller):
        path = paths.get(controller if kind == "cgroup" else "")
        if path is None:
            continue
        inside = PurePosixPath(path)
        is_seen = inside.is_relative_to(root) and ".." not in inside.parts  # else: the mount is this process's group
        folder = place / inside.relative_to(root) if is_seen else place
        yield folder
        yield from (outer for outer in folder.parents if outer.is_relative_to(place))


def _mounts(controller: str) -> Iterator[tuple[str, str, Path]]:
    """Yield the kind, the root and the place of each mount that may hold a controller's groups: proc(5), mountinfo."""
    for line in _lines(PROC / "mountinfo"):
        mount, _, system = line.partition(" - ")
        fields, kinds = mount.split(), system.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        if kinds[0] == "cgroup2" or (kinds[0] == "cgroup" and controller in kinds[2].split(",")):
            root, place = (re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field) for field in fields[3:5])
            yield kinds[0], root, Path(place)


def _number(path: Path) -> int | None:
    """Return what a file states; None: there is no such file, or no limit."""
    words = _words(path)
    return int(words[0]) if words and words[0].isdecimal() else None


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
