"""Recipes: how to train, as named values with their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pocketvision.data.geometry import Augmentation
from pocketvision.errors import BadOption, nearest


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: what users type.
        source: where the values come from.
        optimizer: "sgd" (Nesterov), "adamw" or "rmsprop".
        lr: the largest learning rate, for batches of `batch_size`.
        batch_size: images in a step.
        elastic_batch_size: images in a step in which sub-networks learn, too, at the same rate; None: as many. Other batches then
            get a rate in proportion to this one.
        weight_decay: on filters and matrices; never on batch norm and biases.
        depthwise_decay: on depthwise filters, which are few and small.
        momentum: of SGD and RMSprop; AdamW's first beta.
        schedule: "cosine" to zero, or "exponential" to a hundredth.
        warmup: share of all steps in which the rate rises from zero.
        label_smoothing: share of the target spread over all classes.
        ema: largest decay of the averaged weights, which are the ones kept; None keeps the last.
        batch_norm_momentum: share of the new batch in the running statistics; None: they stay as the weights brought them,
            and normalise in training, too.
        trunk: the rate of all layers but the classifier, as a share of `lr`.
        most_epochs: more are not trained, whatever time there is; None: no limit.
        augmentation: for photographs.
        small_augmentation: for images of up to 64 pixels; the shift only in trainings of at least ten epochs.
    """

    name: str
    source: str
    optimizer: str
    lr: float
    batch_size: int
    weight_decay: float
    depthwise_decay: float
    momentum: float
    schedule: str
    warmup: float
    label_smoothing: float
    ema: float | None
    batch_norm_momentum: float | None
    augmentation: Augmentation
    small_augmentation: Augmentation
    elastic_batch_size: int | None = None
    trunk: float = 1.0
    most_epochs: int | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Recipe":
        """Return what `dataclasses.asdict` made of a recipe."""
        changes = {name: Augmentation(**content[name]) for name in ("augmentation", "small_augmentation")}
        return cls(**{**content, **changes})


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="modern",
            source="SGD, cosine with warm-up, no decay on norm, bias and depthwise filters: slimmable and US-Nets' settings "
            "(arXiv:1812.08928, arXiv:1903.05134); label smoothing, averaged weights: TF-slim's MobileNetV2; batch size, decay "
            "and smoothing for minutes instead of days: docs/log.md",
            optimizer="sgd",
            lr=0.1,
            batch_size=64,
            elastic_batch_size=32,
            weight_decay=5e-4,
            depthwise_decay=0.0,
            momentum=0.9,
            schedule="cosine",
            warmup=0.05,
            label_smoothing=0.05,
            ema=0.999,
            batch_norm_momentum=0.1,
            augmentation=Augmentation(flip=True, shift=0.0, scale=0.4),
            small_augmentation=Augmentation(flip=True, shift=0.04),
        ),
        Recipe(
            name="paper",
            source="RMSprop, little or no decay on depthwise filters, little augmentation: MobileNets, arXiv:1704.04861, "
            "section 3.2; decay, momentum and the exponential schedule: MobileNetV2, arXiv:1801.04381, section 6.1",
            optimizer="rmsprop",
            lr=0.01,
            batch_size=96,
            weight_decay=4e-5,
            depthwise_decay=0.0,
            momentum=0.9,
            schedule="exponential",
            warmup=0.05,
            label_smoothing=0.0,
            ema=None,
            batch_norm_momentum=0.1,
            augmentation=Augmentation(flip=True, shift=0.0, scale=0.6),
            small_augmentation=Augmentation(flip=True),
        ),
        Recipe(
            name="finetune",
            source="for published weights, after the classifier was fitted on cached features: AdamW, a smaller rate for the "
            "trunk, batch-norm statistics as the weights brought them (small batches would blur them); values: docs/log.md",
            optimizer="adamw",
            lr=1e-3,
            batch_size=32,
            weight_decay=0.01,
            depthwise_decay=0.0,
            momentum=0.9,
            schedule="cosine",
            warmup=0.1,
            label_smoothing=0.1,
            ema=0.99,
            batch_norm_momentum=None,
            augmentation=Augmentation(flip=True, shift=0.0, scale=0.5),
            small_augmentation=Augmentation(flip=True, shift=0.04),
            trunk=0.2,
            most_epochs=20,
        ),
    )
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        BadOption: there is no such recipe.
    """
    if name not in RECIPES:
        known = list(RECIPES)
        raise BadOption(f"no recipe {name!r}. Known: {', '.join(known)}.", f"--recipe {nearest(name, known)}")
    return RECIPES[name]
