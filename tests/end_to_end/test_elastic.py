"""fit --elastic, cut and front: one training, every size, another file for another budget."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from commandline import ELASTIC, ONLY_PLAN, pocketvision
from inspection import faults
from jobs import stop_at, told
from photographs import CLASSES, grey, write_photographs
from pocketvision.call import fit
from pocketvision.cost.budget import Budget
from pocketvision.cost.count import count
from pocketvision.errors import BadArtifact, BadData, BadOption, DiskFailed, Interrupted, NoFit
from pocketvision.events import Progress, Step
from pocketvision.jobs.cut import say_if_trained_further
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.runs.folder import RunFolder
from pocketvision.jobs.sizes import judge as judge_module
from pocketvision.jobs.sizes import pick as pick_module
from pocketvision.jobs.sizes.store import read_cuts
from pocketvision.model.network import build
from pocketvision.run import sizes as sized_files
from pocketvision.run.assess import Evaluation
from pocketvision.run.predictor import Predictor, load
from pocketvision.run.timing import Timing
from pocketvision.train.speed import Workload


def test_one_training_gives_every_size(elastic):
    folder, finished, said = elastic
    cuts = read_cuts(folder)
    sizes = {(judged.graph.options.width, judged.graph.options.resolution) for judged in cuts.judged}
    assert sizes == {(w, r) for w in (0.125, 0.1875, 0.25) for r in (16, 24, 32)}
    assert all(set(judged.scores) == {"validation", "test"} for judged in cuts.judged)
    assert any(sentence.startswith("Pick of 9 cuts: ") for sentence in said)
    record = load(folder / "model.onnx").record
    assert finished.name == record.model["name"] and (record.model["width"], record.model["resolution"]) in sizes
    assert record.provenance["elastic"]["network"] == "mobilenet_v1_shallow_w0.25_r32_s8"
    assert faults(folder) == []


def test_a_cuts_statistics_are_its_own(elastic):
    cuts = read_cuts(elastic[0])
    small, large = cuts.judged[0].graph, cuts.judged[-1].graph
    assert large == cuts.graph
    name = "block3.depthwise.bn.running_var"
    mine = cuts.arrays(small)[name]
    assert len(mine) < len(cuts.weights[name]) and not np.allclose(mine, cuts.weights[name][: len(mine)])
    network = build(small)
    network.load_arrays(cuts.arrays(small))


def test_two_budgets_two_verified_files(elastic, tmp_path):
    folder, _, _ = elastic
    macs = sorted(judged.cut.candidate.spent.macs for judged in read_cuts(folder).judged)
    found = []
    for number, limit in enumerate((macs[0], macs[-1])):
        out = tmp_path / f"{number}.onnx"
        outcome = pocketvision("cut", folder, "--macs", limit, "-o", out, "--json")
        assert outcome.code == 0, outcome.err
        written = json.loads(outcome.out)
        assert written["file"] == str(out) and written["macs"] <= limit
        assert pocketvision("verify", out).code == 0
        found.append(written["network"])
    assert found[0].startswith("mobilenet_v1_shallow_w0.125_r16") and found[0] != found[1]


def test_what_a_cut_says_of_itself_is_true(elastic, photos, tmp_path):
    """Its stored test score is the one that evaluate finds, though no images were read when it was written."""
    out = tmp_path / "small.onnx"
    macs = read_cuts(elastic[0]).judged[1].cut.candidate.spent.macs
    assert pocketvision("cut", elastic[0], "--macs", macs, "-o", out).code == 0
    outcome = pocketvision("evaluate", out, photos, "--json")
    assert outcome.code == 0, outcome.err
    stored = load(out).record.metrics["test"]
    assert json.loads(outcome.out)["top1"] == pytest.approx(stored["top1"], abs=1e-6)


def test_a_cut_says_where_it_comes_from(elastic, tmp_path):
    out = tmp_path / "small.onnx"
    assert pocketvision("cut", elastic[0], "--macs", "1M", "-o", out).code == 0
    made = load(out).record.provenance
    assert made["options"]["budget"] == {"macs": 1e6} and made["weights"] is None and made["target"]
    outcome = pocketvision("info", out)
    assert outcome.code == 0 and "macs <= 1M" in outcome.out


def test_cut_says_where_the_runs_own_file_is_better(elastic):
    """The pick was trained further, what `cut` writes was not."""
    model = elastic[0] / "model.onnx"
    name, mine = load(model).record.model["name"], Evaluation(**load(model).record.metrics["test"])
    worse = replace(mine, top1=mine.top1 - 0.01)
    [note] = say_if_trained_further(model, name, worse)
    assert f"trained further on its own: test top-1 {mine.top1:.4f} instead of {worse.top1:.4f}" in note.text
    assert [*say_if_trained_further(model, name, mine), *say_if_trained_further(model, "another", worse)] == []
    assert list(say_if_trained_further(model.with_name("none.onnx"), name, worse)) == []


def test_an_impossible_budget(elastic, tmp_path):
    outcome = pocketvision("cut", elastic[0], "--macs", 10, "-o", tmp_path / "none.onnx")
    assert outcome.code == NoFit.exit_code
    assert "NoFit: no candidate has macs <= 1e-05M" in outcome.err and "Closest of 9: " in outcome.err
    assert not (tmp_path / "none.onnx").exists()


def test_the_front(elastic):
    outcome = pocketvision("front", elastic[0], "--json")
    content = json.loads(outcome.out)
    assert outcome.code == 0 and len(content["cuts"]) == 9
    best = sorted((row for row in content["cuts"] if row["is_on_front"]), key=lambda row: row["latency_ms"])
    tops = [row["validation_top1"] for row in best]
    assert tops == sorted(set(tops)) and tops[-1] == max(row["validation_top1"] for row in content["cuts"])
    table = pocketvision("front", elastic[0]).out
    assert all(row["network"] in table for row in best)
    assert "better than all cheaper" in table
    assert "more buys" in table


def test_the_front_for_another_device(elastic, target):
    content = json.loads(target.read_text())
    for row in content["rows"]:
        row["latency_ms"] *= 10
    other = elastic[0].parent / "slow.json"
    other.write_text(json.dumps(content))
    here, there = (
        json.loads(pocketvision("front", elastic[0], "--target", path, "--json").out)["cuts"]
        for path in (target, other)
    )
    for one, ten in zip(here, there, strict=True):
        assert ten["latency_ms"] == pytest.approx(10 * one["latency_ms"])


def test_all_cuts_and_the_best_that_is_fast_enough(elastic, photos, tmp_path):
    folder = tmp_path / "sizes"
    assert pocketvision("cut", elastic[0], "--all", "-o", folder).code == 0
    index = json.loads((folder / "index.json").read_text())["files"]
    assert {row["file"] for row in index} | {"index.json"} == {path.name for path in folder.iterdir()}
    best = max(index, key=lambda row: row["validation_top1"])
    assert Predictor.open(folder).record.model["name"] == best["network"]
    assert Predictor.open(folder, latency_ms=1000.0).record.model["name"] == best["network"]
    assert Predictor.open(folder, 1, 1000.0).predict(next(photos.rglob("*.jpg"))).top.name
    with pytest.raises(NoFit, match=r"no file in .* has latency_ms <= 1e-06 here\. Closest of \d+: "):
        Predictor.open(folder, latency_ms=1e-6)
    again = pocketvision("cut", elastic[0], "--all", "-o", folder)
    assert again.code == BadOption.exit_code and "exists and would be overwritten" in again.err


def test_the_right_file_at_three_limits(elastic, tmp_path, monkeypatch):
    """Files of rising accuracy that take 0.2, 0.5 and 1 ms here, each 0.05 ms more or less."""
    for number, width in enumerate((0.125, 0.1875, 0.25)):
        macs = next(
            judged.cut.candidate.spent.macs
            for judged in read_cuts(elastic[0]).judged
            if judged.graph.options.width == width and judged.graph.options.resolution == 32
        )
        assert pocketvision("cut", elastic[0], "--macs", macs, "-o", tmp_path / f"{number}.onnx").code == 0
    rows = [
        {"file": f"{number}.onnx", "network": f"{number}", "validation_top1": 0.5 + number / 10, "macs": number}
        for number in range(3)
    ]
    (tmp_path / "index.json").write_text(json.dumps({"version": 1, "files": rows}))
    took = {"0": Timing(0.2, 0.3, 0.05, 9), "1": Timing(0.5, 0.6, 0.05, 9), "2": Timing(1.0, 1.1, 0.05, 9)}
    monkeypatch.setattr(sized_files, "_time", lambda models: took)
    records = [load(tmp_path / f"{number}.onnx").record for number in range(3)]
    opened = [Predictor.open(tmp_path, latency_ms=limit).record for limit in (0.3, 0.6, 2.0)]
    assert opened == records and len({record.to_json() for record in records}) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"is a folder, and holds neither a model\.onnx nor an index\.json"),
        ('{"version": 9, "files": []}', "version 9; this release reads version 1"),
        ('{"version": 1, "files": []}', "it lists no files of this folder"),
        (
            '{"version": 1, "files": [{"file": "../x.onnx", "network": "x", "validation_top1": 1, "macs": 1}]}',
            "no files",
        ),
    ],
)
def test_folders_that_are_none(content, message, tmp_path):
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(BadArtifact, match=message):
        Predictor.open(tmp_path)


def test_runs_without_cuts(elastic, run_folder, tmp_path):
    for folder, message in ((run_folder, "holds no cuts of an elastic training"), (tmp_path, "is no run folder")):
        outcome = pocketvision("cut", folder, "--macs", "1M", "-o", tmp_path / "x.onnx")
        assert outcome.code == BadOption.exit_code and message in outcome.err
    broken = tmp_path / "broken"
    shutil.copytree(elastic[0], broken)
    with (broken / "elastic" / "weights.safetensors").open("r+b") as file:
        file.seek(5000)
        file.write(b"????")
    with pytest.raises(BadData, match=r"weights\.safetensors is not the file that was written"):
        read_cuts(broken)


def full(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_stopped_in_every_stage_a_run_ends_with_the_same_weights(elastic, photos, target, tmp_path, monkeypatch):
    """In the training of all sizes, before and after all cuts are on disk, which is full then, and in the pick's training."""
    folder = tmp_path / "run"

    def go_on(listener=lambda event: None):
        return fit(photos, folder, listener, target=target, **ELASTIC)

    with pytest.raises(Interrupted, match="in epoch 1 of 3 of the training, after step 3 of 3"):
        go_on(stop_at(Step, number=3))
    for owner, name in ((judge_module, "write_cuts"), (RunFolder, "keep_pick")):
        with monkeypatch.context() as patch, pytest.raises(DiskFailed, match="after the training"):
            patch.setattr(owner, name, full)
            go_on()
    with pytest.raises(Interrupted, match="of the pick's training, after step 2 of 3"):
        go_on(stop_at(Progress, "further", number=2))
    assert not (folder / "model.onnx").exists()
    go_on()
    ours, theirs = (load(path / "model.onnx").record.digests for path in (folder, elastic[0]))
    assert ours["initializers"] == theirs["initializers"] and ours["nodes"] == theirs["nodes"]
    assert ours["record"]["metrics"] == theirs["record"]["metrics"]


