"""pocketvision bench: what it prints, writes and draws; what it refuses, and that it does so before it measures."""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from commandline import pocketvision
from pocketvision.cost import bench as module
from pocketvision.cost.bench import Sustained, Window
from pocketvision.errors import BadOption
from pocketvision.run.device import count_cores, this_device
from pocketvision.run.engines import installed_engines
from refusals import complained

QUICK = ("--seconds", "0.001", "--batch", "1,4")


@pytest.fixture
def file(exported, tmp_path):
    (tmp_path / "model.onnx").write_bytes(exported.content)
    return tmp_path / "model.onnx"


@pytest.fixture(autouse=True)
def _few_images(monkeypatch):
    monkeypatch.setattr(module, "DECODED", 8)


def shown(path):
    """The texts of an SVG file."""
    return [element.text for element in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]


def test_json_and_plot(file, tmp_path):
    quick = ("--seconds", "0.001", "--batch", "4")
    outcome = pocketvision("bench", file, "--threads", "1,2", *quick, "--json", "--plot", tmp_path / "bench.svg")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    engines = list(installed_engines())
    settings = [(engine, threads) for engine in engines for threads in (1, 2)]
    assert [(cell["engine"], cell["threads"], cell["batch"]) for cell in found["cells"]] == [
        (*setting, 4) for setting in settings
    ]
    assert [(start["engine"], start["threads"]) for start in found["starts"]] == settings
    for cell in found["cells"]:
        assert (
            min(cell["median_ms"], cell["p95_ms"], cell["noise_ms"]) > 0 and cell["rounds"] >= 2
        )  # medians are of rounds
        assert cell["images_per_second"] == pytest.approx(1000 * cell["batch"] / cell["median_ms"], rel=1e-3)
    for start in found["starts"]:
        assert min(start[name] for name in ("load_ms", "first_ms", "images_per_second")) > 0 and start["rss_mb"] > 10
    assert found["engines"] == installed_engines() and found["device"] == str(this_device())
    assert found["images"] == "a synthetic JPEG of 500 x 375 pixels" and found["size_mb"] == file.stat().st_size / 1e6
    texts = shown(tmp_path / "bench.svg")
    for cell in found["cells"]:
        assert f"{cell['images_per_second']:,.0f}" in texts
    assert "onnxruntime, 2 threads, batch 4" in texts and "openvino, 1 thread, from bytes" in texts


def test_tables(file, exported, tmp_path):
    (tmp_path / "photos").mkdir()
    for name in "ab":
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(module.made_up_photo())
    outcome = pocketvision("bench", file, "--engine", "onnxruntime", "--images", tmp_path / "photos", *QUICK)
    assert outcome.code == 0, outcome.err
    calls, starts = outcome.out.split("\n\n")
    header, *rows = calls.splitlines()
    assert re.split(r"  +", header) == ["engine", "threads", "batch", "p50 ms", "+-", "p95 ms", "images/s"]
    threads = sorted({1, count_cores()})
    assert [row.split()[:3] for row in rows] == [["onnxruntime", str(n), b] for n in threads for b in "14"]
    header, *rows, where = starts.splitlines()
    assert re.split(r"  +", header) == ["engine", "threads", "load ms", "first ms", "process MB", "images/s from bytes"]
    assert [row.split()[:2] for row in rows] == [["onnxruntime", str(n)] for n in threads]
    assert where.startswith(f"{exported.graph.name}, ") and where.endswith("from bytes: 2 of the user's")


def test_sustained(file, tmp_path):
    words = ("bench", file, "--sustained", 0.02, "--engine", "onnxruntime", "--plot", tmp_path / "long.svg")
    found = json.loads(pocketvision(*words, "--json").out)
    assert [window["seconds"] for window in found["windows"]] == pytest.approx([0.5, 1.0], abs=0.3)
    assert found["engine"] == "onnxruntime" and found["threads"] == 1
    assert all(0 < window["median_ms"] <= window["p95_ms"] for window in found["windows"])
    assert shown(tmp_path / "long.svg")[0].endswith(f"with onnxruntime on {this_device()}")
    outcome = pocketvision(*words)
    assert re.split(r"  +", outcome.out.splitlines()[0].strip()) == ["seconds", "p50 ms", "p95 ms", "Celsius", "MHz"]
    assert re.search(r"\d", outcome.out.splitlines()[-1]), "how much slower it became"


