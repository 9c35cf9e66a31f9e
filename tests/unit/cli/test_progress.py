"""Every event as one line, on stderr; a terminal gets bars."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from rich.live import Live

from pocketvision.cli import progress
from pocketvision.cli.progress import Bars, Lines, describe, watch
from pocketvision.events import Epoch, Measured, Note, Progress, Step, Timed
from pocketvision.run.timing import FEWEST_ROUNDS

STEP = Step(epoch=2, epochs=9, step=3, steps=40, loss=1.23456, lr=0.1, images_per_second=1234.5, seconds_left=61)
EPOCH = Epoch(
    epoch=2, epochs=9, loss=0.5, validation_loss=0.7, validation_top1=0.9, lr=0.1, seconds=12.3, images_per_second=999
)
TIMED = Timed("net_a", latency_ms=1.23456, p95_ms=1.5, noise_ms=0.0456, rounds=3)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Note("a [choice] was made"), "a [choice] was made"),
        (Measured("size in MB", 1.5), "size in MB: 1.5000"),
        (Progress("decoding", 1000, 2000), "decoding: 1,000 of 2,000"),
        (STEP, "epoch 2/9, step 3/40: loss 1.235, 1,234 images/s, 1:01 left"),
        (EPOCH, "epoch 2/9: loss 0.500, validation top-1 0.9000, 999 images/s, 12 s"),
        (TIMED, "net_a: 1.235 +- 0.046 ms, 3 rounds"),
    ],
)
def test_one_line(event, line):
    assert describe(event) == line


def work():
    yield Note("begun")
    yield STEP
    yield EPOCH
    return "result"


def test_watch_returns_what_the_work_returns(capsys):
    assert watch(work()) == "result"
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "begun\nepoch 2/9: loss 0.500, validation top-1 0.9000, 999 images/s, 12 s\n"


@pytest.mark.parametrize("event", [STEP, Progress("decoding", 1, 2), TIMED])
def test_a_sign_of_life_every_ten_seconds(event, capsys, monkeypatch):
    times = iter((0.0, 1.0, 9.0, 10.0, 10.0, 11.0, 19.0, 20.5, 20.5))  # asked again where a line is written
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    lines = Lines()
    for _ in range(6):
        lines.draw(event)
    assert capsys.readouterr().err == f"{describe(event)}\n" * 2


@pytest.fixture
def terminal(monkeypatch):
    """What a terminal is sent; the display moves on only when the test says so."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, highlight=False)
    monkeypatch.setattr(progress, "Console", lambda **options: console)
    monkeypatch.setattr(progress, "Live", lambda **options: Live(**options, auto_refresh=False))
    return screen


def seen(bars, terminal):
    """The picture as it is now, as text."""
    terminal.seek(0)
    terminal.truncate()
    bars._live.refresh()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", terminal.getvalue()).split("\n")


def test_bars_on_a_terminal(terminal):
    bars = Bars()
    for event in (Note("a [choice] was made"), Progress("decoding", 1, 2), STEP, EPOCH, Progress("evaluating", 1, 0)):
        bars.draw(event)
    bars.close()
    assert "a [choice] was made" in terminal.getvalue()
    assert "epoch 2/9: loss 0.500" in terminal.getvalue()


def test_what_is_timed_is_a_table_above_the_bar(terminal):
    bars = Bars()
    for event in (TIMED, replace(TIMED, name="net_b", latency_ms=20.0), replace(TIMED, latency_ms=1.5, rounds=4)):
        bars.draw(event)
    header, first, second, bar = seen(bars, terminal)
    assert header.split() == ["network", "ms", "+-", "p95"]
    assert first.split() == ["net_a", "1.500", "0.046", "1.500"]  # the latest, in its old place
    assert second.split() == ["net_b", "20.000", "0.046", "1.500"]
    assert bar.startswith("timing, rounds") and bar.endswith(f"4/{FEWEST_ROUNDS} net_a")
    bars.close()


def test_more_rounds_than_the_fewest_are_a_full_bar(terminal):
    bars = Bars()
    bars.draw(replace(TIMED, rounds=37))
    assert "37/37" in seen(bars, terminal)[-1]
    bars.close()


@pytest.mark.parametrize("event", [Note("a choice"), Progress("measuring", 1, 2), STEP])
def test_the_table_goes_when_something_else_begins(event, terminal):
    bars = Bars()
    bars.draw(TIMED)
    bars.draw(event)
    assert "network" not in seen(bars, terminal)[0]
    bars.draw(replace(TIMED, name="net_b"))
    assert [line.split()[0] for line in seen(bars, terminal)] == ["network", "net_b", "timing,"]
    bars.close()
