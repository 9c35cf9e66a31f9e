"""The precision of the file: a search with integers in it, a front in both, and cuts in each."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import pocketvision as pv
from commandline import ONLY_PLAN, pocketvision
from fashion import write_first
from pocketvision.cost.device_file import read_device_file
from pocketvision.jobs.sizes.store import read_cuts, write_cuts
from pocketvision.run.predictor import load

SIZES = ("--widths", "0.125,0.25", "--resolutions", "16,24", "--output-stride", 8, "--classes", 10, "--in-channels", 1)
BUDGET_MS = 1.0
TRAINED, JUDGED = 4_000, 500


@pytest.fixture(scope="module")
def images(fashion_mnist, tmp_path_factory):
    return write_first(tmp_path_factory.mktemp("images") / "fashion", TRAINED, JUDGED)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A device that is twice as fast in integers, and whose latency goes by multiply-adds."""
    path = tmp_path_factory.mktemp("board") / "board.json"
    assert pocketvision("probe", "mobilenet_v1_shallow", *SIZES, "--seconds", 1, "-o", path).code == 0
    measured = read_device_file(path)
    largest = max(row.macs for row in measured.rows)
    rows = [
        row.model_copy(
            update={"latency_ms": (0.9 if row.precision == "int8" else 1.8) * row.macs / largest, "noise_ms": 0.001}
        )
        for row in measured.rows
    ]
    measured.model_copy(update={"rows": tuple(rows)}).write(path)
    return path


@pytest.fixture(scope="module")
def run(board, images, tmp_path_factory):
    """An elastic run whose largest size fits the budget in integers alone."""
    folder = tmp_path_factory.mktemp("precision") / "run"
    outcome = fit_elastic(images, board, folder)
    assert outcome.code == 0, outcome.err
    return folder, outcome


def fit_elastic(images, board, folder):
    words = ("--width", 0.25, "--resolution", 24, "--epochs", 1, "--training-precision", "float32")
    return pocketvision(
        *("fit", images, "--elastic", *words, "--target", board, "--latency-ms", BUDGET_MS, "-o", folder)
    )


def test_the_search_takes_integers_where_they_are_the_better_ones(board, images):
    words = ("--latency-ms", BUDGET_MS, "--width", 0.25, "--resolution", 24, "--epochs", 1, "--target", board)
    planned = json.loads(pocketvision("fit", images, *words, *ONLY_PLAN).out)
    assert planned["network"] == "mobilenet_v1_shallow_w0.25_r24_s8_int8"
    floats = pocketvision("fit", images, *words, "--precision", "fp32", *ONLY_PLAN)
    assert (floats.code, "NoFit" in floats.err) == (7, True), "floats alone are too slow"
    wide = json.loads(pocketvision("fit", images, *words[2:], *ONLY_PLAN).out)
    assert {row["precision"] for row in wide["candidates"]} == {"fp32"}, "nothing to gain without a budget"


def test_the_front_has_both_precisions_and_the_pick_is_in_integers(run):
    folder, _ = run
    front = json.loads(pocketvision("front", folder, "--json", "--all").out)
    assert sorted({cut["precision"] for cut in front["cuts"]}) == ["fp32", "int8"]
    assert len(front["cuts"]) == 2 * len({cut["network"].removesuffix("_int8") for cut in front["cuts"]})
    record = load(folder / "model.onnx").record
    assert record.model["precision"] == "int8" and record.goldens.scale > 0
    assert record.provenance["compressed"]["rung"] >= 1
    largest = next(cut for cut in front["cuts"] if cut["network"] == "mobilenet_v1_shallow_w0.25_r24_s8_int8")
    floats = next(cut for cut in front["cuts"] if cut["network"] == "mobilenet_v1_shallow_w0.25_r24_s8")
    assert largest["latency_ms"] < BUDGET_MS < floats["latency_ms"]
    assert abs(largest["validation_top1"] - floats["validation_top1"]) < 0.03
    assert pocketvision("verify", folder / "model.onnx").code == 0
    page = (folder / "report.html").read_text()
    assert 'data-fact="precision">int8<' in page and "static ranges" in page
    assert "int8" in pocketvision("info", folder / "model.onnx").out


