"""Nothing in the product ever unpickles: every verb runs under an audit hook, and the source is searched.

Python raises the event `pickle.find_class` whenever an unpickler, in C or in Python, looks up a class or a function: the
step by which a pickle runs code. The hook is laid into each process, and into all that it starts, as `sitecustomize`.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import pocketvision
from commandline import ONE_THREAD, SMALL
from pocketvision.cli.app import app
from published import save_torchvision

SOURCE = Path(pocketvision.__file__).parent
LOG = "POCKETVISION_TEST_AUDIT_LOG"
HOOK = f"""
import os, sys, traceback

def note(event, arguments):
    if event == "pickle.find_class":
        with open(os.environ[{LOG!r}], "a") as log:
            log.write(f"{{arguments}} in {{sys.argv}}\\n" + "".join(traceback.format_stack()))

sys.addaudithook(note)
open(os.environ[{LOG!r}] + ".ran", "a").write(f"{{sys.argv}}\\n")
"""
# Runs commands one after the other; their exit codes become a file
COMMANDS = """
import json, sys
from pathlib import Path
from pocketvision.cli.app import run

found, *commands = sys.argv[1:]
Path(found).write_text(json.dumps([run(json.loads(words)) for words in commands]))
"""
# Before that a training: it stops in the middle of the second epoch, goes on to the end, and is found finished
TRAINING = """
import signal, sys
from pocketvision.errors import Interrupted
from pocketvision.events import Step
from pocketvision.call import fit

seen = []

def stop(event):
    seen.append(isinstance(event, Step))
    if sum(seen) == 4:
        signal.raise_signal(signal.SIGINT)

photos, folder = sys.argv.pop(1), sys.argv.pop(1)
for listener, is_stopped in ((stop, True), (print, False), (print, False)):
    try:
        fit(photos, folder, listener, epochs=2, width=0.25, resolution=32, batch_size=8)
    except Interrupted:
        assert is_stopped
    else:
        assert not is_stopped
