"""Errors of the command line: one block on stderr, read whole; nothing on stdout; a traceback only with --debug."""

import ast
import json
import os
import subprocess
import sys

import pytest

from commandline import pocketvision
from pocketvision.model.families import FAMILIES

VERBS = (
    "fit, cut, compress, front, predict, evaluate, verify, report, export, probe, bench, info, show, explain, models, data, "
    "weights"
)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("fti photos", 2, f"UsageError: no verb 'fti'. Known: {VERBS}. Try: pocketvision fit"),
        ("modles", 2, f"UsageError: no verb 'modles'. Known: {VERBS}. Try: pocketvision models"),
        ("models --jsn", 2, "UsageError: No such option: --jsn. Try: --json, or pocketvision models --help"),
        (
            "fit photos -o run --minuts 3",
            2,
            "UsageError: No such option: --minuts. Try: --minutes, or pocketvision fit --help",
        ),
        ("--bug models", 2, "UsageError: No such option: --bug. Try: --debug, or pocketvision --help"),
        (
            "fit photos",
            2,
            "UsageError: a run folder is missing: where model.onnx goes. Try: -o run, or --plan to look first",
        ),
        ("predict", 2, "UsageError: Missing argument 'file'. Try: pocketvision predict --help"),
        ("models a", 2, "UsageError: Got unexpected extra argument(s) (a). Try: pocketvision models --help"),
        (
            "show mobilenet_v1_shalow",
            2,
            f"UnknownFamily: no family 'mobilenet_v1_shalow'. Known: {', '.join(FAMILIES)}. Try: mobilenet_v1_shallow",
        ),
        (
            "fit photos -o run --minutes 1 --epochs 1",
            2,
            "BadOption: --minutes and --epochs contradict each other: time or epochs, not both. Try: one of the two",
        ),
        ("fit photos -o run --epochs 0", 2, "BadOption: epochs must be above 0; got 0. Try: --epochs 1"),
        (
            "fit nowhere -o run",
            3,
            "UnknownData: no file or folder 'nowhere', and no data set of that name. Known: fashion-mnist. Try: fashion-mnist",
        ),
        (
            "fit empty -o run",
            3,
            "BadData: empty holds no class folders and no images; one folder for each class is right, such as "
            "photos/cat/1.jpg and photos/dog/1.jpg. Try: another path",
        ),
        (
            "predict missing.onnx a.jpg",
            4,
            "BadArtifact: cannot read 'missing.onnx': No such file or directory. Try: the path of a file that pocketvision "
            "fit wrote",
        ),
        (
            "info empty",
            4,
            "BadArtifact: cannot read 'empty': Is a directory. Try: the path of a file that pocketvision fit wrote",
        ),
        (
            "fit empty -o empty/text",
            2,
            "RunFolderInUse: 'empty/text' exists and would be overwritten; a run needs a folder of its own. "
            "Try: -o empty/text-2",
        ),
    ],
)
def test_messages(words, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "text").write_text("words")
    outcome = pocketvision(*words.split())
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"{message}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        ("predict --top 0 a b", "UsageError: Invalid value for '--top': ", ". Try: pocketvision predict --help\n"),
        (
            "show mobilenet_v1 --width much",
            "UsageError: Invalid value for '--width': ",
            ". Try: pocketvision show --help\n",
        ),
    ],
)
def test_a_bad_value_is_named_with_its_option(words, start, end):
    """The words in between are the parser's own."""
    outcome = pocketvision(*words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(start)
    assert outcome.err.endswith(end)


@pytest.mark.parametrize(
    "words", ["--debug info missing.onnx", "info --debug missing.onnx", "info missing.onnx --debug"]
)
def test_debug_shows_the_traceback_wherever_it_stands(words):
    outcome = pocketvision(*words.split())
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err.startswith("Traceback (most recent call last):\n")
    assert outcome.last_line.startswith("BadArtifact: cannot read 'missing.onnx'")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValueError("seven"), 70, "Bug: ValueError: seven Try: the same command with --debug, and report it"),
        (KeyboardInterrupt(), 130, "Interrupted: stopped by Ctrl-C."),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            2,
            "MissingExtra: this needs the module 'torch', which is not installed. Try: pip install 'pocketvision[train]'",
        ),
    ],
)
def test_what_else_may_happen(error, code, message, monkeypatch):
    def fail(family):
        raise error

    monkeypatch.setattr("pocketvision.model.resolve.resolve", fail)
    outcome = pocketvision("models")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"{message}\n")


def test_no_words_at_all_show_the_help():
    outcome = pocketvision()
    assert outcome == pocketvision("--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(verb in outcome.out for verb in VERBS.split(", "))


@pytest.mark.parametrize("verb", VERBS.split(", "))
def test_every_verb_has_a_help(verb):
    outcome = pocketvision(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: pocketvision {verb} ")


def test_models_and_show_agree():
    for family in json.loads(pocketvision("models", "--json").out):
        shown = json.loads(pocketvision("show", family["name"], "--json").out)
        assert (shown["params"], shown["macs"]) == (family["params"], family["macs"])
        assert sum(op["macs"] for op in shown["ops"]) == family["macs"]
        assert f"{family['params']:,}" in pocketvision("models").out
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