def test_the_same_command_finds_it_finished(run, board, images):
    folder, first = run
    again = fit_elastic(images, board, folder)
    assert again.code == 0 and f"{folder / 'model.onnx'} is finished" in again.err
    assert again.out.partition(", top-1")[0] == first.out.partition(", top-1")[0]
    assert again.out.partition(", top-1")[0].endswith("_int8")


def test_cuts_in_each_precision(run, images, tmp_path):
    folder, files = shutil.copytree(run[0], tmp_path / "run"), {}
    cuts = read_cuts(folder)
    largest = [judged for judged in cuts.judged if judged.graph == cuts.graph]
    write_cuts(folder, replace(cuts, judged=largest))  # so that no other is as good by chance
    for precision in ("fp32", "fp16-storage", "int8"):
        out = tmp_path / f"{precision}.onnx"
        data = ("--data", images) if precision == "int8" else ()
        outcome = pocketvision("cut", folder, "-o", out, "--precision", precision, *data, "--json")
        assert outcome.code == 0, outcome.err
        assert pocketvision("verify", out).code == 0
        assert load(out).record.model.get("precision", "fp32") == precision
        files[precision] = (out, json.loads(outcome.out))
    sizes = {precision: out.stat().st_size for precision, (out, _) in files.items()}
    assert sizes["int8"] < sizes["fp16-storage"] < 0.75 * sizes["fp32"]
    assert {found["network"].split("_s8")[0] for _, found in files.values()} == {"mobilenet_v1_shallow_w0.25_r24"}
    noise = np.random.default_rng(0).integers(0, 256, (8, 24, 24, 1), np.uint8)
    whole, halves = (pv.load(files[name][0]).logits(noise) for name in ("fp32", "fp16-storage"))
    assert 0 < np.abs(whole - halves).max() < 0.02 * np.abs(whole).max()
    assert files["int8"][1]["top1"] > 0.6, "of the test images, in integers"


def test_integers_without_images_are_refused(run, tmp_path):
    outcome = pocketvision("cut", run[0], "-o", tmp_path / "a.onnx", "--precision", "int8")
    assert outcome.code == 2 and outcome.err.startswith("BadOption: ") and "Try: --data " in outcome.err
    odd = pocketvision("cut", run[0], "-o", tmp_path / "a.onnx", "--precision", "int4")
    assert odd.code == 2 and "'int4'" in odd.err and "Try: --precision int8" in odd.err


def test_halves_from_fit(photos, tmp_path):
    words = ("--width", 0.25, "--resolution", 32, "--epochs", 1, "--batch-size", 8, "--training-precision", "float32")
    outcome = pocketvision("fit", photos, *words, "--precision", "fp16-storage", "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    record = load(tmp_path / "run" / "model.onnx").record
    assert record.model["precision"] == "fp16-storage"
    assert record.provenance["compressed"]["verdict"]["agreement"] == 1.0
    assert pocketvision("verify", tmp_path / "run" / "model.onnx").code == 0


@pytest.mark.slow
def test_where_integers_are_not_good_enough_floats_stay(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("pocketvision.compress.gate.LEAST_AGREEMENT", 1.1)
    monkeypatch.setattr("pocketvision.compress.tune.STEPS", 10)
    words = ("--width", 0.25, "--resolution", 32, "--epochs", 1, "--batch-size", 8, "--training-precision", "float32")
    outcome = pocketvision("fit", photos, *words, "--precision", "int8", "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "The network stays in fp32: the best, of " in outcome.err
    record = load(tmp_path / "run" / "model.onnx").record
    assert "precision" not in record.model and record.provenance["compressed"]["kept"] == "fp32"
    assert {step["rung"] for step in record.provenance["compressed"]["tried"]} == {1, 2, 3, 4}
    assert "The file is fp32" in (tmp_path / "run" / "report.html").read_text()