KILL = """
import os, signal
from pocketvision.cli.app import main
from pocketvision.jobs.runs.folder import RunFolder

save, seen = RunFolder.save, []

def save_and_die(self, stage, *rest, **more):
    save(self, stage, *rest, **more)
    seen.append(stage)
    if seen.count("pick") == 3:
        os.kill(os.getpid(), signal.SIGKILL)

RunFolder.save = save_and_die
main()
"""


@pytest.mark.slow
def test_a_killed_pick_goes_on_to_the_end_of_the_time(photos, target, tmp_path, monkeypatch):
    """Minutes instead of epochs: the pick has as many as fit; the pace that was measured when it began plans them."""
    words = ["fit", photos, "--elastic", "--minutes", 0.75, "--width", 0.25, "--resolution", 32, "--batch-size", 8]
    words += ["--training-precision", "float32", "--target", target, "-o", tmp_path / "run"]
    monkeypatch.setenv("POCKETVISION_CHECKPOINT_SECONDS", "0")
    job = subprocess.run([sys.executable, "-c", KILL, *map(str, words)], capture_output=True, check=False)
    assert job.returncode == -signal.SIGKILL, job.stderr
    began = (tmp_path / "run" / "pick.json").read_bytes()
    outcome = pocketvision(*words)
    assert outcome.code == 0, outcome.err
    assert "(stage 'pick')" in outcome.err
    assert (tmp_path / "run" / "pick.json").read_bytes() == began, "what was measured then holds"
    assert (tmp_path / "run" / "log.jsonl").read_text().count("of the pick: loss") > 5
    assert load(tmp_path / "run" / "model.onnx").record.provenance["elastic"]


