"""The budget: from a device file or this machine to a finished file that keeps to it, or to a clear refusal."""

import json
import shlex
from pathlib import Path

import pytest

from commandline import pocketvision
from pocketvision import Budget
from pocketvision.call import fit
from pocketvision.cost.device_file import DeviceFile, read_device_file
from pocketvision.errors import BudgetMissed, NoFit
from pocketvision.events import Note
from pocketvision.jobs.finish import file as file_module
from pocketvision.jobs.training.training import Training
from pocketvision.run.predictor import load
from pocketvision.run.timing import Timing
from pocketvision.train.speed import Workload

ONCE = ("--epochs", 1, "--batch-size", 8, "--training-precision", "float32")
SIZES = "--widths 0.125,0.25,0.5,1 --resolutions 32 --output-stride 8 --classes 3"
PROBE = f"mobilenet_v1_shallow {SIZES} --precisions fp32 --seconds 1"


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    """A device file: four widths at 32 pixels, measured here, then written as those of a slower board: 2, 4, 8 and 16 ms."""
    path = tmp_path_factory.mktemp("device") / "board.json"
    outcome = pocketvision("probe", *PROBE.split(), "-o", path)
    assert outcome.code == 0, outcome.err
    measured = read_device_file(path)
    rows = [
        row.model_copy(update={"latency_ms": ms, "noise_ms": 0.01 * ms, "p95_ms": ms})
        for row, ms in zip(measured.rows, (2.0, 4.0, 8.0, 16.0), strict=True)
    ]
    measured.model_copy(update={"rows": tuple(rows)}).write(path)
    return path


def plan(photos, *words):
    outcome = pocketvision("fit", photos, "--plan", "--json", *ONCE, *words)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize(("latency_ms", "width"), [(3, "0.125"), (5, "0.25"), (9, "0.50"), (17, "1.00")])
def test_the_widest_that_the_board_can_run_is_picked(latency_ms, width, photos, board):
    planned = plan(photos, "--resolution", 32, "--target", board, "--latency-ms", latency_ms)
    assert planned["network"] == f"mobilenet_v1_shallow_w{width}_r32_s8"
    for candidate in planned["candidates"]:
        fits = candidate["latency_ms"] + 2 * candidate["noise_ms"] <= latency_ms
        assert fits != candidate["dropped"].endswith(f"> {latency_ms} ms"), candidate


def test_between_measured_widths_is_predicted_and_marked(photos, board):
    words = ("--resolution", 32, "--target", board, "--latency-ms", 12)
    by_name = {c["name"].split("_")[3]: c for c in plan(photos, *words)["candidates"]}
    assert by_name["w0.75"]["is_predicted"] and not by_name["w0.50"]["is_predicted"]
    assert 8 < by_name["w0.75"]["latency_ms"] < 16
    table = pocketvision("fit", photos, "--plan", *ONCE, *words).out
    assert f"{by_name['w0.75']['latency_ms']:.3f}*" in table


@pytest.mark.parametrize(
    ("option", "key", "limit"),
    [("--size-mb", "size_mb", 0.2), ("--memory-mb", "memory_mb", 0.4), ("--macs", "macs", "1M")],
)
def test_a_limit_that_needs_no_measuring(option, key, limit, photos):
    planned = plan(photos, "--resolution", 32, option, limit)
    limit = 1e6 if limit == "1M" else limit
    assert {candidate["latency_ms"] for candidate in planned["candidates"]} == {None}
    picked = next(c for c in planned["candidates"] if c["name"] == planned["network"])
    assert picked[key] <= limit
    for candidate in planned["candidates"]:
        assert bool(candidate["dropped"]) == (candidate[key] > limit), candidate["name"]


