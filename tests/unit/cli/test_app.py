"""Errors of the command line: one block on stderr; nothing on stdout; a traceback only with --debug."""

import ast
import json
import os
import subprocess
import sys

import pytest

from commandline import pocketvision
from pocketvision.errors import (
    BadArtifact,
    BadData,
    BadOption,
    RunFolderInUse,
    UnknownData,
    UnknownFamily,
    UsageError,
)
from pocketvision.model.families import FAMILIES
from refusals import complained

VERBS = (
    "fit, cut, compress, front, predict, evaluate, verify, report, export, probe, bench, info, show, explain, models, data, "
    "weights"
)


# words -> the error, what it names, and what it says to try
REFUSED = [
    ("fti photos", UsageError, ("'fti'", VERBS), "pocketvision fit"),
    ("modles", UsageError, ("'modles'", VERBS), "pocketvision models"),
    ("models --jsn", UsageError, ("--jsn",), "--json, or pocketvision models --help"),
    ("fit photos -o run --minuts 3", UsageError, ("--minuts",), "--minutes, or pocketvision fit --help"),
    ("--bug models", UsageError, ("--bug",), "--debug, or pocketvision --help"),
    ("fit photos", UsageError, ("model.onnx",), "-o run"),
    ("predict", UsageError, ("'file'",), "pocketvision predict --help"),
    ("models a", UsageError, ("(a)",), "pocketvision models --help"),
    ("predict --top 0 a b", UsageError, ("'--top'",), "pocketvision predict --help"),
    ("show mobilenet_v1 --width much", UsageError, ("'--width'",), "pocketvision show --help"),
    ("show mobilenet_v1_shalow", UnknownFamily, ("'mobilenet_v1_shalow'", *FAMILIES), "mobilenet_v1_shallow"),
    ("fit photos -o run --minutes 1 --epochs 1", BadOption, ("--minutes", "--epochs"), "one of the two"),
    ("fit photos -o run --epochs 0", BadOption, ("epochs", "got 0"), "--epochs 1"),
    ("fit nowhere -o run", UnknownData, ("'nowhere'",), "fashion-mnist"),
    ("fit empty -o run", BadData, ("empty holds",), "another path"),
    ("predict missing.onnx a.jpg", BadArtifact, ("'missing.onnx'", "No such file"), "pocketvision fit"),
    ("info empty", BadArtifact, ("'empty'", "Is a directory"), "pocketvision fit"),
    ("fit empty -o empty/text", RunFolderInUse, ("'empty/text'",), "-o empty/text-2"),
]


@pytest.mark.parametrize(("words", "kind", "named", "attempt"), REFUSED, ids=[words for words, *_ in REFUSED])
def test_errors(words, kind, named, attempt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "text").write_text("words")
    complained(pocketvision(*words.split()), kind, *named, attempt=attempt)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_debug_shows_the_traceback_wherever_it_stands():
    for words in ("--debug info missing.onnx", "info --debug missing.onnx", "info missing.onnx --debug"):
        outcome = pocketvision(*words.split())
        assert (outcome.code, outcome.out) == (4, "")
        assert outcome.err.startswith("Traceback (most recent call last):\n")
        assert outcome.last_line.startswith("BadArtifact: ") and "'missing.onnx'" in outcome.last_line


@pytest.mark.parametrize(
    ("error", "code", "start", "end"),
    [
        (ValueError("seven"), 70, "Bug: ValueError: seven Try: ", "--debug"),
        (KeyboardInterrupt(), 130, "Interrupted: ", "Ctrl-C"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "MissingExtra: ", "'pocketvision[train]'"),
    ],
)
def test_what_else_may_happen(error, code, start, end, monkeypatch):
    def fail(family):
        raise error

    monkeypatch.setattr("pocketvision.model.resolve.resolve", fail)
    outcome = pocketvision("models")
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith(start) and end in outcome.err and outcome.err.count("\n") == 1


def test_no_words_at_all_show_the_help():
    outcome = pocketvision()
    assert outcome == pocketvision("--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(verb in outcome.out for verb in VERBS.split(", "))


def test_every_verb_has_a_help():
    for verb in VERBS.split(", "):
        outcome = pocketvision(verb, "--help")
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith(f"Usage: pocketvision {verb} ")


def test_models_and_show_agree():
    models = pocketvision("models").out
    for family in json.loads(pocketvision("models", "--json").out):
        shown = json.loads(pocketvision("show", family["name"], "--json").out)
        assert (shown["params"], shown["macs"]) == (family["params"], family["macs"])
        assert sum(op["macs"] for op in shown["ops"]) == family["macs"]
        assert f"{family['params']:,}" in models
    assert f"{family['macs']:,}" in pocketvision("show", family["name"]).out


def test_show_takes_every_option_of_resolve():
    outcome = pocketvision(
        *("show", "mobilenet_v1", "--width", 0.5, "--resolution", 64, "--classes", 7, "--in-channels", 1),
        *("--output-stride", 8, "--dilate", "--json"),
    )
    assert json.loads(outcome.out)["options"] | {
        "width": 0.5, "resolution": 64, "classes": 7, "in_channels": 1, "output_stride": 8, "dilate": True
    } == json.loads(outcome.out)["options"]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "policy", "spins"),
    [
        ({}, "PASSIVE", "1000"),
        ({"OMP_WAIT_POLICY": "passive"}, "passive", "1000"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", None),
        ({"GOMP_SPINCOUNT": "7"}, "PASSIVE", "7"),
    ],
)
def test_threads_sleep_after_a_moment_unless_the_user_says_how_they_wait(given, policy, spins):
    """In a process of its own: the environment is read when torch is loaded."""
    code = "import os; from pocketvision.cli import app; app.run = lambda words: print(dict(os.environ)); app.main()"
    kept = {name: value for name, value in os.environ.items() if "OMP_" not in name}
    found = subprocess.run([sys.executable, "-c", code], env=kept | given, capture_output=True, text=True, check=True)
    environment = ast.literal_eval(found.stdout)
    assert (environment["OMP_WAIT_POLICY"], environment.get("GOMP_SPINCOUNT")) == (policy, spins)
