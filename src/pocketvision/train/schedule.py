"""The learning rate as a function of how much of the training is done."""

import math

from pocketvision.train.recipe import Recipe


def rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at `progress`, 0 at the first step and 1 after the last.

    Sources: cosine: Loshchilov and Hutter 2016, arXiv:1608.03983, eq. 5; linear warm-up: Goyal et al. 2017,
    arXiv:1706.02677, section 2.2.

    >>> from pocketvision.train.recipe import RECIPES
    >>> modern = RECIPES["modern"]
    >>> rate(modern, 0.0), rate(modern, modern.warmup) == modern.lr, round(rate(modern, 1.0), 9)
    (0.0, True, 0.0)
    """
    if progress < recipe.warmup:
        return recipe.lr * progress / recipe.warmup
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    if recipe.schedule == "exponential":
        return float(recipe.lr * 0.01**rest)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, rest)))