def unfinished(elastic, folder):
    """Copy the run, as it was before its file was written."""
    shutil.copytree(elastic[0], folder)
    for name in ("model.onnx", "report.html"):
        (folder / name).unlink()
    return folder


def test_a_pick_whose_checkpoints_are_all_damaged_begins_anew(elastic, photos, target, tmp_path):
    """Their steps are later than those to come: they must not stay."""
    folder = unfinished(elastic, tmp_path / "run")
    for path in (folder / "checkpoint_of_pick").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    _, said = told(photos, folder, target=target, **ELASTIC)
    assert f"No checkpoint in {folder / 'checkpoint_of_pick'} is whole; this training begins anew." in said
    ours, theirs = (load(path / "model.onnx").record.digests for path in (folder, elastic[0]))
    assert ours["initializers"] == theirs["initializers"]


def test_the_plan_of_an_elastic_run(photos):
    words = ("--elastic", "--width", 0.25, "--resolution", 32, "--epochs", 2)
    outcome = pocketvision("fit", photos, *words, *ONLY_PLAN)
    assert outcome.code == 0, outcome.err
    planned = json.loads(outcome.out)
    assert planned["network"] == "mobilenet_v1_shallow_w0.25_r32_s8"
    assert planned["reason"] == "the largest of 9 sizes that are trained together" and len(planned["candidates"]) == 9


