import json
import subprocess
import sys

import pytest
from PIL import Image

from pocketvision.run import __main__ as command
from pocketvision.run.predictor import Predictor


@pytest.fixture
def image(exported, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(exported.images[0]).save(path)
    return str(path)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pocketvision.run", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def call(monkeypatch, capsys):
    """The same command in this process: exit code, standard output and error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["run", *map(str, arguments)])
        code = command.main()
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_as_a_command(exported, image):
    done = run(exported.path, image)
    (label,) = Predictor.open(exported.path).predict(image, top=1)
    assert (done.stdout, done.stderr, done.returncode) == (f"{image}: {label.name} {label.probability:.3f}\n", "", 0)


def test_a_broken_image_as_a_command(exported, image, tmp_path):
    done = run(exported.path, tmp_path / "none.png", image, "--threads", 1)
    assert done.returncode == 3 and done.stdout.startswith(f"{image}: ")
    assert done.stderr.startswith("BadImage: ") and "none.png: no such file" in done.stderr


def test_several_labels(exported, image, call):
    labels = Predictor.open(exported.path).predict(image, top=3)
    text = ", ".join(f"{label.name} {label.probability:.3f}" for label in labels)
    assert call(exported.path, image, image, "--top", 3) == (0, 2 * f"{image}: {text}\n", "")


def test_json(exported, image, call):
    code, out, err = call(exported.path, image, "--top", 2, "--json")
    labels = Predictor.open(exported.path).predict(image, top=2)
    assert (code, err) == (0, "")
    assert json.loads(out) == {"source": image, **labels.to_json()}
    assert "\\u" not in out


def test_unknown_is_said(exported, image, call, monkeypatch):
    real = Predictor.open

    def doubting(*arguments, **options):
        model = real(*arguments, **options)
        object.__setattr__(model.record, "unknown_threshold", 1.0)
        return model

    monkeypatch.setattr(command.Predictor, "open", doubting)
    assert call(exported.path, image)[1].endswith(" (unknown)\n")


def test_exit_codes(exported, image, call, tmp_path):
    page = tmp_path / "model.onnx"
    page.write_text("<html></html>")
    code, out, err = call(page, image)
    assert (code, out) == (4, "")
    assert err.startswith("BadArtifact: ") and " Try: " in err and err.count("\n") == 1
    code, out, err = call(exported.path, image, "--top", 0)
    assert (code, out) == (2, "") and err.startswith("BadOption: top is 0")
