"""The recipe for these images and this network: the rate, the batches, how images are changed."""

from dataclasses import replace

from pocketvision.choose.candidates import SMALL
from pocketvision.data.geometry import Augmentation
from pocketvision.data.mirror import why_not_mirrored
from pocketvision.jobs.options import FitOptions
from pocketvision.model.graph import Graph
from pocketvision.train.recipe import Recipe, find_recipe

# Images: batch norm needs some.
SMALLEST_BATCH = 16
# In an epoch; with few images a smaller batch takes more steps.
STEPS_WANTED = 20
# With fewer epochs there is no time to learn shifted images: docs/log.md.
SHIFT_FROM_EPOCHS = 10
# Of the recipe's rate, for a network without batch norm.
RATE_WITHOUT_NORM = 0.2


def chosen_recipe(options: FitOptions, images: int, has_weights: bool = False, is_elastic: bool = False) -> Recipe:
    """Return the recipe with the user's changes; few images get smaller batches, and the rate that goes with them.

    Args:
        options: what was asked for.
        images: how many there are to train on.
        has_weights: whether training starts from trained weights.
        is_elastic: whether all sizes are trained at once.
    """
    automatic = "finetune" if has_weights else "modern"
    recipe = find_recipe(automatic if options.recipe == "auto" else options.recipe)
    if options.lr is not None:
        recipe = replace(recipe, lr=options.lr)
    if is_elastic:
        recipe = replace(recipe, batch_size=recipe.elastic_batch_size or recipe.batch_size)
    batch_size = options.batch_size or min(recipe.batch_size, max(SMALLEST_BATCH, images // STEPS_WANTED))
    lr = recipe.lr if options.lr is not None else recipe.lr * batch_size / recipe.batch_size
    return replace(recipe, batch_size=batch_size, lr=lr)


def rate_of(graph: Graph, recipe: Recipe) -> Recipe:
    """Return the recipe at the rate that suits a network: one without batch norm learns nothing at SGD's (docs/log.md)."""
    is_normalised = any(parameter.role == "mean" for parameter in graph.parameters())
    return recipe if is_normalised or recipe.optimizer != "sgd" else replace(recipe, lr=recipe.lr * RATE_WITHOUT_NORM)


def chosen_augmentation(recipe: Recipe, graph: Graph, epochs: int) -> Augmentation:
    """Return how images of this size are changed; few epochs do not have the time to learn shifted ones: docs/log.md."""
    if graph.image.height > SMALL:
        return recipe.augmentation
    return recipe.small_augmentation if epochs >= SHIFT_FROM_EPOCHS else replace(recipe.small_augmentation, shift=0.0)


def may_flip(classes: tuple[str, ...], asked: bool | None) -> tuple[bool, str]:
    """Return whether mirrored images still show their class, and why.

    >>> may_flip(("turn_left", "turn_right"), None)
    (False, "'turn_left' and 'turn_right' differ by a side; --flip mirrors them all the same")
    """
    if asked is not None:
        return asked, "as asked"
    if reason := why_not_mirrored(classes):
        return False, f"{reason}; --flip mirrors them all the same"
    return True, "the default; --no-flip if a mirror changes what they show"