@pytest.mark.parametrize(
    ("words", "trainable_macs", "largest"),
    [
        (("--minutes", 1), 0, "w0.125_r32_s8"),
        (("--minutes", 1), 2_100_000, "w0.25_r32_s8"),
        (("--epochs", 1), 0, "w1.00_r32_s8"),
        (("--minutes", 1, "--resolution", 24), 0, "w0.25_r24_s8"),  # w0.25_r16 is the likeliest best for the budget
    ],
)
def test_what_the_prior_would_train_alone_is_among_the_cuts(words, trainable_macs, largest, tmp_path, monkeypatch):
    """Alone all have time; with all their sizes only those with so many multiply-adds."""
    tiny = write_photographs(tmp_path / "tiny", CLASSES, 12, (lambda image: grey(image.resize((28, 28))),))

    def measured(self, *arguments, **_):
        return 1e-4 if self.objective is None or count(self.graph).macs <= trainable_macs else 100.0

    monkeypatch.setattr(Workload, "step_seconds", measured)
    asked = ("--elastic", "--macs", 600_000, "--training-precision", "float32", "--plan", "--json")
    outcome = pocketvision("fit", tiny, *asked, *words)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["network"] == f"mobilenet_v1_shallow_{largest}"
    assert outcome.err.count("The time is short") == (trainable_macs == 0 and "--minutes" in words)


def test_the_python_face(elastic, tmp_path):
    _, finished, _ = elastic
    assert len(finished.front()["cuts"]) == 9
    written = finished.cut(Budget(macs=1e6), tmp_path / "small.onnx")
    assert written.file.exists() and written.spent.macs <= 1e6


def test_sizes_that_the_target_does_not_know_are_out(elastic, target, tmp_path):
    content = json.loads(target.read_text())
    content["rows"] = [row for row in content["rows"] if row["resolution"] != 16]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    rows = json.loads(pocketvision("front", elastic[0], "--target", other, "--json").out)["cuts"]
    unknown = [row for row in rows if "_r16_" in row["network"]]
    assert len(unknown) == 3 and not any(row["is_on_front"] for row in unknown)
    outcome = pocketvision(
        "cut", elastic[0], "--target", other, "--latency-ms", 1000, "-o", tmp_path / "a.onnx", "--json"
    )
    assert outcome.code == 0 and "_r16_" not in json.loads(outcome.out)["network"]


def test_a_damaged_front_is_made_again(elastic, photos, target, tmp_path):
    """A run that goes on after its cuts were judged, and finds them damaged, judges them again."""
    folder = unfinished(elastic, tmp_path / "run")
    (folder / "elastic" / "cuts.json").write_text("{")
    _, said = told(photos, folder, target=target, **ELASTIC)
    assert any("All cuts are judged again." in sentence for sentence in said)
    ours, theirs = (load(path / "model.onnx").record.digests for path in (folder, elastic[0]))
    assert ours["initializers"] == theirs["initializers"]


def test_no_size_is_planned_that_the_largest_does_not_hold(photos):
    """Of ShuffleNet with 8 groups at half its width, what the prior would take, a quarter, is no cut."""
    words = ("--family", "shufflenet_v1_g8", "--width", 0.5, "--resolution", 32, "--macs", "0.6M", "--epochs", 1)
    outcome = pocketvision("fit", photos, "--elastic", *words, "--weights", "none", *ONLY_PLAN)
    assert outcome.code == 0, outcome.err
    planned = json.loads(outcome.out)
    assert planned["network"] == "shufflenet_v1_g8_w0.50_r32_s8"
    assert not [
        each["name"] for each in planned["candidates"] if "_w0.25_" in each["name"] or "_w0.375_" in each["name"]
    ]


