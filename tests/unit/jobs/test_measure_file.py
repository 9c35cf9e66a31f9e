"""What the finished file takes here: on a real file; a first measurement above the limit is repeated with care."""

import pytest

from artifacts import export
from pocketvision.cost.budget import Budget, Spent
from pocketvision.errors import BudgetMissed
from pocketvision.events import drain
from pocketvision.jobs.finish import measure
from pocketvision.jobs.finish.measure import Measuring, check_budget, measure_file, results, spent_of
from pocketvision.run.timing import Timing

FAST, SLOW = Timing(1.0, 1.2, 0.1, 10), Timing(3.0, 3.5, 0.1, 10)


def test_a_real_file(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "SECONDS", 0.2)
    exported = export("mobilenet_v1", tmp_path / "model.onnx")
    found = drain(measure_file(exported.content, Measuring(exported.images[0], 1)))
    assert 0 < found.latency.median_ms < found.label.median_ms and found.threads == 1
    content = found.to_json()
    assert content["latency_ms"] == found.latency.median_ms and content["engine"] == "onnxruntime"
    assert content["rss_mb"] > 1 and content["load_ms"] > 0 and content["device"]

    spent = spent_of(exported.graph, len(exported.content), found.latency)
    assert spent.of("latency_ms") == found.latency.median_ms + found.latency.noise_ms
    assert spent.size_mb == len(exported.content) / 1e6
    assert [event.name for event in results(found, spent)] == [
        "latency in ms",
        "noise in ms",
        "from file to label in ms",
        "size in MB",
        "counted memory in MB",
        "memory of the whole process in MB",
    ]
    assert spent_of(exported.graph, 1, None).latency_ms is None, "the budget is for another device"


def test_what_is_over_the_limit_is_measured_again_with_care(tmp_path, monkeypatch):
    exported = export("mobilenet_v1", tmp_path / "model.onnx")
    monkeypatch.setattr(measure, "_time_label", lambda predictor, image: FAST)
    asked = []

    def measured(files, threads, seconds):
        asked.append(seconds)
        yield from ()
        return dict.fromkeys(files, SLOW if seconds == measure.SECONDS else FAST)

    monkeypatch.setattr(measure, "measure_latencies", measured)
    found = {
        limit: drain(measure_file(exported.content, Measuring(None, 1, limit))).latency.median_ms
        for limit in (None, 3.2, 3.05)
    }
    assert found == {None: 3.0, 3.2: 3.0, 3.05: 1.0}
    assert asked == [measure.SECONDS] * 3 + [measure.CAREFUL_SECONDS]


def test_a_file_within_its_budget_is_no_error(tmp_path):
    spent = Spent(macs=1000, memory_mb=1.0, size_mb=1.0, latency_ms=1.0, noise_ms=0.1)
    check_budget(tmp_path, Budget(), spent)
    check_budget(tmp_path, Budget(latency_ms=1.1, size_mb=1.0, memory_mb=1.0, macs=1000), spent)


def test_a_file_over_its_budget_comes_with_what_the_job_found(tmp_path):
    spent = Spent(macs=1000, memory_mb=1.0, size_mb=1.0)
    with pytest.raises(BudgetMissed) as caught:
        check_budget(tmp_path / "my model.onnx", Budget(size_mb=0.5), spent, result="found")
    assert caught.value.result == "found"
    assert caught.value.attempt.startswith(f"pocketvision probe '{tmp_path}/my model.onnx' on a quiet machine")
