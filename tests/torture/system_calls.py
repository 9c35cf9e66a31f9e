"""Kills a run at its nth file-system call, with strace: first all calls are listed, then the run dies before one of them."""

import re
import shutil
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from job import PATIENCE_SECONDS, Job, end

CALLS = "mkdir,openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir"
LINE = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
QUOTED, OPENED = re.compile(r'"((?:[^"\\]|\\.)*)"'), re.compile(r"\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A call that was made to files of a run folder.

    Attributes:
        name: such as "rename".
        paths: its files, absolute.
        place: its number among the calls of that name, from 1.
        changes: whether it may change the disk.
    """

    name: str
    paths: tuple[str, ...]
    place: int
    changes: bool


def require_strace() -> str:
    """Return the program.

    Raises:
        SystemExit: it is not installed.
    """
    program = shutil.which("strace")
    if program is None:
        raise SystemExit("strace is not installed. Try: apt-get install strace")
    return program


def list_calls(job: Job, patterns: Iterable[str]) -> list[Call]:
    """Run a job to its end; return its calls to files of the run folder, in order.

    Args:
        job: a fresh one.
        patterns: globs of paths in the run folder, such as "checkpoint/*"; "" is the folder itself.

    Raises:
        RuntimeError: the run failed, or more than one thread writes there.
    """
    trace = job.folder.with_name("calls.txt")
    before = (require_strace(), "-f", "--seccomp-bpf", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={CALLS}")
    if replace(job, before=before).finish() != 0:
        raise RuntimeError(f"the traced run failed: {job.text()}")
    calls: list[Call] = []
    counts: Counter[str] = Counter()
    threads = set()
    for thread, name, arguments in _entries(trace):
        paths = _paths(arguments)
        if any(Path(path).match(str(job.folder / pattern)) for path in paths for pattern in patterns):
            counts[name] += 1
            threads.add(thread)
            calls.append(Call(name, paths, counts[name], "O_RDONLY" not in arguments))
    if len(threads) != 1:
        raise RuntimeError(f"{len(threads)} threads write there; calls can be counted in one only")
    return calls


def unsafe_renames(calls: Iterable[Call]) -> list[str]:
    """Return the final names that were given to files not yet brought to disk: a power failure could empty these."""
    dirty, found = set(), []
    for call in calls:
        if call.name in ("fsync", "fdatasync"):
            dirty.discard(call.paths[-1])
        elif call.name.startswith("rename") and call.paths[0] in dirty:
            found.append(Path(call.paths[-1]).name)
        elif call.changes:
            dirty.add(call.paths[-1])
    return found


def run_and_kill(job: Job, calls: Sequence[Call], index: int) -> bool:
    """Start a job that is killed as it enters a call, before that does anything; return whether it was.

    Args:
        job: a fresh one, that makes the same calls.
        calls: those of `list_calls`.
        index: of the call.
    """
    call = calls[index]
    before = [require_strace(), "-f", "-o", "/dev/null", "-e", f"trace={CALLS}"]
    before += ["-e", f"inject={call.name}:signal=KILL:when={call.place}"]
    for path in sorted({path for earlier in calls[: index + 1] for path in earlier.paths}):
        before += ["-P", path]
    process = replace(job, before=tuple(before)).start()
    try:
        return process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    finally:
        end(process)


def _entries(trace: Path) -> Iterator[tuple[str, str, str]]:
    """Yield thread, name and arguments of each call, in the order in which they were made."""
    for line in trace.read_text(errors="replace").splitlines():
        if match := LINE.match(line):
            yield match[1], match[2], match[3]


def _paths(arguments: str) -> tuple[str, ...]:
    """Return the files of a call: names as given, else the files behind the numbers."""
    call = arguments.rpartition(") = ")[0] or arguments
    quoted = [path for path in QUOTED.findall(call) if path.startswith("/")]
    return tuple(quoted or OPENED.findall(call)[:1])
