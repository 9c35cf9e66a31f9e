"""pocketvision probe: what it prints and writes; what it refuses, and that it does so before it measures."""

import json
import re

import pytest

from commandline import pocketvision
from pocketvision.cost.device_file import read_device_file
from pocketvision.errors import BadArtifact, BadOption, UnknownFamily
from pocketvision.model.families import FAMILIES
from pocketvision.run.device import this_device
from refusals import complained

QUICK = ("--resolutions", "32", "--classes", "10", "--seconds", "0.001")


@pytest.fixture
def no_clock(monkeypatch):
    """Whoever measures fails; what is refused must be refused before."""

    def fail(*words):
        raise AssertionError("it measures")

    monkeypatch.setattr("pocketvision.cost.probe.time_interleaved", fail)
    monkeypatch.setattr("pocketvision.cost.probe.write_onnx", fail)


def test_a_table_and_the_next_command(tmp_path):
    outcome = pocketvision(
        "probe", "mobilenet_v1_shallow", "--widths", "0.25,0.125", *QUICK, "-o", tmp_path / "pi.json"
    )
    assert outcome.code == 0, outcome.err
    file = read_device_file(tmp_path / "pi.json")
    header, *rows, device, following = outcome.out.splitlines()
    assert re.split(r"  +", header) == [
        *("network", "latency ms", "+-", "p95", "load ms", "process MB", "file MB", "M MACs")
    ]
    assert [row.split() for row in rows] == [
        [
            *(row.name, f"{row.latency_ms:.3f}", f"{row.noise_ms:.3f}", f"{row.p95_ms:.3f}", f"{row.load_ms:.1f}"),
            *(f"{row.rss_mb:.0f}", f"{row.size_mb:.2f}", f"{row.macs / 1e6:.1f}"),
        ]
        for row in file.rows
    ]
    assert [(row.width, row.precision) for row in file.rows] == [
        (0.125, "fp32"),
        (0.125, "int8"),
        (0.25, "fp32"),
        (0.25, "int8"),
    ]
    assert all(row.name.endswith("_int8") == (row.precision == "int8") for row in file.rows)
    assert device == f"{this_device()}, {file.engine} {file.engine_version}, 1 thread, {file.date}"
    assert following == f"Next: pocketvision fit IMAGES --target {tmp_path / 'pi.json'} --latency-ms MS -o run"


def test_a_family_with_listed_widths_is_probed_at_these(monkeypatch):
    monkeypatch.setattr("pocketvision.cost.probe.measure_footprint", lambda path, threads: {})
    outcome = pocketvision("probe", "shufflenet_v2", "--precisions", "fp32", *QUICK, "--json")
    assert outcome.code == 0, outcome.err
    widths = {float(re.search(r"_w([\d.]+)_", row["name"])[1]) for row in json.loads(outcome.out)["rows"]}
    assert widths == set(FAMILIES["shufflenet_v2"].widths)


def test_json_is_the_file_and_nothing_else(tmp_path):
    outcome = pocketvision(
        *("probe", "mobilenet_v1_shallow", "mobilenet_v1", "--widths", 0.125, *QUICK),
        *("--in-channels", 1, "--output-stride", 8, "--precisions", "fp32", "--json", "-o", tmp_path / "pi.json"),
    )
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out) == json.loads((tmp_path / "pi.json").read_text())
    file = read_device_file(tmp_path / "pi.json")
    assert [(row.family, row.classes, row.in_channels, row.output_stride) for row in file.rows] == [
        ("mobilenet_v1_shallow", 10, 1, 8), ("mobilenet_v1", 10, 1, 8)
    ]  # fmt: skip


def test_without_memory_the_table_has_gaps(monkeypatch):
    monkeypatch.setattr("pocketvision.cost.probe.measure_footprint", lambda path, threads: {})
    outcome = pocketvision("probe", "mobilenet_v1_shallow", "--widths", 0.125, *QUICK)
    assert (outcome.code, len(outcome.out.splitlines()[1].split())) == (0, 6)
    assert "Next:" not in outcome.out


@pytest.mark.parametrize(
    ("words", "kind", "named", "attempt"),
    [
        ("mobilenet_v1 model.onnx", BadOption, (), "one run for each"),
        ("mobilenet_v1 words", BadOption, (), "one run for each"),
        ("--widths 0.5,much", BadOption, ("widths", "'0.5,much'"), "--widths 0.25,0.5"),
        ("--resolutions 96;128", BadOption, ("resolutions", "'96;128'"), "--resolutions 128,224"),
        ("--resolutions 128.5", BadOption, ("resolutions", "'128.5'"), "--resolutions 128,224"),
        ("--widths ,", BadOption, ("no network",), "pocketvision probe mobilenet_v1"),
        ("--threads 0", BadOption, ("threads", "got 0"), "--threads 1"),
        ("--seconds -1", BadOption, ("seconds", "got -1"), "--seconds 60"),
        ("--classes 1", BadOption, ("classes", "got 1"), "classes=2"),
        ("mobilenet_v1_shalow", UnknownFamily, ("'mobilenet_v1_shalow'",), "mobilenet_v1_shallow"),
        ("-o nowhere/pi.json", BadOption, ("'nowhere/pi.json'",), "-o"),
        ("-o folder", BadOption, ("'folder'",), "-o folder/pi.json"),
        ("missing.onnx", BadArtifact, ("'missing.onnx'", "No such file or directory"), "pocketvision fit"),
        ("words", BadArtifact, ("not an ONNX model",), "pocketvision fit"),
    ],
)
def test_what_is_refused_before_anything_is_measured(words, kind, named, attempt, no_clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "words").write_text("words")
    complained(pocketvision("probe", *words.split()), kind, *named, attempt=attempt)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "words"]


def test_a_probe_that_fails_leaves_the_older_file(monkeypatch, tmp_path):
    (tmp_path / "pi.json").write_text("older")

    def stop(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr("pocketvision.cost.probe.time_interleaved", stop)
    outcome = pocketvision("probe", "mobilenet_v1_shallow", "--widths", 0.125, *QUICK, "-o", tmp_path / "pi.json")
    assert outcome.code == 130
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("pi.json", "older")]
