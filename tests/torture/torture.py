"""Kill -9 a small run again and again; count what is lost. `make torture` runs this.

    python tests/torture/torture.py --kills 20 --terms 8 --syscalls 40 --seed 0 --page docs/torture.md

At random moments of a run, and at every one of the first file-system calls that write its checkpoints, its plan and its
file. After each kill every file with a final name must be whole; the same command must go on from the newest checkpoint;
and what it writes in the end must be what a run writes that nobody stops: the same weights, bit for bit.
"""

import argparse
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path

from job import Job, gone_on_from, result, stop, wait_until
from moments import PHASES, measure_pace, wait_for
from system_calls import Call, list_calls, require_strace, run_and_kill, unsafe_renames

from inspection import faults, leftovers, newest_step
from photographs import CLASSES, write_photographs

CHECKPOINT = ("checkpoint", "checkpoint/*")
PLAN_AND_FILE = ("", "*.json", ".*.json.part", "*.onnx", ".*.onnx.part", "*.html", ".*.html.part")
WHEN_GOING_ON = ("", "*.json", "*.jsonl", ".*.part")
PATIENCE_WITH_SIGTERM = 5.0  # seconds
NOTE = "<!-- Written by tests/torture/torture.py; do not edit. -->"


@dataclass
class Kill:
    """One kill and what became of it.

    Attributes:
        where: phase, or files and call.
        lost: what was lost by it; empty where nothing was.
    """

    where: str
    lost: list[str] = field(default_factory=list)


class Torture:
    """All kills of one session.

    Args:
        home: an empty folder.
        seed: of the moments.
        epochs: of the runs that are killed at random moments.
    """

    def __init__(self, home: Path, seed: int, epochs: int) -> None:
        self.home, self.rng = home, random.Random(seed)
        self.photographs = write_photographs(home / "photographs", CLASSES, each=12)
        self.long = Job(self.photographs, home / "long", epochs, every=0.2)
        self.short = Job(self.photographs, home / "short", epochs=1, every=0)
        self.pace = measure_pace(self.long)
        measure_pace(self.short)
        self.expected = {job.epochs: result(job.folder) for job in (self.long, self.short)}
        self.runs = 0
        self.kills: list[Kill] = []
        self.unsafe: list[str] = []

    def at_random_moments(self, number: int, by: signal.Signals) -> None:
        """Stop runs in all phases in turn; a stopped run is gone on with, and perhaps stopped again.

        Raises:
            RuntimeError: runs end again and again before they are met where they should be stopped.
        """
        phases = list(islice(cycle(PHASES), number))
        last = self.runs + 3 * number
        while phases:
            if self.runs == last:
                raise RuntimeError(f"{number} moments were not met in {3 * number} runs")
            run = [phases.pop(0)]
            while phases and _may_follow(phases[0], run) and self.rng.random() < 0.5:
                run.append(phases.pop(0))
            phases = self._stop_one_run(run, by) + phases

    def at_system_calls(self, number: int, what: str, patterns: tuple[str, ...], begun: Path | None = None) -> None:
        """Kill a run at each of its first calls that change certain files, and go on.

        Args:
            number: of calls.
            what: the files, in words.
            patterns: the files, as globs in the run folder.
            begun: a run folder; the run that is killed goes on with a copy of it.
        """
        job = replace(self.short, folder=self.home / f"traced-{what.replace(' ', '-')}")
        _lay(job, begun)
        calls = list_calls(job, patterns)
        self.unsafe += unsafe_renames(calls)
        for index in [index for index, call in enumerate(calls) if call.changes][:number]:
            _lay(job, begun)
            kill = Kill(f"{what}: {calls[index].name}")
            if not run_and_kill(job, calls, index):
                kill.lost.append(f"was not killed at call {index}: {job.text()}")
            kill.lost += faults(job.folder) + _steps_lost(job, newest_step(begun) if begun else None)
            kill.lost += _checkpoints_gone(job, calls[:index])
            self._note(kill, job)
            self._end(job, [kill], newest_step(job.folder))

    def begin(self) -> Path:
        """Return the folder of a run that was killed after its third checkpoint."""
        job = replace(self.short, folder=self.home / "begun")
        process = job.start()
        wait_until(process, (job.folder / "checkpoint" / "00000003.json").exists)
        stop(process, signal.SIGKILL)
        return job.folder

    def _stop_one_run(self, phases: list[str], by: signal.Signals) -> list[str]:
        """Stop a run once in each phase, then let it end; return the phases in which it could not be stopped."""
        self.runs += 1
        job = replace(self.long, folder=self.home / f"run-{self.runs}")
        killed, missed, before = [], [], None
        for phase in phases:
            process = job.start()
            reached = wait_for(phase, job, process, self.pace, self.rng)
            seconds = stop(process, by)
            if not reached or process.returncode == 0:
                missed.append(phase)
                continue
            killed.append(Kill(f"{phase}, by {by.name}"))
            killed[-1].lost += faults(job.folder) + _steps_lost(job, before) + _unkind(process, job, by, seconds)
            before = newest_step(job.folder)
            self._note(killed[-1], job)
        self._end(job, killed, before)
        return missed

    def _end(self, job: Job, kills: list[Kill], before: int | None) -> None:
        """Let a run go on to its end and compare; what is lost is held against all its kills."""
        is_finished = (job.folder / "model.onnx").exists()
        code = job.finish()
        lost = [] if is_finished else _steps_lost(job, before)
        if code != 0:
            lost.append(f"the same command ended with exit code {code}: {job.text()}")
        elif result(job.folder) != self.expected[job.epochs]:
            lost.append("the run wrote another file than one that nobody stops")
        lost += faults(job.folder) + leftovers(job.folder)
        for kill in kills:
            kill.lost += lost
        if lost:
            sys.stderr.write(f"LOST: {lost}\n")

    def _note(self, kill: Kill, job: Job) -> None:
        self.kills.append(kill)
        state = f"checkpoint {newest_step(job.folder)}, unfinished {leftovers(job.folder)}"
        sys.stderr.write(f"{len(self.kills):3} {kill.where}: {kill.lost or 'nothing lost'}; {state}\n")


def _may_follow(phase: str, run: list[str]) -> bool:
    """Say whether a run that was stopped in these phases can still be met in one."""
    return phase == "start" or PHASES.index(phase) > max(map(PHASES.index, run))


def _steps_lost(job: Job, before: int | None) -> list[str]:
    """Return what a command lost of the checkpoint that was there when it was started."""
    said, reached, now = job.text(), gone_on_from(job.text()), newest_step(job.folder)
    found = []
    if reached is not None and reached != (before or 0):
        found.append(f"went on from step {reached}; the newest checkpoint was {before}")
    if reached is None and before is not None and "epoch " in said:
        found.append(f"began anew; the newest checkpoint was {before}")
    if before is not None and (now is None or now < before):
        found.append(f"checkpoint {before} is gone; the newest is {now}")
    return found


def _checkpoints_gone(job: Job, calls: Sequence[Call]) -> list[str]:
    """Return the newest checkpoint that calls had finished, where it, and all newer ones, are gone."""
    named = [Path(call.paths[-1]) for call in calls if call.name.startswith("rename")]
    finished = [
        int(path.stem) for path in named if path.suffix == ".json" and path.with_suffix(".safetensors") in named
    ]
    newest = newest_step(job.folder)
    is_gone = bool(finished) and (newest is None or newest < max(finished))
    return [f"checkpoint {max(finished)} was whole; the newest now is {newest}"] if is_gone else []


def _unkind(process: subprocess.Popen[bytes], job: Job, by: signal.Signals, seconds: float) -> list[str]:
    """Return what was wrong with how a job ended that was asked to stop."""
    if by == signal.SIGKILL:
        return []
    found = [] if process.returncode == 130 else [f"ended with exit code {process.returncode}"]
    found += [f"took {seconds:.1f} s to stop"] if seconds > PATIENCE_WITH_SIGTERM else []
    return found + (["showed a traceback"] if "Traceback" in job.text() else [])