def test_a_plan_trains_nothing_and_writes_nothing(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Training, "make_trainer", None)
    outcome = pocketvision("fit", photos, "--plan", "--minutes", 2, "--size-mb", 0.5, "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert list(tmp_path.iterdir()) == []
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["network", "ImageNet", "ms", "+-", "MB", "memory", "MB", "M", "MACs", "verdict"]
    assert sum(line.endswith(" pick") for line in lines) == 1
    assert " of disk, about " in lines[-1]


def test_the_plan_is_what_fit_then_does(photos, tmp_path):
    words = ("--size-mb", 0.35, "--resolution", 32)
    planned = plan(photos, *words)
    finished = pocketvision("fit", photos, *ONCE, *words, "-o", tmp_path / "run", "--json")
    assert finished.code == 0, finished.err
    result, written = json.loads(finished.out), json.loads((tmp_path / "run" / "plan.json").read_text())
    assert result["network"] == planned["network"] == written["network"]
    assert written["candidates"] == planned["candidates"] and written["target"] == planned["device"]
    assert result["size_mb"] == Path(result["model"]).stat().st_size / 1e6 <= 0.35


def test_the_size_is_known_before_the_file_is_there(photos, run_folder):
    """Estimated a little too high, never too low: what was let in fits."""
    name = json.loads((run_folder / "plan.json").read_text())["model"]["name"]
    candidates = plan(photos, "--width", 0.25, "--resolution", 32)["candidates"]
    estimated = next(c["size_mb"] for c in candidates if c["name"] == name)
    actual = (run_folder / "model.onnx").stat().st_size / 1e6
    assert actual <= estimated <= actual + 0.003


def test_budget_and_measurement_stand_in_the_file(photos, tmp_path):
    options = {"width": 0.25, "resolution": 32, "epochs": 1, "training_precision": "float32"}
    finished = fit(photos, tmp_path / "run", budget=Budget(latency_ms=100, macs=5e6), **options)
    record = load(finished.model).record
    assert record.provenance["options"]["budget"] == {"latency_ms": 100, "macs": 5e6}
    (measured,) = record.latencies
    assert measured["latency_ms"] == finished.measurement.latency.median_ms > 0
    assert measured["noise_ms"] > 0 and measured["rss_mb"] > 10 and measured["load_ms"] > 0
    assert measured["label_ms"] > measured["latency_ms"] and measured["threads"] == 1

    shown = pocketvision("info", finished.model).out
    assert "latency_ms <= 100, macs <= 5M" in shown and str(measured["device"]) in shown


@pytest.mark.parametrize("words", [("--latency-ms", 0.0001), ("--size-mb", 0.01), ("--macs", "1K")])
def test_no_fit_writes_nothing(words, photos, tmp_path):
    outcome = pocketvision("fit", photos, *ONCE, "--resolution", 32, *words, "-o", tmp_path / "run")
    assert (outcome.code, outcome.out) == (NoFit.exit_code, "")
    assert outcome.last_line.startswith("NoFit: ") and f"{words[0][2:].replace('-', '_')} <= " in outcome.last_line
    assert f"Try: {words[0]} " in outcome.last_line
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_over_the_budget_in_the_end(photos, tmp_path, monkeypatch):
    """It was fast enough when it was chosen; the machine has become slow since."""

    def slow(model, how):
        measured = yield from measure_file(model, how)
        slower = Timing(median_ms=120.0, p95_ms=130.0, noise_ms=3.21, rounds=10)
        return type(measured)(slower, measured.label, measured.load_ms, measured.rss_mb, measured.threads)

    measure_file = file_module.measure_file
    monkeypatch.setattr(file_module, "measure_file", slow)
    model = tmp_path / "run" / "model.onnx"
    words = ("--width", 0.25, "--resolution", 32, *ONCE, "--latency-ms", 100)
    outcome = pocketvision("fit", photos, *words, "-o", model.parent)
    assert outcome.code == BudgetMissed.exit_code
    assert outcome.last_line.startswith(f"BudgetMissed: {model} ")
    assert "latency_ms is 124, the budget 100" in outcome.last_line
    assert f"Try: pocketvision probe {model} " in outcome.last_line and "--latency-ms 90" in outcome.last_line
    assert pocketvision("verify", model).code == 0
    assert load(model).record.latencies[0]["latency_ms"] == 120
    again = pocketvision("fit", photos, *words, "-o", model.parent, "--json")  # it is finished
    assert (again.code, json.loads(again.out)["model"]) == (BudgetMissed.exit_code, str(model))
    assert outcome.out.startswith(f"{model}: "), "the result is shown, too"


def test_a_budget_for_another_device_is_not_compared_with_this_one(photos, board, tmp_path):
    """16 ms there; far less here. The file is finished and says what it took here."""
    words = ("--resolution", 32, "--target", board, "--latency-ms", 17)
    outcome = pocketvision("fit", photos, *ONCE, *words, "-o", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["network"] == "mobilenet_v1_shallow_w1.00_r32_s8"
    assert 0 < result["measured"]["latency_ms"] < 16
    assert board.name.encode() not in (tmp_path / "run" / "model.onnx").read_bytes()


def test_the_same_seed_and_device_file_give_the_same_pick(photos, board, tmp_path):
    words = ("--target", board, "--latency-ms", 9, "--resolution", 32, "--seed", 5)
    results = []
    for name in ("first", "second"):
        outcome = pocketvision("fit", photos, *ONCE, *words, "-o", tmp_path / name, "--json")
        assert outcome.code == 0, outcome.err
        results.append(json.loads(outcome.out))
    assert results[0]["network"] == results[1]["network"] and results[0]["top1"] == results[1]["top1"]
    plans = [json.loads((tmp_path / name / "plan.json").read_text()) for name in ("first", "second")]
    assert plans[0] == plans[1]


def test_a_device_file_of_other_networks_says_what_to_probe(photos, board, tmp_path):
    """And the command that it advises makes a file that works."""
    asked = ("--width", 0.25, "--resolution", 24)
    words = (*asked, "--target", board, "--latency-ms", 9)
    outcome = pocketvision("fit", photos, *ONCE, *words, "-o", tmp_path / "run")
    assert (outcome.code, list(tmp_path.iterdir())) == (3, [])
    problem, advice = outcome.last_line.split(" Try: on the device: ")
    assert problem.startswith(f"BadDeviceFile: '{board}' ")
    words = shlex.split(advice.replace(str(board), str(tmp_path / "new.json")))
    assert words[0] == "pocketvision"
    assert pocketvision(*words[1:], "--seconds", 1).code == 0
    planned = plan(photos, *asked, "--target", tmp_path / "new.json", "--latency-ms", 1000)
    assert planned["candidates"][0]["latency_ms"] > 0 and not planned["candidates"][0]["is_predicted"]


def test_a_file_that_is_not_to_be_trusted_is_warned_of(photos, board, tmp_path):
    measured = read_device_file(board)
    rows = [row.model_copy(update={"noise_ms": row.latency_ms}) for row in measured.rows]
    old = DeviceFile(**{**dict(measured), "rows": tuple(rows), "engine_version": "1.2.3", "threads": 4})
    old.write(tmp_path / "old.json")
    notes = []
    fit(
        photos, tmp_path / "run", lambda event: notes.append(event.text) if isinstance(event, Note) else None,
        target=str(tmp_path / "old.json"), budget=Budget(latency_ms=50), width=0.25, resolution=32, epochs=1,
    )  # fmt: skip
    said = "\n".join(notes)
    assert "onnxruntime 1.2.3" in said
    assert "4 of its 4 networks" in said and "15% noise" in said
    assert "4 threads" in said


def test_where_none_has_time_the_cheapest_trains_what_it_can(photos, monkeypatch):
    monkeypatch.setattr(Workload, "step_seconds", lambda *arguments, **_: 100.0)
    words = ("--plan", "--minutes", 1, "--resolution", 32, "--training-precision", "float32", "--json")
    outcome = pocketvision("fit", photos, *words)
    assert outcome.code == 0, outcome.err
    planned = json.loads(outcome.out)
    cheapest = min(planned["candidates"], key=lambda candidate: candidate["macs"])["name"]
    assert planned["network"] == cheapest and planned["epochs"] == 1
    assert "The time is short" in outcome.err and cheapest in outcome.err
    assert {c["dropped"] for c in planned["candidates"] if c["name"] != cheapest} == {"no time for 8 epochs"}