def test_ctrl_c_keeps_what_was_measured(file, monkeypatch):
    real, seen = module._window, []

    def window(*arguments):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(real(*arguments))
        return seen[-1]

    monkeypatch.setattr(module, "SHORTEST_WINDOW", 0.01)
    monkeypatch.setattr(module, "WINDOWS", 10**4)
    monkeypatch.setattr(module, "_window", window)
    outcome = pocketvision("bench", file, "--sustained", 5, "--json")
    assert outcome.code == 0 and len(json.loads(outcome.out)["windows"]) == 2
    assert outcome.err.strip(), "the rest was not measured, and that is said"
    assert pocketvision("bench", file, "--sustained", 5, "--json").code == 130  # nothing was measured


def test_slowdown():
    medians = [1.0] * 10 + [1.2] * 80 + [1.5] * 10
    windows = tuple(Window(float(i), median, median, None, None) for i, median in enumerate(medians))
    assert Sustained("net", "pi", "2026-01-01", "onnxruntime", 1, windows).slowdown == pytest.approx(0.5)


def test_what_the_system_says_of_heat(file, tmp_path, monkeypatch):
    (tmp_path / "temp").write_text("48312\n")
    monkeypatch.setattr(module, "TEMPERATURES", str(tmp_path / "temp"))
    monkeypatch.setattr(module, "CLOCKS", str(tmp_path / "none"))
    found = json.loads(pocketvision("bench", file, "--sustained", 0.01, "--json").out)
    assert (found["windows"][0]["celsius"], found["windows"][0]["mhz"]) == (48.312, None)


@pytest.mark.parametrize(
    ("words", "named", "attempt"),
    [
        ("--threads one", ("threads", "'one'"), "--threads 1,2"),
        ("--threads 0", ("threads", "got [0]"), "--threads 1"),
        ("--batch 0,1", ("batch", "got [0, 1]"), "--batch 1"),
        ("--batch ,", ("batch", "got []"), "--batch 1"),
        ("--seconds 0", ("seconds", "got 0"), "--seconds 20"),
        ("--engine tensorrt", ("'tensorrt'", "onnxruntime, openvino"), "engine='auto'"),
        ("--sustained 0", ("sustained", "got 0"), "--sustained 1"),
        ("--sustained 1 --threads 1,2", ("one engine",), "--engine auto --threads 1"),
        ("--plot nowhere/bench.svg", ("'nowhere/bench.svg'",), "--plot"),
    ],
)
def test_refuses(file, words, named, attempt, monkeypatch):
    monkeypatch.setattr(module, "time_calls", lambda *arguments: pytest.fail("measured"))
    complained(pocketvision("bench", file, *words.split()), BadOption, *named, attempt=attempt)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff", None])
def test_an_image_that_cannot_be_read(file, tmp_path, monkeypatch, content):
    """Broken, or not there: said before anything is measured."""
    monkeypatch.setattr(module, "time_calls", lambda *arguments: pytest.fail("measured"))
    if content:
        (tmp_path / "broken.jpg").write_bytes(content)
    outcome = pocketvision("bench", file, "--images", tmp_path / "broken.jpg", *QUICK)
    assert outcome.code == 3 and "BadImage: " in outcome.err and "broken.jpg" in outcome.err


def test_a_plot_that_cannot_be_written_loses_no_figures(file, tmp_path, monkeypatch):
    """What was measured is shown first."""

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pocketvision.cli.bench.write_atomically", refuse)
    words = ("bench", file, "--engine", "onnxruntime", "--threads", 1, "--plot", tmp_path / "bench.svg", *QUICK)
    outcome = pocketvision(*words)
    assert outcome.code != 0 and "onnxruntime" in outcome.out and "No space left" in outcome.err