"""
PICKLE = b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R."
PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pandas"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What one process keeps for the next, kernels and how fast engines are, was written under the hook, too."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def audited(cache, tmp_path):
    """Return a function that runs Python under the hook; it returns the exit code and what the hook saw."""
    hooks, log = tmp_path / "hooks", tmp_path / "audit.log"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    paths = [str(hooks), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = ONE_THREAD | {"PYTHONPATH": os.pathsep.join(paths), LOG: str(log)}
    environment["POCKETVISION_CACHE"] = str(cache)

    def run(*words):
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        ran = log.with_name(f"{log.name}.ran")
        assert ran.read_text(), "the hook was not laid"
        ran.unlink()
        return done.returncode, log.read_text() if log.exists() else ""

    return run


@pytest.mark.parametrize("module", ["pickle", "_pickle"])
def test_the_hook_sees_a_class(audited, module):
    code, seen = audited("-c", f"import {module}, io; {module}.Unpickler(io.BytesIO({PICKLE!r})).load()")
    assert code == 0
    assert "('collections', 'OrderedDict')" in seen


def test_the_hook_sees_a_class_in_a_process_that_was_started(audited):
    inner = "import pickle, fractions; pickle.loads(pickle.dumps(fractions.Fraction(1, 2)))"
    code, seen = audited("-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)")
    assert code == 0
    assert "('fractions', 'Fraction')" in seen


@pytest.fixture
def exit_codes(audited, tmp_path):
    """Return a function that runs commands under the hook; it returns their exit codes and what the hook saw."""

    def exit_codes(*commands, program=COMMANDS, arguments=()):
        found = tmp_path / "codes.json"
        words = (json.dumps(list(map(str, words))) for words in commands)
        code, seen = audited("-c", program, *arguments, found, *words)
        assert code == 0
        return json.loads(found.read_text()), seen

    return exit_codes


# the photographs are of mixed kinds; labels of so short a training may change in integers
CODES = {"data check": (1,), "compress": (0, 1)}
VERBS = {
    "predict": ("{model}", "{photos}/cat/000.jpg", "{photos}/rocket"),
    "evaluate": ("{model}", "{photos}", "--part", "all"),
    "verify": ("{model}",),
    "cut": ("{elastic}", "--macs", "1M", "-o", "{out}/cut.onnx"),
    "compress": ("{model}", "--data", "{photos}", "-o", "{out}/int8.onnx"),
    "front": ("{elastic}",),
    "report": ("{run}", "-o", "{out}/report.html"),
    "probe": ("--seconds", "0.1", "--widths", "0.25", "--resolutions", "96", "-o", "{out}/device.json"),
    "bench": ("{model}", "--seconds", "0.1", "--batch", "1", "--plot", "{out}/bench.svg"),
    "info": ("{model}",),
    "show": ("mobilenet_v1",),
    "explain": ("mobilenet_v1",),
    "models": (),
    "export": ("mobilenet_v2", "--weights", "{weights}", "--resolution", "64", "-o", "{out}/v2.onnx"),
    "weights list": (),
    "weights info": ("{weights}",),
    "weights import": ("{weights}", "kept"),
    "data check": ("{photos}", "--sheet", "{out}/sheet.png"),
}


def verbs(command, name=""):
    """Yield the names of all commands, those of groups too."""
    for part, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, f"{name} {part}".strip())
    if not hasattr(command, "commands"):
        yield name


def test_all_verbs_are_known():
    assert set(verbs(typer.main.get_command(app))) == {"fit", *VERBS}


def test_training_and_going_on_and_every_other_verb(exit_codes, run_folder, elastic, photos, tmp_path):
    places = {
        "elastic": elastic[0],
        "model": run_folder / "model.onnx",
        "run": run_folder,
        "photos": photos,
        "out": tmp_path,
        "weights": save_torchvision(tmp_path, "mobilenet_v2", 1.0)[0],
    }
    commands = [(*verb.split(), *(word.format(**places) for word in words)) for verb, words in VERBS.items()]
    training = {"program": TRAINING + COMMANDS, "arguments": (photos, tmp_path / "trained")}
    codes, seen = exit_codes(("fit", photos, *SMALL, "--plan"), *commands, **training)
    assert (tmp_path / "trained" / "model.onnx").exists()
    for verb, code in zip(("fit", *VERBS), codes, strict=True):
        assert code in CODES.get(verb, (0,)), verb
    assert not seen


def test_the_smallest_installation(audited, model, photos):
    assert audited("-m", "pocketvision.run", model, photos / "cat" / "000.jpg") == (0, "")


def test_a_file_and_an_image_that_are_pickles(exit_codes, model, tmp_path):
    """Neither a model nor an image is ever handed to an unpickler."""
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(PICKLE)
    commands = [("predict", bad, bad), ("verify", bad), ("info", bad), ("predict", model, bad)]
    assert exit_codes(*commands) == ([4, 4, 4, 3], "")


def unpicklers(tree):
    """Yield the lines that could unpickle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            if {module.split(".")[0] for module in modules} & PICKLES:
                yield node.lineno
            if isinstance(node, ast.ImportFrom) and modules[0].split(".")[0] == "torch" and "load" in names:
                yield node.lineno  # a torch.load by another name
        elif isinstance(node, ast.Call):
            name, keywords = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in ("torch.load", "torch.hub.load_state_dict_from_url") and keywords.get("weights_only") != "True":
                yield node.lineno
            if keywords.get("allow_pickle", "False") != "False" or name in (
                "__import__",
                "torch.save",
                "torch.jit.load",
            ):
                yield node.lineno


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("import pickle", True),
        ("import os, pickle as p", True),
        ("from pickle import loads", True),
        ("import joblib.numpy_pickle", True),
        ("from torch import load", True),
        ("torch.load(file)", True),
        ("torch.load(file, weights_only=False)", True),
        ("torch.load(file, weights_only=flag)", True),
        ("torch.load(file, weights_only=True)", False),
        ("np.load(file, allow_pickle=True)", True),
        ("np.load(file, allow_pickle=False)", False),
        ("torch.jit.load(file)", True),
        ("from safetensors.torch import load", False),
        ("import json", False),
    ],
)
def test_the_search_finds_what_could_unpickle(line, is_found):
    assert bool(list(unpicklers(ast.parse(line)))) == is_found


def test_the_source_holds_no_unpickler():
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 50
    found = {
        str(file.relative_to(SOURCE)): lines
        for file in files
        if (lines := list(unpicklers(ast.parse(file.read_text()))))
    }
    assert found == {}
