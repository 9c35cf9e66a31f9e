"""Conventions: what trained weights silently depend on, by name. With the wrong ones a network still works, only worse.

Sources: torchvision 0.29 `models/mobilenetv2.py` and `mobilenetv3.py`; timm 1.0 `models/mobilenetv3.py` and `efficientnet.py`;
Transformers 5 `models/mobilenet_v1` and `mobilenet_v2`; TensorFlow TPU models, EfficientNet-Lite.
"""

from dataclasses import dataclass
from typing import Literal

from pocketvision.errors import BadOption, nearest


@dataclass(frozen=True, kw_only=True)
class Conventions:
    """What weights were trained with.

    Attributes:
        padding: "symmetric" pads both sides alike (PyTorch); "same" pads the bottom and right side more where the total is
            odd, and by no more than the stride needs (TensorFlow).
        batch_norm_eps: added to the variance.
        mean, std: the input is (pixel - mean) / std, pixels in 0..255; one value a channel, or one for all.
    """

    padding: Literal["symmetric", "same"]
    batch_norm_eps: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


_IMAGENET_MEAN = tuple(255 * value for value in (0.485, 0.456, 0.406))
_IMAGENET_STD = tuple(255 * value for value in (0.229, 0.224, 0.225))

SCRATCH = "scratch"
CONVENTIONS = {
    # (x - 128) / 128: the uint8 input is then an exact quantised tensor
    SCRATCH: Conventions(padding="symmetric", batch_norm_eps=1e-3, mean=(128.0,), std=(128.0,)),
    "torchvision": Conventions(padding="symmetric", batch_norm_eps=1e-5, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    "torchvision_v3": Conventions(padding="symmetric", batch_norm_eps=1e-3, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    "timm": Conventions(padding="symmetric", batch_norm_eps=1e-5, mean=_IMAGENET_MEAN, std=_IMAGENET_STD),
    "timm_half": Conventions(padding="symmetric", batch_norm_eps=1e-5, mean=(127.5,), std=(127.5,)),
    "timm_tf": Conventions(padding="same", batch_norm_eps=1e-3, mean=(127.5,), std=(127.5,)),
    "transformers": Conventions(padding="same", batch_norm_eps=1e-3, mean=(127.5,), std=(127.5,)),
    "tensorflow_lite": Conventions(padding="same", batch_norm_eps=1e-3, mean=(127.0,), std=(128.0,)),
}


def find_conventions(name: str) -> Conventions:
    """Return the conventions of that name.

    Raises:
        BadOption: there are none.
    """
    if name not in CONVENTIONS:
        known = list(CONVENTIONS)
        raise BadOption(f"no conventions {name!r}. Known: {', '.join(known)}.", nearest(name, known))
    return CONVENTIONS[name]
