"""Puts each fault of `mutants.py` into a copy of the source, one at a time, and says which the tests notice.

    python tests/mutants/run.py --results new.json                       of this tree
    python tests/mutants/run.py --results old.json --root ../old         of another
    python tests/mutants/run.py --results new.json --control             the tests that failed pass without a fault
    python tests/mutants/run.py --table old.json new.json                Markdown, one line a fault

Results are written after each fault, and those that are there are not worked out again. Each fault has a process, a copy of the
source and a cache of its own; what is imported anyway and belongs to others is imported once, before the processes part.
"""

import argparse
import ast
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from mutants import MUTANTS, Mutant

HOME = Path(__file__).resolve().parents[2]
PACKAGE = Path("src", "pocketvision")
SOURCES = (".py", ".c", ".h")
SECONDS = 900  # a fault may make a loop endless
BY_OTHERS = (
    "torch",
    "torchvision",
    "onnx",
    "onnxruntime",
    "pydantic",
    "typer",
    "rich",
    "safetensors.torch",
    "PIL.Image",
)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def read_sources(root: Path) -> dict[Path, str]:
    """Return the text of all sources of a tree, by path inside it."""
    found = (path for path in (root / PACKAGE).rglob("*") if path.suffix in SOURCES)
    return {path.relative_to(root): path.read_text(encoding="utf-8") for path in found}


def locate(mutant: Mutant, sources: Mapping[Path, str]) -> tuple[Path, str]:
    """Return the file that a fault goes into, and its text with the fault.

    Raises:
        LookupError: the snippet is not there once, or what results is no Python.
    """
    for before, after in ((mutant.before, mutant.after), (mutant.old_before, mutant.old_after)):
        places = [path for path, text in sources.items() if before and before in text]
        if not places:
            continue
        if len(places) > 1 or sources[places[0]].count(before) > 1:
            raise LookupError(f"{mutant.name}: {before!r} stands more than once, in {', '.join(map(str, places))}")
        changed = sources[places[0]].replace(before, after)
        if places[0].suffix == ".py":
            ast.parse(changed)
        return places[0], changed
    raise LookupError(f"{mutant.name}: no source holds {mutant.before!r}")


def tests_of(mutant: Mutant, root: Path) -> list[str]:
    """Return those of a fault's tests that a tree has.

    Raises:
        LookupError: it has none.
    """
    found = [test for test in (*mutant.tests, *mutant.old_tests) if (root / test.partition("::")[0]).exists()]
    if not found:
        raise LookupError(f"{mutant.name}: there is none of {', '.join(mutant.tests)}")
    return found


class FirstFailure:
    """A plugin of pytest that writes down the first test that fails, or the first file that cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.note(report)

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.path.exists():
            self.path.write_text(report.nodeid, encoding="utf-8")


def run_pytest(root: Path, folder: Path, tests: Sequence[str], words: Sequence[str]) -> None:
    """Run tests of a tree on the source that lies in a folder; ends this process with pytest's exit code."""
    os.setsid()
    os.chdir(root)
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        path = os.devnull if number == 0 else str(folder / "output.txt")
        os.dup2(os.open(path, mode | (os.O_CREAT | os.O_APPEND if number else 0)), number)
    scratch = folder / "scratch"
    scratch.mkdir()
    os.environ |= {
        "PYTHONPATH": str(folder / "src"),
        "POCKETVISION_CACHE": str(folder / "cache"),
        "TMPDIR": str(scratch),
    }
    tempfile.tempdir = None
    sys.path[0] = str(folder / "src")
    for name in ("mutants", "run"):
        sys.modules.pop(name, None)
    own = ["-q", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={scratch / 'pytest'}"]
    code = int(pytest.main([*own, *words, *tests], plugins=[FirstFailure(folder / "first.txt")]))
    os._exit(code)  # whatever threads a fault leaves


def try_out(root: Path, changed: Mapping[Path, str], tests: Sequence[str], words: Sequence[str]) -> dict[str, object]:
    """Return what tests of a tree say of its source with some files changed: verdict, seconds, first failing test."""
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        shutil.copytree(root / "src", folder / "src")
        for path, text in changed.items():
            (folder / path).write_text(text, encoding="utf-8")
            for stale in (folder / path).parent.glob(f"__pycache__/{path.stem}.*"):
                stale.unlink()
        kernels = Path.home() / ".cache" / "pocketvision" / "kernels"  # their names are digests of their sources
        if kernels.is_dir():
            shutil.copytree(kernels, folder / "cache" / "kernels")
        began = time.monotonic()
        process = multiprocessing.get_context("fork").Process(target=run_pytest, args=(root, folder, tests, words))
        process.start()
        process.join(SECONDS)
        is_late = process.is_alive()
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # what tests have started, too
        process.join()
        seconds = round(time.monotonic() - began, 1)
        first = folder / "first.txt"
        by = first.read_text(encoding="utf-8") if first.exists() else ""
        by = by or (f"no end within {SECONDS} s" if is_late else "")
        by = by or (f"ended by signal {-process.exitcode}" if (process.exitcode or 0) < 0 else "")
        if not by and process.exitcode != 0:
            raise RuntimeError(f"pytest ended with {process.exitcode}: {(folder / 'output.txt').read_text()[-2000:]}")
        return {"verdict": "killed" if by else "survived", "seconds": seconds, "by": by}


def run(root: Path, mutants: Sequence[Mutant], results: Path) -> None:
    """Try out all mutants that have no result yet."""
    sources = read_sources(root)
    places = {mutant.name: locate(mutant, sources) for mutant in mutants}
    chosen = {mutant.name: tests_of(mutant, root) for mutant in mutants}
    known = json.loads(results.read_text()) if results.exists() else {}
    for number, mutant in enumerate(mutants, start=1):
        if mutant.name in known:
            continue
        known[mutant.name] = try_out(root, dict([places[mutant.name]]), chosen[mutant.name], ["-x"])
        results.write_text(json.dumps(known, indent=1))
        found = known[mutant.name]
        sys.stdout.write(f"{number:3} {mutant.name:42} {found['verdict']:9} {found['seconds']:6} s  {found['by']}\n")
        sys.stdout.flush()


def control(root: Path, results: Path) -> bool:
    """Return whether all tests that noticed a fault pass where there is none."""
    by = {found["by"].partition("[")[0] for found in json.loads(results.read_text()).values() if found["by"]}
    found = try_out(root, {}, sorted(test for test in by if (root / test.partition("::")[0]).exists()), ["-x"])
    sys.stdout.write(f"{len(by)} tests that noticed a fault, without one: {found['by'] or 'all pass'}\n")
    return not found["by"]


def table(old: Mapping[str, dict[str, str]], new: Mapping[str, dict[str, str]]) -> Iterable[str]:
    """Return a table in Markdown: each fault, and the verdicts of two suites."""
    yield "| fault | what no longer holds | old suite | new suite |"
    yield "| --- | --- | --- | --- |"
    for mutant in MUTANTS:
        verdicts = (suite.get(mutant.name, {}).get("verdict", "-") for suite in (old, new))
        yield f"| {mutant.name} | {mutant.breaks} | {' | '.join(verdicts)} |"
    counts = (sum(one["verdict"] == "killed" for one in suite.values()) for suite in (old, new))
    yield f"| {len(MUTANTS)} faults | killed | {' | '.join(map(str, counts))} |"


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=HOME, help="the tree whose source and tests are taken")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults to try; all, if none is named")
    parser.add_argument("--results", type=Path, default=Path("mutants.json"), help="where results are kept")
    parser.add_argument("--control", action="store_true", help="run what has failed on the source as it is")
    parser.add_argument("--table", nargs=2, type=Path, metavar=("OLD", "NEW"), help="print both results side by side")
    options = parser.parse_args()
    if options.table:
        old, new = (json.loads(path.read_text()) for path in options.table)
        sys.stdout.write("\n".join(table(old, new)) + "\n")
        return 0
    os.environ |= ONE_THREAD
    for name in BY_OTHERS:
        importlib.import_module(name)
    root = options.root.resolve()
    if options.control:
        return 0 if control(root, options.results.resolve()) else 1
    chosen = [mutant for mutant in MUTANTS if not options.only or mutant.name in options.only]
    run(root, chosen, options.results.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
