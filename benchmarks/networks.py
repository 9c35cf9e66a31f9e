"""The networks that benchmarks compare, in ours and in the peers' libraries; none is trained, as speed does not depend on it."""

import importlib.util
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from timm.models.efficientnet import _gen_mobilenet_v1

from pocketvision.cost.count import count
from pocketvision.export.seal import seal
from pocketvision.export.verify import verify_file
from pocketvision.model.graph import Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.preprocessing import FROM_SCRATCH, Preprocessing
from pocketvision.run.record import Record

OPSET = 17
SEED = 0
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as timm and torchvision normalise

Make = Callable[[], torch.nn.Module]


@dataclass(frozen=True)
class Peers:
    """One network.

    Attributes:
        family, width, resolution: ours.
        timm: makes timm's.
        torchvision: makes torchvision's; None: it has none.
        keras: the name of the same network in keras.applications; None: it has none.
    """

    family: str
    width: float
    resolution: int
    timm: Make
    torchvision: Make | None = None
    keras: str | None = None

    @property
    def graph(self) -> Graph:
        """Ours."""
        return resolve(self.family, self.width, self.resolution)


def _timm(name: str) -> Make:
    return lambda: timm.create_model(name).eval()


def timm_v1(width: float, resolution: int) -> Peers:
    """Return MobileNetV1 of any width, which timm has a maker for and no name."""
    make = partial(_gen_mobilenet_v1, "mobilenetv1_100", channel_multiplier=width)
    return Peers("mobilenet_v1", width, resolution, lambda: make().eval(), keras="MobileNet")


NETWORKS = {
    "V1 1.0-224": Peers("mobilenet_v1", 1.0, 224, _timm("mobilenetv1_100"), keras="MobileNet"),
    "V2 1.0-224": Peers(
        "mobilenet_v2",
        1.0,
        224,
        _timm("mobilenetv2_100"),
        lambda: torchvision.models.mobilenet_v2().eval(),
        "MobileNetV2",
    ),
    "V3-large 1.0-224": Peers(
        "mobilenet_v3_large",
        1.0,
        224,
        _timm("mobilenetv3_large_100"),
        lambda: torchvision.models.mobilenet_v3_large().eval(),
        "MobileNetV3Large",
    ),
    "V3-small 1.0-224": Peers(
        "mobilenet_v3_small",
        1.0,
        224,
        _timm("mobilenetv3_small_100"),
        lambda: torchvision.models.mobilenet_v3_small().eval(),
        "MobileNetV3Small",
    ),
    "V1 0.25-128": timm_v1(0.25, 128),
    "Lite0 1.0-224": Peers("efficientnet_lite0", 1.0, 224, _timm("efficientnet_lite0")),
}


def make_keras(peers: Peers, resolution: int, classes: int = 1000) -> Any:
    """Return the network of keras.applications, untrained, giving logits; None: it has none, or TensorFlow is not installed.

    It takes float32 images (N, R, R, 3); MobileNetV3 normalises for itself, the others want them within -1 and 1.
    """
    if peers.keras is None or importlib.util.find_spec("tensorflow") is None:
        return None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    options = {} if peers.width == 1 else {"alpha": peers.width}
    return getattr(keras.applications, peers.keras)(
        input_shape=(resolution, resolution, 3),
        weights=None,
        classes=classes,
        classifier_activation=None,
        **options,
    )


def untrained_model(graph: Graph, preprocessing: Preprocessing = FROM_SCRATCH) -> bytes:
    """Return the file of an untrained network, with a record as `fit` writes it, verified."""
    model = write_onnx(graph, initial_arrays(graph, SEED))
    side, channels = graph.image.height, graph.image.channels
    record = Record(
        task="classification",
        labels=tuple(f"class {number}" for number in range(graph.source.classes)),
        resolution=side,
        channels=channels,
        preprocessing=preprocessing,
        model={"name": graph.name, **graph.source._asdict()},
        metrics={},
        temperature=1.0,
        unknown_threshold=0.0,
        provenance={"seed": SEED},
        goldens=make_goldens(OnnxRuntime(model).run(golden_images(4, side, channels))["logits"]),
    )
    sealed = seal(model, record)
    verify_file(sealed)
    return sealed


def export_timm(peers: Peers, path: Path, is_fixed: bool = False) -> None:
    """Export timm's network by torch, for any number of images or for one."""
    _export(peers.timm(), peers, path, is_fixed)


def export_torchvision(peers: Peers, path: Path) -> None:
    """Export torchvision's network by torch, for any number of images."""
    assert peers.torchvision is not None
    _export(peers.torchvision(), peers, path)


def _export(model: torch.nn.Module, peers: Peers, path: Path, is_fixed: bool = False) -> None:
    """Write the ONNX file; check that the network has as many parameters as ours."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    expected = count(peers.graph).params
    assert parameters == expected, f"the peer's network has {parameters:,} parameters, ours {expected:,}"
    image = torch.zeros(1, 3, peers.resolution, peers.resolution)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs no further package
        torch.onnx.export(
            model,
            (image,),
            str(path),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes=None if is_fixed else {"image": {0: "N"}, "logits": {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )
