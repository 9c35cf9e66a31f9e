"""What the command line can do, Python can: pv.fit, pv.load, pv.count, pv.resolve, pv.build, pv.verify."""

import json
import shutil

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import pocketvision as pv
from inspection import weights
from pocketvision.errors import BadWidth, RunFolderInUse, UsageError
from pocketvision.events import Epoch, Measured, Note, Step
from pocketvision.train.recipe import RECIPES

# "auto" measures which precision is faster; the same weights need the same one.
OPTIONS = {"epochs": 2, "width": 0.25, "resolution": 32, "batch_size": 8, "training_precision": "float32"}


@pytest.fixture(scope="module")
def fitted(photos, tmp_path_factory):
    """The result, and every event with the files that were there when it came."""
    folder, events = tmp_path_factory.mktemp("face") / "run", []

    def listen(event):
        files = {file.name for file in folder.iterdir()} if folder.exists() else set()
        events.append((event, files))

    return pv.fit(photos, folder, on_event=listen, seed=3, **OPTIONS), events


def test_fit_then_load_then_predict(fitted, photos):
    finished, _ = fitted
    assert finished.name == "mobilenet_v1_shallow_w0.25_r32_s8"
    assert (finished.evaluation.part, finished.evaluation.images) == ("test", 6)
    model = pv.load(finished.model)
    label = model.predict(photos / "cat" / "000.jpg").top
    assert label.name in ("cat", "coffee", "rocket")
    assert len(model.predict(photos)) == 36
    assert pv.load(finished.model.read_bytes()).record == model.record
    assert model.record.provenance["options"]["seed"] == 3


def test_verify(fitted):
    assert {check.problem for check in pv.verify(fitted[0].model)} == {""}


def test_networks():
    graph = pv.resolve("mobilenet_v1", width=0.25, resolution=32, classes=10)
    network = pv.build(graph)
    assert sum(parameter.numel() for parameter in network.parameters()) == pv.count(graph).params


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError) as caught:
        pv.forecast  # noqa: B018
    assert "'forecast'" in str(caught.value)
    assert all(name in str(caught.value) for name in ("Budget", "build", "count", "fit", "load", "resolve", "verify"))


def test_the_plan_is_on_disk_before_the_first_step(fitted):
    _, events = fitted
    first = next(i for i, (event, _) in enumerate(events) if isinstance(event, Step))
    assert "plan.json" in events[first][1]
    assert all("model.onnx" not in files for event, files in events if isinstance(event, Step | Epoch))


def test_the_plan_holds_every_decision(fitted):
    plan = json.loads((fitted[0].model.parent / "plan.json").read_text())
    assert plan["options"] | {"minutes": None, "seed": 3, "family": "auto"} | OPTIONS == plan["options"]
    assert (plan["network"], plan["reason"]) == (fitted[0].name, "the only one that was asked for")
    assert (plan["epochs"], plan["steps_per_epoch"], plan["device"], plan["threads"]) == (2, 3, "cpu", 1)
    assert plan["training_precision"] in ("float32", "bfloat16")
    assert plan["recipe"]["batch_size"] == 8
    assert plan["recipe"]["lr"] == pytest.approx(RECIPES["modern"].lr * 8 / RECIPES["modern"].batch_size)
    assert plan["augmentation"].keys() == {"flip", "shift", "scale"}
    assert plan["data"]["images"] == {"train": 24, "validation": 6, "test": 6}
    assert len(plan["data"]["fingerprint"]) == 64


def test_the_log_repeats_every_note_epoch_and_figure(fitted):
    finished, events = fitted
    lines = (finished.model.parent / "log.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [event for event, _ in events if isinstance(event, Note | Epoch | Measured)]
    assert [json.loads(line) for line in lines] == [
        {"event": type(event).__name__.lower(), **vars(event)} for event in expected
    ]
    assert sum(isinstance(event, Epoch) for event in expected) == 2


def test_tensorboard_shows_the_curves(fitted):
    finished, events = fitted
    board = EventAccumulator(str(finished.model.parent / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {"loss", "validation_loss", "validation_top1", "lr", "images_per_second"}
    losses = [(point.step, point.value) for point in board.Scalars("loss")]
    epochs = [event for event, _ in events if isinstance(event, Epoch)]
    assert losses == [(event.epoch, pytest.approx(event.loss)) for event in epochs]


def test_a_folder_with_another_run_in_it_is_refused(fitted, photos):
    folder = fitted[0].model.parent
    before = fitted[0].model.read_bytes()
    with pytest.raises(RunFolderInUse) as caught:
        pv.fit(photos, folder, **OPTIONS)
    assert f"'{folder}'" in str(caught.value) and "seed 3, not 0" in str(caught.value)
    assert caught.value.attempt.startswith(f"-o {folder}-2, or --restart")
    assert fitted[0].model.read_bytes() == before


def test_the_same_seed_gives_the_same_weights(fitted, photos, tmp_path):
    pv.fit(photos, tmp_path / "run", seed=3, **OPTIONS)
    assert weights(tmp_path / "run") == weights(fitted[0].model.parent)


def test_restart_leaves_the_old_run_alone_until_the_new_one_is_planned(fitted, photos, tmp_path):
    folder = shutil.copytree(fitted[0].model.parent, tmp_path / "run")
    old = (folder / "model.onnx").read_bytes()
    with pytest.raises(BadWidth):
        pv.fit(photos, folder, restart=True, **OPTIONS | {"width": 0})
    assert (folder / "model.onnx").read_bytes() == old
    again = pv.fit(photos, folder, restart=True, seed=4, **OPTIONS).model
    assert (tmp_path / "run-2" / "model.onnx").read_bytes() == old
    assert weights(folder) != weights(tmp_path / "run-2"), "of another seed"
    assert again == folder / "model.onnx"


def test_restart_moves_nothing_but_runs(photos, tmp_path):
    with pytest.raises(RunFolderInUse, match=r"plan\.json") as caught:
        pv.fit(photos, photos, restart=True, **OPTIONS)
    assert caught.value.attempt == f"-o {photos}-2"
    assert len(list(photos.iterdir())) == 3


@pytest.mark.parametrize("wrong", [{"width": 0}, {"resolution": 5}, {"output_stride": 3}])
def test_a_wrong_option_that_only_the_data_reveal_leaves_no_folder(wrong, photos, tmp_path):
    with pytest.raises(UsageError):
        pv.fit(photos, tmp_path / "run", **OPTIONS | wrong)
    assert not (tmp_path / "run").exists()
