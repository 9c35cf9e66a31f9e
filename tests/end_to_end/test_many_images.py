"""predict over folders that do not fit into memory: in order, nothing missed, memory flat, and a partial answer that is whole."""

import csv
import logging
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commandline import start_program

DIFFERENT = 300
MOST_GROWTH_MB = 30  # from a tenth of the way on


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> list[Path]:
    """A few hundred small photographs, and one that is broken."""
    folder = tmp_path_factory.mktemp("originals")
    rng = np.random.default_rng(0)
    for number in range(DIFFERENT):
        cells = rng.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(cells).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{number:03}.jpg")
    (folder / "broken.jpg").write_bytes((folder / "000.jpg").read_bytes()[:300])
    return sorted(folder.iterdir())


def fill(folder: Path, originals: list[Path], count: int) -> list[Path]:
    """Link so many files to the originals, a hundred to a sub-folder; return them in order."""
    made = []
    for number in range(count):
        place = folder / f"{number // 100:04}"
        place.mkdir(parents=True, exist_ok=True)
        made.append(place / f"{number % 100:02}.jpg")
        made[-1].symlink_to(originals[number % len(originals)])
    return made


def is_broken(path: Path) -> bool:
    return path.resolve().name == "broken.jpg"


def rows_of(text: str) -> list[list[str]]:
    header, *rows = csv.reader(text.splitlines())
    assert header == ["source", "unknown", "label_1", "probability_1"]
    return rows


def memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1000


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_no_file_is_missed_and_memory_stays(model, originals, tmp_path, count):
    files = fill(tmp_path / "photos", originals, count)
    good, broken = ([file for file in files if is_broken(file) == wanted] for wanted in (False, True))
    answers, errors = tmp_path / "answers.csv", tmp_path / "errors.txt"
    with answers.open("w") as out, errors.open("w") as err:
        process = start_program("predict", model, tmp_path / "photos", "--csv", stdout=out, stderr=err)
        seen = []  # (bytes written, MB)
        while process.poll() is None:
            try:
                seen.append((answers.stat().st_size, memory_mb(process.pid)))
            except (OSError, IndexError):  # it has ended in between
                break
            time.sleep(0.05)
        assert process.wait(60) == 3
    rows = rows_of(answers.read_text())
    assert [row[0] for row in rows] == list(map(str, good))
    *told, summary = [line for line in errors.read_text().splitlines() if not line.startswith("answering: ")]
    assert summary == f"{len(broken):,} of {count:,} images could not be read."
    assert [line.split(": ")[1] for line in told] == list(map(str, broken))
    total = answers.stat().st_size
    early = max(memory for written, memory in seen if written <= 0.1 * total + 2**16)
    late = max(memory for written, memory in seen)
    logging.getLogger(__name__).info("%s files: %.0f MB at first, %.0f MB at most", count, early, late)
    assert late - early < MOST_GROWTH_MB


def test_ctrl_c_leaves_whole_rows(model, originals, tmp_path):
    files = fill(tmp_path / "photos", originals[1:], 6_000)
    answers = tmp_path / "answers.csv"
    with answers.open("w") as out:
        process = start_program("predict", model, tmp_path / "photos", "--csv", stdout=out, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while answers.stat().st_size < 20_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    text = answers.read_text()
    rows = rows_of(text)
    assert text.endswith("\n") and 0 < len(rows) < len(files)
    assert [row[0] for row in rows] == [str(file) for file in files if not is_broken(file)][: len(rows)]
    assert all(len(row) == 4 and 0 <= float(row[3]) <= 1 for row in rows)