def test_several_families_compete(photos, tmp_path):
    families = ("--family", "mobilenet_v1_shallow,mobilenet_v2", "--weights", "none")
    outcome = pocketvision("fit", photos, *families, "--macs", "3M", "--resolution", 32, *ONLY_PLAN)
    planned = json.loads(outcome.out)
    assert {name.rsplit("_w")[0] for name in planned["finalists"]} == {"mobilenet_v1_shallow", "mobilenet_v2"}
    assert all(candidate["macs"] <= 3e6 for candidate in planned["candidates"] if not candidate["dropped"])


def test_the_runs_own_folder_is_left_alone(elastic):
    before = (elastic[0] / "model.onnx").read_bytes()
    for out in (elastic[0] / "model.onnx", elastic[0] / "elastic" / "weights.safetensors"):
        outcome = pocketvision("cut", elastic[0], "--macs", "1M", "-o", out)
        assert outcome.code == BadOption.exit_code and "is in the run folder, which holds what fit wrote" in outcome.err
    assert (elastic[0] / "model.onnx").read_bytes() == before


def test_a_budget_that_no_cut_keeps_in_the_end(elastic, photos, target, tmp_path, monkeypatch):
    """Timed before the training one was fast enough; timed again none is: the work is kept for another budget."""
    slow = json.loads(target.read_text())
    for row in slow["rows"]:
        row["latency_ms"] += 100
    other = tmp_path / "slow.json"
    other.write_text(json.dumps(slow))
    real = Latencies.time
    monkeypatch.setattr(Latencies, "time", lambda self, *rest: real(Latencies.of(other, 1), *rest))
    run = tmp_path / "run"
    with pytest.raises(NoFit, match=rf"Try: pocketvision cut {run} --latency-ms 1\d\d -o small\.onnx"):
        fit(photos, run, target=target, budget=Budget(latency_ms=50), **ELASTIC)
    assert not (run / "model.onnx").exists() and len(read_cuts(run).judged) == 9


def test_a_loss_that_is_no_number_leaves_the_pick_as_it_was_cut(elastic, photos, target, tmp_path, monkeypatch):
    monkeypatch.setattr(pick_module.Distillation, "__call__", lambda *_: float("nan"))
    folder = unfinished(elastic, tmp_path / "run")
    shutil.rmtree(folder / "checkpoint_of_pick")
    finished, said = told(photos, folder, target=target, **ELASTIC)
    assert any(sentence.startswith("The pick stays as it was cut: the loss became nan") for sentence in said)
    assert finished.model.exists()


def test_the_largest_network_holds_a_size_within_the_budget(photos):
    """Of two families the better one has none that is small enough."""
    families = ("--family", "mobilenet_v3_large,mobilenet_v3_small", "--weights", "none")
    outcome = pocketvision("fit", photos, "--elastic", *families, "--size-mb", 0.3, "--epochs", 1, *ONLY_PLAN)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["network"].startswith("mobilenet_v3_small")


def test_a_folder_that_was_not_finished_is_made_again(elastic, tmp_path):
    """Killed half-way nothing has the final name, and the same command succeeds."""
    folder = tmp_path / "sizes"
    (tmp_path / ".sizes.part").mkdir()
    (tmp_path / ".sizes.part" / "old.onnx").write_bytes(b"half")
    assert pocketvision("cut", elastic[0], "--all", "-o", folder).code == 0
    assert not (folder / "old.onnx").exists() and not (tmp_path / ".sizes.part").exists()


def test_limits_and_threads_that_are_none(elastic, tmp_path):
    with pytest.raises(BadOption, match="latency_ms chooses among the files of a folder; this is one file"):
        Predictor.open(elastic[0] / "model.onnx", latency_ms=1.0)
    for more in (["--all"], ["--macs", "1M"]):
        outcome = pocketvision("cut", elastic[0], *more, "--threads", 0, "-o", tmp_path / "x")
        assert outcome.code == BadOption.exit_code and "threads must be above 0; got 0. Try: --threads 1" in outcome.err
    assert not (tmp_path / "x").exists()
