"""Every event as one line, on stderr; a terminal gets bars."""

import io

import pytest
from rich.console import Console

from pocketvision.cli import progress
from pocketvision.cli.progress import Bars, Lines, describe, watch
from pocketvision.events import Epoch, Measured, Note, Progress, Step

STEP = Step(epoch=2, epochs=9, step=3, steps=40, loss=1.23456, lr=0.1, images_per_second=1234.5, seconds_left=61)
EPOCH = Epoch(
    epoch=2, epochs=9, loss=0.5, validation_loss=0.7, validation_top1=0.9, lr=0.1, seconds=12.3, images_per_second=999
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Note("a [choice] was made"), "a [choice] was made"),
        (Measured("size in MB", 1.5), "size in MB: 1.5000"),
        (Progress("decoding", 1000, 2000), "decoding: 1,000 of 2,000"),
        (STEP, "epoch 2/9, step 3/40: loss 1.235, 1,234 images/s, 1:01 left"),
        (EPOCH, "epoch 2/9: loss 0.500, validation top-1 0.9000, 999 images/s, 12 s"),
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


def test_a_sign_of_life_every_ten_seconds(capsys, monkeypatch):
    times = iter((0.0, 1.0, 9.0, 10.0, 10.0, 11.0, 19.0, 20.5, 20.5))  # asked again where a line is written
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    lines = Lines()
    for _ in range(6):
        lines.draw(STEP)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_bars_on_a_terminal(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        progress,
        "Console",
        lambda **options: Console(file=screen, force_terminal=True, width=120, **{"highlight": False}),
    )
    bars = Bars()
    for event in (Note("a [choice] was made"), Progress("decoding", 1, 2), STEP, EPOCH, Progress("evaluating", 1, 0)):
        bars.draw(event)
    bars.close()
    assert "a [choice] was made" in screen.getvalue()
    assert "epoch 2/9: loss 0.500" in screen.getvalue()
