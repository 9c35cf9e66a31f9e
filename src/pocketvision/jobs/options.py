"""What `fit` can be asked for, checked before anything else happens."""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pocketvision.cost.budget import Budget, read_macs
from pocketvision.errors import BadOption, nearest
from pocketvision.model.families import find_family
from pocketvision.train.recipe import find_recipe

DEFAULT_MINUTES = 15.0


class Asked(TypedDict, total=False):
    """What `fit` can be asked for, as keywords: the limits of a budget, or one Budget, and all else that `FitOptions` has."""

    latency_ms: float | None
    size_mb: float | None
    memory_mb: float | None
    macs: float | str | None
    budget: Budget | None
    target: str | Path | None
    threads: int
    minutes: float | None
    epochs: int | None
    family: str
    width: float | None
    resolution: int | None
    output_stride: int | None
    weights: str | Path
    recipe: str
    lr: float | None
    batch_size: int | None
    class_weights: str
    flip: bool | None
    elastic: bool
    seed: int
    accelerator: str
    precision: str
    training_precision: str
    cache_gb: float


LIMITS = ("latency_ms", "size_mb", "memory_mb", "macs")


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of one job.

    Attributes:
        minutes: wall time from start to model.onnx; None where epochs are given. Neither: 15 minutes.
        epochs: passes over the training images.
        family: name of the family, or several, separated by commas: the most promising network of those that fit is trained, and
            families with published weights come first. "auto": by the size of the images.
        width, resolution, output_stride: of the network, or of the largest with `elastic`; None is chosen from the images and
            the time.
        weights: where training starts: "auto" (published weights, if they are available and the images are photographs),
            "none", or what `load_weights` takes.
        recipe: name of the recipe; "auto" is "finetune" with weights and "modern" without.
        lr: replaces the recipe's learning rate.
        batch_size: replaces the recipe's; the recipe's learning rate is scaled with it.
        class_weights: "auto", "balanced" or "none".
        flip: mirror training images; None decides by the class names: letters, numbers and classes that differ by
            a side are not mirrored.
        elastic: train one network for all sizes and cut it to the budget.
        seed: of initial weights, order and augmentation.
        budget: what the device can spend; no limits by default.
        threads: of the engine for one call, when latency is measured.
        target: a device file, where the budget is for another device than this one.
        accelerator: where training runs: "auto", "cpu", "cuda" or "mps".
        precision: of the file: "fp32"; "int8", if it passes the gate; "fp16-storage", whose weights take half the
            space; "auto": "fp32", or "int8" if latency, size or memory are limited.
        training_precision: "auto", "float32" or "bfloat16".
        cache_gb: how large the cache folder for decoded images may become, in 10^9 bytes; 0: none are kept on disk.
    """

    minutes: float | None = None
    epochs: int | None = None
    family: str = "auto"
    width: float | None = None
    resolution: int | None = None
    output_stride: int | None = None
    weights: str | Path = "auto"
    recipe: str = "auto"
    lr: float | None = None
    batch_size: int | None = None
    class_weights: str = "auto"
    flip: bool | None = None
    elastic: bool = False
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    threads: int = 1
    target: str | Path | None = None
    accelerator: str = "auto"
    precision: str = "auto"
    training_precision: str = "auto"
    cache_gb: float = 10.0

    def __post_init__(self) -> None:
        if self.minutes is None and self.epochs is None:
            object.__setattr__(self, "minutes", DEFAULT_MINUTES)
        for family in self.families:
            find_family(family)
        if self.recipe != "auto":
            find_recipe(self.recipe)
        if self.minutes is not None and self.epochs is not None:
            raise BadOption("--minutes and --epochs contradict each other: time or epochs, not both.", "one of the two")
        for name, (lowest, good) in ABOVE.items():
            value, option = getattr(self, name), name.replace("_", "-")
            if value is not None and not (math.isfinite(value) and value > lowest):
                raise BadOption(f"{option} must be above {lowest}; got {value}.", f"--{option} {good}")
        if not 0 <= self.cache_gb < math.inf:
            raise BadOption(f"cache-gb must be 0 or more; got {self.cache_gb:g}.", "--cache-gb 10")
        if not 0 <= self.seed < SEEDS:
            raise BadOption(f"seed must be from 0 to {SEEDS - 1}; got {self.seed}.", "--seed 0")
        for name, known in CHOICES.items():
            value, option = getattr(self, name), name.replace("_", "-")
            if value not in known:
                raise BadOption(
                    f"{option} must be one of {', '.join(known)}; got {value!r}.",
                    f"--{option} {nearest(str(value), list(known))}",
                )

    @classmethod
    def of(cls, **asked: Unpack[Asked]) -> "FitOptions":
        """Return the options from keywords.

        Raises:
            BadOption: a value is out of range, or a limit is given twice.
        """
        content: dict[str, Any] = dict(asked)
        limits = {name: content.pop(name) for name in LIMITS if content.get(name) is not None}
        if isinstance(limits.get("macs"), str):
            limits["macs"] = read_macs(limits["macs"])
        budget = content.pop("budget", None) or Budget()
        if twice := [name for name, _ in budget.limits() if name in limits]:
            raise BadOption(f"{twice[0]} is given twice: alone, and in the budget.", "one of the two")
        others = {name: value for name, value in content.items() if name not in LIMITS}
        return cls(budget=replace(budget, **limits), **others)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions that the file may have; of those that fit the budget the first is taken where they are as good."""
        return precisions_for(self.precision, self.budget)

    @property
    def families(self) -> tuple[str, ...]:
        """The families that were asked for; none: they are chosen."""
        return () if self.family == "auto" else tuple(name.strip() for name in self.family.split(","))

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON values, without the paths of device file and weights, and what changes no result."""
        content = asdict(self)
        del content["target"], content["cache_gb"]
        weights = Path(self.weights).name if Path(self.weights).exists() else str(self.weights)
        return content | {"budget": dict(self.budget.limits()), "weights": weights}


def precisions_for(precision: str, budget: Budget) -> tuple[str, ...]:
    """Return the precisions to consider; with "auto" also int8, if latency, size or memory are limited.

    >>> precisions_for("auto", Budget(size_mb=1)), precisions_for("auto", Budget(macs=1e6)), precisions_for("int8", Budget())
    (('fp32', 'int8'), ('fp32',), ('int8',))
    """
    if precision != "auto":
        return (precision,)
    gains = (budget.latency_ms, budget.size_mb, budget.memory_mb)
    return ("fp32",) if gains == (None, None, None) else ("fp32", "int8")


ABOVE = {
    "minutes": (0, 1),
    "epochs": (0, 1),
    "lr": (0, 0.1),
    "batch_size": (1, 32),
    "threads": (0, 1),
}  # batch norm needs two images
SEEDS = 2**63  # torch takes no larger ones
CHOICES = {
    "class_weights": ("auto", "balanced", "none"),
    "accelerator": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "fp32", "int8", "fp16-storage"),
    "training_precision": ("auto", "float32", "bfloat16"),
}