def _lay(job: Job, begun: Path | None) -> None:
    """Make the run folder new, or a copy of one that was begun."""
    shutil.rmtree(job.folder, ignore_errors=True)
    if begun is not None:
        shutil.copytree(begun, job.folder)


def table(torture: Torture) -> list[str]:
    """Return the kills by place, as a Markdown table."""
    kills, lost = Counter(kill.where for kill in torture.kills), Counter(k.where for k in torture.kills if k.lost)
    return [
        "| killed at | kills | lost |",
        "| --- | ---: | ---: |",
        *(f"| {where} | {number} | {lost[where]} |" for where, number in kills.items()),
    ]


def figure(torture: Torture) -> str:
    """Return what `make torture` prints in the end."""
    return f"{len(torture.kills)} kills, {sum(bool(kill.lost) for kill in torture.kills)} lost"


def unsafe(torture: Torture) -> str:
    """Return how many files a power failure could have emptied."""
    return f"{len(torture.unsafe)} files got their final name before their content was on disk."


def page(torture: Torture, seed: int) -> str:
    """Return the page for the documentation."""
    disk = subprocess.run(["stat", "-f", "-c", "%T", torture.home], capture_output=True, text=True, check=True).stdout
    packages = ", ".join(f"{name} {version(name)}" for name in ("pocketvision", "torch"))
    made = f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}, {packages}, Python {platform.python_version()}, {disk.strip()}"
    return "\n".join(
        [
            NOTE,
            "# Torture",
            "",
            *INTRODUCTION,
            "",
            *table(torture),
            "",
            f"**{figure(torture)}.** {unsafe(torture)}",
            "",
            made,
            "",
        ]
    )


INTRODUCTION = """\
`make torture` stops small runs and goes on with the same command: with SIGKILL (`kill -9`) and SIGTERM at random moments (a
run may be stopped several times before it ends), and with SIGKILL at each of the first file-system calls that write the
checkpoints, the plan and the file, or with which a run goes on (`strace` kills it as it enters the call). A kill has *lost*
something when a file with a final name is not whole, when the same command fails or does not go on from the newest
checkpoint, or when the weights, the temperature, the golden outputs or the figures in `model.onnx` differ in one bit from
those of a run that nobody stopped; by SIGTERM also when the exit code is not 130, or more than 5 seconds pass.""".splitlines()


def main() -> int:
    """Do it all; return 1 where anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="at random moments (default: 20)")
    parser.add_argument("--terms", type=int, default=8, help="SIGTERM at random moments (default: 8)")
    parser.add_argument("--syscalls", type=int, default=40, help="first calls of a group to kill at (default: 40)")
    parser.add_argument("--epochs", type=int, default=60, help="of the runs killed at random moments (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--page", type=Path, help="write the figures there, as Markdown")
    options = parser.parse_args()
    require_strace()
    with tempfile.TemporaryDirectory(prefix="torture-") as home:
        torture = Torture(Path(home).resolve(), options.seed, options.epochs)
        if options.kills:
            torture.at_random_moments(options.kills, signal.SIGKILL)
        if options.terms:
            torture.at_random_moments(options.terms, signal.SIGTERM)
        if options.syscalls:
            torture.at_system_calls(options.syscalls, "checkpoint", CHECKPOINT)
            torture.at_system_calls(options.syscalls, "plan and file", PLAN_AND_FILE)
            torture.at_system_calls(min(20, options.syscalls), "going on", WHEN_GOING_ON, torture.begin())
        sys.stdout.write("\n".join([*table(torture), "", unsafe(torture), figure(torture)]) + "\n")
        if options.page:
            options.page.write_text(page(torture, options.seed), encoding="utf-8")
    return int(any(kill.lost for kill in torture.kills) or bool(torture.unsafe))


if __name__ == "__main__":
    sys.exit(main())
