"""What `fit` can be asked for, checked before anything else happens."""

import math
from dataclasses import dataclass

from pocketvision.errors import BadOption, nearest
from pocketvision.model.families import find_family
from pocketvision.train.recipe import find_recipe

DEFAULT_MINUTES = 15.0


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of one job.

    Attributes:
        minutes: wall time from start to model.onnx; None where epochs are given. Neither: 15 minutes.
        epochs: passes over the training images.
        family: name of the family.
        width, resolution, output_stride: of the network; None is chosen from the images and the time.
        recipe: name of the recipe.
        lr: replaces the recipe's learning rate.
        batch_size: replaces the recipe's; the recipe's learning rate is scaled with it.
        class_weights: "auto", "balanced" or "none".
        flip: mirror training images; None decides by the class names: letters and digits are not mirrored.
        seed: of initial weights, order and augmentation.
        accelerator: where training runs: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32" or "bfloat16".
    """

    minutes: float | None = None
    epochs: int | None = None
    family: str = "mobilenet_v1"
    width: float | None = None
    resolution: int | None = None
    output_stride: int | None = None
    recipe: str = "modern"
    lr: float | None = None
    batch_size: int | None = None
    class_weights: str = "auto"
    flip: bool | None = None
    seed: int = 0
    accelerator: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.minutes is None and self.epochs is None:
            object.__setattr__(self, "minutes", DEFAULT_MINUTES)
        find_family(self.family)
        find_recipe(self.recipe)
        if self.minutes is not None and self.epochs is not None:
            raise BadOption("--minutes and --epochs contradict each other: time or epochs, not both.", "one of the two")
        for name in ("minutes", "epochs", "lr", "batch_size"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadOption(f"{name} must be above 0; got {value}.", f"--{name} {1 if name != 'lr' else 0.1}")
        if self.seed < 0:
            raise BadOption(f"seed must be 0 or more; got {self.seed}.", "--seed 0")
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known:
                option = name.replace("_", "-")
                raise BadOption(
                    f"{option} must be one of {', '.join(known)}; got {value!r}.",
                    f"--{option} {nearest(str(value), list(known))}",
                )


CHOICES = {
    "class_weights": ("auto", "balanced", "none"),
    "accelerator": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "float32", "bfloat16"),
}
