"""The promise: other libraries' networks, loaded by our loader, give the logits that those libraries give."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pocketvision.jobs.export import export
from pocketvision.model.conventions import CONVENTIONS
from pocketvision.model.published import PUBLISHED
from pocketvision.model.resolve import resolve
from pocketvision.model.weights.load import load_weights
from pocketvision.run.predictor import Predictor
from published import (
    IMAGENET,
    difference,
    our_logits,
    randomise,
    save_timm,
    save_torchvision,
    their_logits,
    three_images,
)

TOLERANCE = 1e-4
WRONG = 10 * TOLERANCE  # what a wrong convention must show at least
# A network of each layout of names, and of each rule for widths
TORCHVISION = [
    ("mobilenet_v2", 0.5),
    ("mobilenet_v3_large", 1.0),
    ("mobilenet_v3_small", 0.75),
    ("shufflenet_v2_x0_5", 0.5),
    ("squeezenet1_0", 1.0),
    ("squeezenet1_1", 1.0),
]
TIMM = [
    "mobilenetv1_100",
    "mobilenetv2_050",
    "mobilenetv3_large_100",
    "tf_mobilenetv3_small_075",
    "tf_efficientnet_lite0",
    "legacy_xception",
    "mobilenetv4_conv_small_050",
    "mobilenetv4_conv_medium",
]
SAME_SIZE = 96  # both libraries at one resolution; padding shows at odd maps, too
ODD_SIZE = 79


def at(weights, resolution):
    """The weights for another resolution, with labels, so that they can be exported."""
    graph = resolve(**weights.graph.options._replace(resolution=resolution)._asdict())
    return replace(weights, graph=graph, labels=tuple(f"class {i}" for i in range(graph.options.classes)))


def check(weights, net, mean, std, folder):
    for resolution in (SAME_SIZE, ODD_SIZE):
        images, sized = three_images(resolution), at(weights, resolution)
        expected = their_logits(net, images, mean, std)
        assert np.ptp(expected, axis=0).max() > 0.01 * np.abs(expected).max(), "the logits depend on the image"
        assert difference(our_logits(sized, images), expected) <= TOLERANCE
    exported = export(sized, folder / "model.onnx")
    assert difference(Predictor.open(exported.file).logits(images), expected) <= TOLERANCE


@pytest.mark.parametrize(("name", "width"), TORCHVISION)
def test_torchvision(name, width, tmp_path):
    path, net = save_torchvision(tmp_path, name, width)
    weights = load_weights(path)
    assert weights.graph.options.width == width and "assumed" in weights.assumed
    check(weights, net, *IMAGENET, tmp_path)


@pytest.mark.parametrize("name", TIMM)
def test_timm(name, tmp_path):
    folder, net = save_timm(tmp_path, name)
    weights = load_weights(folder)
    assert weights.graph.image.height == net.pretrained_cfg["input_size"][-1]
    check(weights, net, net.pretrained_cfg["mean"], net.pretrained_cfg["std"], tmp_path)


@pytest.mark.parametrize(("version", "width"), [(1, 0.75), (2, 0.35), (2, 1.4)])
def test_transformers(version, width, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"MobileNetV{version}Config")(depth_multiplier=width, num_labels=11, image_size=96)
    net = randomise(getattr(transformers, f"MobileNetV{version}ForImageClassification")(config))
    net.save_pretrained(tmp_path / "saved")
    getattr(transformers, f"MobileNetV{version}ImageProcessor")(size={"shortest_edge": 128}).save_pretrained(
        tmp_path / "saved"
    )
    weights = load_weights(tmp_path / "saved")
    assert weights.labels == tuple(f"LABEL_{i}" for i in range(11))
    assert (weights.preprocessing.crop_fraction, weights.graph.image.height) == (0.75, 96)
    check(weights, net, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), tmp_path)


def test_a_small_torchvision_network_of_any_width_is_the_tv_rule(tmp_path):
    path, _ = save_torchvision(tmp_path, "mobilenet_v3_large", 0.75)
    assert load_weights(path).graph.name == "mobilenet_v3_large_tv_w0.75_r224"


MUTATIONS = {
    "epsilon": {"batch_norm_eps": 1e-2},
    "padding": {"padding": "same"},
    "mean": {"mean": (127.5,)},
    "std": {"std": (127.5,)},
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_wrong_convention_shows(what, tmp_path, monkeypatch):
    path, net = save_torchvision(tmp_path, "mobilenet_v2", 0.5)
    wrong = replace(CONVENTIONS["torchvision"], **MUTATIONS[what])
    monkeypatch.setitem(CONVENTIONS, "torchvision", wrong)
    weights, images = at(load_weights(path), SAME_SIZE), three_images(SAME_SIZE)
    assert difference(our_logits(weights, images), their_logits(net, images, *IMAGENET)) > WRONG


@pytest.mark.parametrize("what", ["epsilon", "padding"])
def test_a_wrong_convention_shows_in_tensorflows(what, tmp_path, monkeypatch):
    folder, net = save_timm(tmp_path, "tf_mobilenetv3_small_075")
    weights = load_weights(folder)
    wrong = {"epsilon": {"batch_norm_eps": 1e-5}, "padding": {"padding": "symmetric"}}[what]
    monkeypatch.setitem(CONVENTIONS, "timm_tf", replace(CONVENTIONS["timm_tf"], **wrong))
    images = three_images(SAME_SIZE)
    expected = their_logits(net, images, (0.5,) * 3, (0.5,) * 3)
    assert difference(our_logits(at(weights, SAME_SIZE), images), expected) > WRONG


def test_the_table_of_published_weights_agrees_with_timm():
    timm = pytest.importorskip("timm")
    known = [published for published in PUBLISHED if published.place.startswith("timm/")]
    assert known
    for published in known:
        check_timms(timm, published)


def check_timms(timm, published):
    theirs = timm.get_pretrained_cfg(published.place.removeprefix("timm/"))
    conventions = CONVENTIONS[published.conventions]
    net = timm.create_model(theirs.architecture, num_classes=0)
    assert net.bn1.eps == conventions.batch_norm_eps, published.name
    is_same = conventions.padding == "same"
    first = next(module for module in net.modules() if isinstance(module, torch.nn.Conv2d))
    assert (type(first).__name__ == "Conv2dSame") == is_same
    for ours, stated in ((conventions.mean, theirs.mean), (conventions.std, theirs.std)):
        np.testing.assert_allclose(np.broadcast_to(ours, 3), [255 * value for value in stated])
    record = published.preprocessing
    assert (record.crop_fraction, record.interpolation) == (theirs.crop_pct, theirs.interpolation)
    assert published.resolution == theirs.input_size[-1]


def test_the_table_of_published_weights_agrees_with_torchvision():
    known = [published for published in PUBLISHED if published.origin == "torchvision"]
    assert known
    for published in known:
        check_torchvisions(published)


def check_torchvisions(published):
    from torchvision.models import get_weight

    theirs = get_weight(published.place)
    assert theirs.url.endswith(f"/{published.file}")
    assert theirs.meta["_metrics"]["ImageNet-1K"]["acc@1"] == published.top1
    transforms = theirs.transforms()
    assert round(published.resolution / published.preprocessing.crop_fraction) == transforms.resize_size[0]
    assert published.resolution == transforms.crop_size[0]
    assert published.preprocessing.interpolation == transforms.interpolation.value
    conventions = CONVENTIONS[published.conventions]
    torch.testing.assert_close(conventions.mean, tuple(255 * value for value in transforms.mean))
    torch.testing.assert_close(conventions.std, tuple(255 * value for value in transforms.std))
