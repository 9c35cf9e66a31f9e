"""Weights of one network for another of the same family: narrower, for other images, for other classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadWeights
from pocketvision.model.conventions import find_conventions
from pocketvision.model.graph import CLASSIFIER, Conv, Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import can_cut, cut, important_indices

Arrays = dict[str, NDArray[np.float32]]


def transfer(
    arrays: Mapping[str, NDArray[Any]], source: Graph, target: Graph, seed: int, keep_classifier: bool = False
) -> tuple[Arrays, list[str]]:
    """Return arrays for `target`, made of those of `source`, and what was changed, one sentence each.

    Args:
        arrays: parameters of `source`.
        source: the network that was trained.
        target: the same family with the same conventions; as wide or narrower.
        seed: of a new classifier's initial weights.
        keep_classifier: the classes are the same; else the classifier is initialised anew.

    Raises:
        BadWeights: the target is wider, another family, or cannot be cut out of the source.
    """
    have, want = source.source, target.source
    if (have.family, have.conventions) != (want.family, want.conventions) or want.width > have.width:
        raise BadWeights(
            f"weights of {source.name} ({have.conventions}) cannot initialise {target.name} ({want.conventions}): the family "
            "and the conventions must be the same, the network as wide or narrower.",
            f"--width {have.width:g} or less",
        )
    sentences = []
    shared = {"classes": have.classes, "in_channels": have.in_channels}
    wide = resolve(**{**want._asdict(), **shared, "width": have.width, "thin_head": have.thin_head})
    narrow = resolve(**{**want._asdict(), **shared})
    found = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    if [p.shape for p in wide.parameters()] != [p.shape for p in narrow.parameters()]:
        check_is_part(narrow, wide)
        found = cut(found, wide, narrow, important_indices(wide, narrow, found))
        sentences.append(
            f"Of the channels at width {have.width:g}, the most important ones are kept for width {want.width:g}."
        )
    if want.in_channels != have.in_channels:
        found |= _for_other_images(found, narrow, target)
        one, three = "summed over the colours for grey images", "spread over three colours"
        sentences.append(f"The first filters are {one if want.in_channels == 1 else three}.")
    if not keep_classifier:
        initial = initial_arrays(target, seed)
        found |= {p.name: initial[p.name] for p in target[CLASSIFIER].parameters()}
        sentences.append(f"The classifier of {have.classes} classes is replaced by one of {want.classes}.")
    return found, sentences


def check_is_part(narrow: Graph, wide: Graph) -> None:
    """Check that a network can be cut out of one that is trained.

    Raises:
        BadWeights: it cannot.
    """
    if not can_cut(wide, narrow):
        raise BadWeights(
            f"{narrow.name} cannot be cut out of {wide.name}: its shuffle puts channels where the wider network has none.",
            f"--width {wide.source.width:g}, or another one below it",
        )


def _for_other_images(arrays: Arrays, source: Graph, target: Graph) -> Arrays:
    """Return the first convolution's filters for another number of channels, with the same output for a grey image.

    Each colour has its own mean and standard deviation, grey has their means: the filters are scaled for that, and the offset
    that is left goes into the mean of the batch norm behind them, or into the bias. Outputs differ only where zeros are padded.
    """
    stem = next(op for op in source.ops if op.parameters())
    assert isinstance(stem, Conv)
    name = f"{stem.name}.conv.weight"
    weight = arrays[name].astype(np.float64)
    if target.image.channels == 3:
        return {name: np.repeat(arrays[name] / np.float32(3), 3, axis=1)}
    conventions = find_conventions(target.source.conventions)
    mean, std = (
        np.broadcast_to(np.array(v), weight.shape[1])[:, None, None] for v in (conventions.mean, conventions.std)
    )
    grey = (weight * std.mean() / std).sum(axis=1, keepdims=True)
    offset = (weight * (mean - mean.mean()) / std).sum(axis=(1, 2, 3))
    if stem.has_bias:
        moved, moves = f"{stem.name}.conv.bias", -offset
    else:
        moved, moves = f"{stem.name}.bn.running_mean", offset
    return {name: grey.astype(np.float32), moved: (arrays[moved] + moves).astype(np.float32)}
