"""Weights by name, file and folder: what is read, what is assumed, and every refusal."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from graphs import random_arrays
from pocketvision.errors import BadWeights, UnknownWeights
from pocketvision.model.names import names
from pocketvision.model.network import build
from pocketvision.model.published import PUBLISHED, published_from
from pocketvision.model.resolve import resolve
from pocketvision.model.weights.imported import import_weights
from pocketvision.model.weights.labels import imagenet_labels
from pocketvision.model.weights.load import describe, imported_names, load_weights
from pocketvision.model.weights.locate import find_here, locate
from pocketvision.train.evaluate import compute_logits
from refusals import refused


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path / "cache"))


def arrays_of(graph):
    """Random weights, drawn on small images: their shapes do not depend on these."""
    return random_arrays(resolve(**graph.options._replace(resolution=32)._asdict()))


def state_of(graph, layout):
    arrays = arrays_of(graph)
    return {names(layout, graph)[name]: array for name, array in arrays.items()}, arrays


@pytest.fixture
def graph():
    return resolve("mobilenet_v2", 0.35, 224, classes=5)


@pytest.fixture
def file(graph, tmp_path):
    state, _ = state_of(graph, "timm")
    save_file(state, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


def test_a_file_says_its_network_and_what_is_assumed_is_said(file, graph):
    found = load_weights(file)
    assert (found.graph.name, found.graph.options.classes, found.layout) == ("mobilenet_v2_w0.35_r224", 5, "timm")
    assert found.labels == ()
    assert all(what in found.assumed for what in ("mine.safetensors", "timm", "224 pixels"))
    _, arrays = state_of(graph, "timm")
    assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)


def test_a_file_of_ours_that_could_be_of_several_families_says_so(tmp_path):
    for family, others in (("xception_activated", "xception_activated"), ("mobilenet_v1", "mobilenet_v1_relu")):
        save_file(arrays_of(resolve(family, 0.25, classes=5)), tmp_path / "own.safetensors")
        assumed = load_weights(tmp_path / "own.safetensors").assumed
        assert others in assumed and "--family" in assumed
    save_file(arrays_of(resolve("effnet", 0.25, classes=5)), tmp_path / "own.safetensors")
    assert "--family" not in load_weights(tmp_path / "own.safetensors").assumed


@pytest.mark.parametrize("family", ["mobilenet_v2_no_shortcut", "mobilenet_v1_relu", "xception_activated"])
def test_a_file_of_ours_is_of_the_family_that_is_expected_where_that_looks_the_same(family, tmp_path):
    graph, path = resolve(family, 0.25, classes=5), tmp_path / "own.safetensors"
    arrays = arrays_of(graph)
    save_file(arrays, path)
    found = load_weights(path, (family,))
    assert found.graph.options.family == family and found.graph.ops == graph.ops and "--family" not in found.assumed
    assert load_weights(path, ("effnet",)).graph.options.family != family
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    network = build(graph)
    network.load_arrays(arrays)
    assert np.array_equal(compute_logits(build(graph, weights=path), images), compute_logits(network, images))


def test_what_was_assumed_is_said_of_imported_weights_too(tmp_path):
    save_file(arrays_of(resolve("mobilenet_v1_relu", 0.25, classes=5)), tmp_path / "own.safetensors")
    found = load_weights(tmp_path / "own.safetensors")
    import_weights(found, "my/relu")
    assert load_weights("my/relu").assumed == found.assumed != ""


def test_networks_from_scratch_below_their_width_are_known_again(tmp_path):
    """Their last convolution is thinner than in published ones."""
    graph = resolve("mobilenet_v2", 0.5, 32, 10, thin_head=True)
    save_file(random_arrays(graph), tmp_path / "own.safetensors")
    found = load_weights(tmp_path / "own.safetensors").graph
    assert [*found.parameters()] == [*graph.parameters()] and found.options.thin_head


def test_a_width_that_is_not_tried_is_said(tmp_path):
    save_file(arrays_of(resolve("mobilenet_v1", 0.45, classes=5)), tmp_path / "own.safetensors")
    with refused(BadWeights, tmp_path / "own.safetensors", "mobilenet_v1", "width"):
        load_weights(tmp_path / "own.safetensors")


WRAPPED = {
    "plain": lambda state: state,
    "a checkpoint": lambda state: {"epoch": 3, "state_dict": state},
    "of several devices": lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_a_torch_file_of_tensors_is_read_also_one_level_down(wrap, graph, tmp_path):
    state, arrays = state_of(graph, "torchvision")
    torch.save(wrap({name: torch.tensor(array) for name, array in state.items()}), tmp_path / "net.pth")
    found = load_weights(tmp_path / "net.pth")
    assert found.layout == "torchvision"
    assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)


def test_a_pickled_module_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with refused(BadWeights, tmp_path / "module.pth", attempt="torch.save(model.state_dict(), FILE)"):
        load_weights(tmp_path / "module.pth")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0")
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "alien.safetensors")
    for name, *named in (
        ("text.pth",),
        ("cut.safetensors", "safetensors file"),
        ("alien.safetensors", "1 arrays", "at most 0"),
    ):
        with refused(BadWeights, tmp_path / name, *named):
            load_weights(tmp_path / name)


def test_numbers_that_are_none_are_refused(graph, tmp_path):
    state, _ = state_of(graph, "timm")
    state["bn1.weight"] = np.full_like(state["bn1.weight"], np.nan)
    save_file(state, tmp_path / "nan.safetensors")
    with refused(BadWeights, tmp_path / "nan.safetensors", "'bn1.weight'", "NaN"):
        load_weights(tmp_path / "nan.safetensors")


def test_an_unknown_name_gets_the_nearest():
    asked = "torchvision/mobilenet_v2.IMAGENET"
    with refused(UnknownWeights, repr(asked), attempt=f"{asked}1K_V2"):
        load_weights(asked)


@pytest.mark.parametrize("origin", ["torchvision", "huggingface"])
def test_without_a_connection_a_name_fails_in_a_line(origin, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    published = next(known for known in PUBLISHED if known.origin == origin)
    with refused(BadWeights, published.name, "HF_HUB_OFFLINE", attempt="--weights none"):
        locate(published)


def test_a_dead_host_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(
        torch.hub, "download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no route to host"))
    )
    with refused(BadWeights, PUBLISHED[0].name, "no route to host", attempt="mobilenet_v2-b0353104.pth"):
        locate(PUBLISHED[0])


def test_a_fetched_file_is_kept_where_torch_keeps_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    asked = []

    def download(url, path, hash_prefix, progress):
        asked.append((url.rpartition("/")[2], hash_prefix))
        open(path, "wb").close()  # noqa: PTH123

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    path = locate(PUBLISHED[0])
    assert asked == [("mobilenet_v2-b0353104.pth", "b0353104")]
    assert path == tmp_path / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth" == find_here(PUBLISHED[0])


def test_the_hubs_cache_is_found(tmp_path, monkeypatch, graph):
    """A snapshot laid out as huggingface-hub lays it out."""
    published = next(known for known in PUBLISHED if known.name == "timm/mobilenetv2_050.lamb_in1k")
    snapshot = tmp_path / f"models--{published.place.replace('/', '--')}" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    state, arrays = state_of(resolve("mobilenet_v2", 0.5), "timm")
    save_file(state, snapshot / "model.safetensors")
    import huggingface_hub.file_download

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.file_download.constants, "HF_HUB_CACHE", str(tmp_path))
    found = load_weights(published.name)
    assert (found.graph.options.conventions, found.preprocessing.interpolation) == ("timm", "bicubic")
    assert all(np.array_equal(found.arrays[name], arrays[name]) for name in arrays)


def test_a_folder_needs_weights_and_config(tmp_path):
    (tmp_path / "empty").mkdir()
    with refused(BadWeights, tmp_path / "empty", "model.safetensors", "config.json"):
        load_weights(tmp_path / "empty")


def test_conventions_that_are_not_known_are_refused(graph, tmp_path):
    state, _ = state_of(graph, "timm")
    save_file(state, tmp_path / "model.safetensors")
    config = {"architecture": "mobilenetv2_035", "mean": [0, 0, 0], "std": [1, 1, 1], "input_size": [3, 96, 96]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with refused(BadWeights, "symmetric", "1e-05", "[0, 0, 0]", "[1, 1, 1]"):
        load_weights(tmp_path)


def test_imported_weights_come_back_by_their_name(file):
    found = load_weights(file)
    folder = import_weights(found, "my/birds")
    assert imported_names() == ["my/birds"] and (folder / "weights.json").exists()
    again = load_weights("my/birds")
    assert (again.graph, again.preprocessing, again.labels) == (found.graph, found.preprocessing, found.labels)
    assert all(np.array_equal(again.arrays[name], found.arrays[name]) for name in found.arrays)
    assert describe(again)["layout"] == "pocketvision"
    with refused(BadWeights, "'my/birds'"):
        import_weights(found, "my/birds")
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with refused(BadWeights, folder / "weights.safetensors", "SHA-256"):
        load_weights("my/birds")


@pytest.mark.parametrize("name", ["", "../out", "/abs", PUBLISHED[0].name])
def test_names_that_are_none_are_refused(name, file):
    with refused(BadWeights, repr(name)):
        import_weights(load_weights(file), name)


def test_auto_takes_the_narrowest_that_is_wide_enough():
    assert published_from("mobilenet_v2", 1.0)[0].name == "torchvision/mobilenet_v2.IMAGENET1K_V1"
    assert published_from("mobilenet_v2", 0.4)[0].width == 0.5
    assert published_from("mobilenet_v2", 2.0) == published_from("mobilenet_v1_standard", 1.0) == []


def test_published_names_are_unique():
    assert len({known.name for known in PUBLISHED}) == len(PUBLISHED)


def test_imagenets_labels():
    assert (len(imagenet_labels()), imagenet_labels()[0], imagenet_labels(True)[0]) == (1000, "tench", "background")
    assert len(set(imagenet_labels())) == 1000
