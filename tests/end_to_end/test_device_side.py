"""Where only the base is installed: everything but training works, and training says what to install.

Each check is a fresh interpreter in which some modules cannot be found.
"""

import pytest

from commandline import python
from pocketvision.cost.device_file import read_device_file

TRAIN = ("torch", "torchvision", "safetensors", "tensorboard", "huggingface_hub")
HEAVY = (*TRAIN, "onnxruntime", "onnx", "numpy", "PIL")


VERBS = """
from pocketvision.cli.app import run
file, photo, photos, device = sys.argv[1:]
quick = ["--widths", "0.25", "--resolutions", "32", "--seconds", "0.001"]
for words in (["predict", file, photo], ["evaluate", file, photos], ["verify", file], ["info", file],
              ["probe", "mobilenet_v1", *quick, "-o", device], ["probe", file, "--seconds", "0.001"],
              ["report", file.rsplit("/", 1)[0], "-o", device + ".html"],
              ["show", "mobilenet_v1"], ["explain", "mobilenet_v1"], ["models"], ["predict", file, "-", "--help"]):
    print("exit", words[0], run(words), flush=True)
"""


def test_all_verbs_but_fit_work_without_the_extra(model, photos, tmp_path):
    device = tmp_path / "pi.json"
    done = python(TRAIN, VERBS, model, photos / "cat" / "000.jpg", photos, device)
    assert (done.returncode, done.stderr) == (0, "")
    exits = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("exit ")]
    verbs = [
        "predict",
        "evaluate",
        "verify",
        "info",
        "probe",
        "probe",
        "report",
        "show",
        "explain",
        "models",
        "predict",
    ]
    assert exits == [[verb, "0"] for verb in verbs]
    probed, integers = read_device_file(device).rows
    assert (probed.precision, integers.precision) == ("fp32", "int8")
    assert (probed.name, probed.rss_mb is not None) == ("mobilenet_v1_w0.25_r32", True)
    assert f"{model}: verified" in done.stdout
    assert "4,231,976" in done.stdout  # MobileNetV1's parameters


def test_fit_without_the_extra_says_what_to_install(photos, tmp_path):
    program = "from pocketvision.cli.app import run; sys.exit(run(sys.argv[1:]))"
    done = python(TRAIN, program, "fit", photos, "-o", tmp_path / "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("MissingExtra: ") and "'torch'" in done.stderr
    assert "Try: pip install 'pocketvision[train]'" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("options", [(), ("--json", "--top", "3")])
def test_python_m_pocketvision_run_needs_still_less(options, model, photos):
    program = "import runpy; runpy.run_module('pocketvision.run', run_name='__main__', alter_sys=True)"
    absent = (*TRAIN, "onnx", "pydantic", "typer", "rich", "click")
    done = python(absent, program, model, photos / "cat" / "000.jpg", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(photos / "cat" / "000.jpg") in done.stdout


@pytest.mark.parametrize(
    "program",
    [
        "import pocketvision; assert pocketvision.__version__",
        "from pocketvision.cli.app import run; assert run(['--help']) == 0",
        "from pocketvision.cli.app import run; assert run(['fit', '--help']) == 0",
        "from pocketvision.cli.app import run; assert run(['predict', '--help']) == 0",
    ],
)
def test_help_is_instant(program):
    """None of the heavy modules is as much as looked for."""
    done = python(HEAVY, program)
    assert (done.returncode, done.stderr) == (0, "")
