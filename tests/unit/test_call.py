"""pv.fit and pv.plan: what they can be asked for, what is said of a wrong word, and what is shown."""

import inspect
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import typer

import pocketvision as pv
from pocketvision import call
from pocketvision.call import _checked, _run
from pocketvision.cli.app import app
from pocketvision.errors import BadOption
from pocketvision.events import Note
from pocketvision.jobs.options import LIMITS, Asked, FitOptions
from refusals import refused

NO_KEYWORDS = {"help", "json", "plan"}  # of Python: pv.plan, and what a result says of itself


def test_every_option_of_the_command_line_is_a_documented_typed_keyword():
    command = typer.main.get_command(app).commands["fit"]
    options = {parameter.name for parameter in command.params} - NO_KEYWORDS
    parameters = inspect.signature(pv.fit).parameters
    assert options <= set(parameters)
    assert all(f"    {name}: " in pv.fit.__doc__ for name in parameters)
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters.values())


def test_keywords_are_the_fields_of_the_options():
    assert set(Asked.__annotations__) == {field.name for field in fields(FitOptions)} | set(LIMITS)
    assert set(inspect.signature(pv.plan).parameters) >= set(Asked.__annotations__)
    hints = get_type_hints(FitOptions)
    same = set(hints) - {"budget"}
    assert {name: get_type_hints(Asked)[name] for name in same} == {name: hints[name] for name in same}
    defaults = {name: inspect.signature(pv.fit).parameters[name].default for name in same}
    assert defaults | {"minutes": 15.0} == {name: getattr(FitOptions(), name) for name in same}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizemb": 1}, "fit has no option 'sizemb'. Try: size_mb=, or help(pv.fit), which lists all"),
        ({"batchsize": 8}, "fit has no option 'batchsize'. Try: batch_size=, or help(pv.fit), which lists all"),
        ({"plan": True}, "fit has no option 'plan'. Try: pv.plan(data, ...)"),
        ({"minutes": "15"}, "minutes must be float or None; got '15', str. Try: help(pv.fit), or minutes=None"),
        ({"resolution": 1.5}, "resolution must be int or None; got 1.5, float. Try: help(pv.fit), or resolution=None"),
        ({"seed": True}, "seed must be int; got True, bool. Try: help(pv.fit), or seed=0"),
        ({"on_event": 3}, "on_event must be a function or None; got 3, int. Try: help(pv.fit), or on_event=None"),
        ({"out": 3}, "out must be str or Path; got 3, int. Try: a path"),
        (
            {"budget": pv.Budget(size_mb=1), "size_mb": 2},
            "size_mb is given twice: alone, and in the budget. Try: one of the two",
        ),
    ],
)
def test_refusals(options, message):
    with pytest.raises(BadOption) as caught:
        pv.fit(**{"data": "x", "out": "run"} | options)
    assert str(caught.value) == message


def test_what_is_missing_is_named():
    with refused(BadOption, "'out'", attempt='pv.fit("photos/", out="run", minutes=15)'):
        pv.fit("x", size_mb=0.5)


def test_limits_become_the_budget():
    options = FitOptions.of(size_mb=0.5, macs="50M", latency_ms=None, budget=pv.Budget(memory_mb=3), epochs=2)
    assert options == FitOptions(budget=pv.Budget(size_mb=0.5, macs=50e6, memory_mb=3), epochs=2)
    assert FitOptions.of() == FitOptions()


@pytest.mark.parametrize(("given", "kind", "hint"), [(np.int64(3), int, int), (np.float32(0.5), float, float | None)])
def test_numbers_of_numpy_become_plain(given, kind, hint):
    assert type(_checked("x", given, hint, None)) is kind


def work():
    yield Note("Something was decided.")
    return 3


@pytest.mark.parametrize(
    ("progress", "listens", "shown"),
    [(None, False, True), (None, True, False), (True, True, True), (False, False, False)],
)
def test_progress_is_shown_unless_told_not_to(progress, listens, shown, capsys):
    heard = []
    assert _run(work(), heard.append if listens else None, progress) == 3
    assert (capsys.readouterr().err == "Something was decided.\n") is shown
    assert len(heard) == listens


def test_dir_lists_what_there_is():
    assert dir(pv) == sorted(pv.__all__)
    assert all(hasattr(pv, name) for name in dir(pv))
    assert pv.fit is call.fit


def test_a_name_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match=r"has no attribute 'fitt'; it has .*; nearest: fit$"):
        pv.fitt  # noqa: B018


def test_programs_that_check_types_are_told_the_same_names():
    stub = Path(sys.modules["pocketvision"].__file__).with_suffix(".pyi").read_text()
    assert f"__all__ = {str(pv.__all__).replace(chr(39), chr(34))}" in stub
    for name in set(pv.__all__) - {"__version__"}:
        assert f" as {name}\n" in stub
