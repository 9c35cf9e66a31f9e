import startup

from pocketvision.run.predictor import Predictor

IMPORTTIME = """\
import time: self [us] | cumulative | imported package
import time:       400 |        400 |     numpy.core
import time:      1100 |       1500 |   numpy
warnings of others stand between
import time:       250 |       1750 | pocketvision.run
"""


def test_reads_what_python_says_of_its_imports():
    assert startup.parse_imports(IMPORTTIME) == {
        "modules_with_all_they_import_ms": {"pocketvision.run": 1.8, "numpy": 1.5, "numpy.core": 0.4},
        "packages_own_ms": {"numpy": 1.5, "pocketvision": 0.2},
        "all_ms": 1.8,
    }


def test_the_model_and_the_photograph_are_real(tmp_path):
    (tmp_path / "model.onnx").write_bytes(startup.untrained_model(startup.resolve("mobilenet_v1")))
    startup.write_photograph(tmp_path / "photo.jpg")
    (label, *_) = Predictor.open(tmp_path / "model.onnx").predict(tmp_path / "photo.jpg")
    assert label.name.startswith("class ")


def test_goals_are_about_the_slowest_that_counts():
    times = {
        name: {"median_ms": 100.0, "noise_ms": 3.0}
        for name in startup.commands(startup.Path("base"), startup.Path("engines"))
    }
    times |= {"timm": {"median_ms": 900.0, "noise_ms": 27.0}, "first label": {"median_ms": 110.0, "noise_ms": 3.3}}
    goals = startup.summarize(times, {"size_mb": 300.0, "has_torch": False})["goals"]
    assert goals == {
        "help < 400 ms": True,
        "import < 400 ms": True,
        "first label < 500 ms": True,
        "first label, two engines < 500 ms": True,
        "first label, two engines, the first time < 2500 ms": True,
        "timm >= 8 x ours": True,
        "torchvision >= 8 x ours": False,
        "base < 300 MB": False,
        "no torch in base": True,
    }
