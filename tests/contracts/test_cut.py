"""The promise: a cut is the narrow network, made of the channels that the index lists name, and of nothing else.

The check is a second, simple-minded way to drop channels: in the wide network every dropped channel is silenced where it
is made (its filter, scale, shift and mean become 0), so that it is 0 everywhere and adds nothing to anything. Which
channels of which op that concerns is found by passing boolean masks through the graph, without `spaces`.
"""

from dataclasses import replace

import numpy as np
import pytest

from graphs import (
    CUTS,
    FEW,
    HAND_MADE,
    builder,
    exact_logits,
    finish,
    random_arrays,
    random_images,
    random_lists,
    residual,
    shuffle_v1,
    shuffle_v2,
    small,
    summed_concats,
)
from pocketvision.errors import BadCut
from pocketvision.model import graph as ops
from pocketvision.model.rewrite import cut, leading_indices
from pocketvision.model.spaces import spaces
from refusals import refused


def live_channels(graph, kept):
    """Return, for each tensor, a mask of the channels that are kept."""
    live, home, used = (
        {},
        {},
        {},
    )  # `home`: whose list holds a tensor's channels; `used`: how many of that list's were made

    def take(name, n):
        """The next n channels of a list."""
        start = used.get(name, 0)
        used[name] = start + n
        return np.isin(np.arange(start, start + n), list(kept[name]))

    def chosen(name, n):
        if name not in kept:
            return (
                None  # it is added to something earlier, which gives the name, or joined to it; see `adopt` and `join`
            )
        home[name] = name
        return take(name, n)

    def join(op, masks):
        """What is made beside known channels, and later added to tensors that hold both, follows these in their list."""
        known = [x for x, mask in zip(op.inputs, masks, strict=True) if mask is not None and home.get(x) in kept]
        if known and any(mask is None for mask in masks):
            home[op.name] = home[known[0]]
            for x, mask in zip(op.inputs, masks, strict=True):
                if mask is None:
                    adopt(x, take(home[op.name], graph.shape_of(x).channels))
            masks = [live[x] for x in op.inputs]
        return None if any(mask is None for mask in masks) else np.concatenate(masks)

    def adopt(name, mask):
        """Take over the mask of the tensor that this one is added to."""
        if live[name] is None:
            live[name] = mask
            op = graph[name]
            if isinstance(op, ops.Concat):
                bounds = np.cumsum([graph.shape_of(x).channels for x in op.inputs])[:-1]
                for x, piece in zip(op.inputs, np.split(mask, bounds), strict=True):
                    adopt(x, piece)
            elif not isinstance(op, ops.Conv) or op.is_depthwise:
                adopt(op.inputs[0], mask)
        np.testing.assert_array_equal(live[name], mask)

    live["image"] = chosen("image", graph.image.channels)
    home["image"] = "image"
    for op in graph.ops:
        masks = [live[x] for x in op.inputs]
        if op.inputs[0] in home:
            home[op.name] = home[op.inputs[0]]
        match op:
            case ops.Conv(is_depthwise=False) | ops.Linear():
                live[op.name] = chosen(op.name, op.shape.channels)
            case ops.Concat():
                live[op.name] = join(op, masks)
            case ops.Split(start=start, stop=stop):
                live[op.name] = masks[0][start:stop]
            case ops.ChannelShuffle(groups=groups):
                n = op.shape.channels // groups
                live[op.name] = masks[0][[group * n + i for i in range(n) for group in range(groups)]]
            case ops.Add() | ops.Mul():
                known = next(m for m in masks if m is not None)
                for x in op.inputs:
                    adopt(x, known)
                live[op.name] = known
            case _:
                live[op.name] = masks[0]
    return live


def silenced(graph, arrays, kept):
    """Return the arrays of the whole graph with every dropped channel silenced where it is made."""
    live, arrays = live_channels(graph, kept), dict(arrays)
    for op in graph.ops:
        for p in op.parameters():
            if p.role != "variance":
                arrays[p.name] = arrays[p.name] * live[op.name].reshape(-1, *[1] * (len(p.shape) - 1))
    return arrays


CUTS_OF_FEW = [name for name in CUTS if name.split()[0] in FEW]


@pytest.mark.parametrize(
    ("pair", "choice"), [*((name, 1) for name in CUTS), *((name, "leading") for name in (*HAND_MADE, *CUTS_OF_FEW))]
)
def test_outputs_equal_the_wide_network_with_dropped_channels_silenced(pair, choice):
    wide, narrow = CUTS[pair]()
    kept = leading_indices(wide, narrow) if choice == "leading" else random_lists(wide, narrow, seed=choice)
    arrays, images = random_arrays(wide), random_images(wide)
    expected = exact_logits(wide, silenced(wide, arrays, kept), images)[:, kept["classifier"]]
    found = cut(arrays, wide, narrow, kept)
    assert {name: array.shape for name, array in found.items()} == {p.name: p.shape for p in narrow.parameters()}
    actual = exact_logits(narrow, found, images[:, kept["image"]])
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("pair", [*HAND_MADE, "mobilenet_v3_large 0.25 to 0.125"])
def test_one_channel_too_few_or_too_many_in_any_space_is_refused(pair):
    wide, narrow = CUTS[pair]()
    arrays, kept = random_arrays(wide), leading_indices(wide, narrow)
    for space in spaces(wide):
        outside = next((i for i in range(space.size) if i not in kept[space.name]), space.size)
        for wrong in (kept[space.name][:-1], kept[space.name][1:], [*kept[space.name], outside]):
            with refused(BadCut, repr(space.name)):
                cut(arrays, wide, narrow, {**kept, space.name: wrong})


def test_a_cut_of_itself_changes_nothing():
    graph = shuffle_v2(4)
    arrays = random_arrays(graph)
    for name, array in cut(arrays, graph, graph, leading_indices(graph, graph)).items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize("sizes", [(2, 4, 3), (3, 2, 1), (2, 2, 2)])
def test_channels_may_change_places_in_spaces_that_grow_together(sizes):
    graph = summed_concats(*sizes)
    arrays, images, kept = random_arrays(graph), random_images(graph), random_lists(graph, graph, seed=0)
    expected = exact_logits(graph, arrays, images)[:, kept["classifier"]]
    actual = exact_logits(graph, cut(arrays, graph, graph, kept), images[:, kept["image"]])
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_a_cut_may_choose_classes():
    wide, narrow = small("mobilenet_v1", classes=10), small("mobilenet_v1", classes=3)
    arrays, images = random_arrays(wide), random_images(wide)
    kept = {**leading_indices(wide, narrow), "classifier": [7, 0, 4]}
    expected = exact_logits(wide, arrays, images)[:, [7, 0, 4]]
    np.testing.assert_allclose(exact_logits(narrow, cut(arrays, wide, narrow, kept), images), expected, rtol=1e-9)


def test_a_cut_may_change_the_resolution():
    wide, narrow = small("mobilenet_v1", resolution=64), small("mobilenet_v1", resolution=16)
    arrays = random_arrays(wide)
    for name, array in cut(arrays, wide, narrow, leading_indices(wide, narrow)).items():
        np.testing.assert_array_equal(array, arrays[name])


def changed(graph, op, kind=None, **fields):
    """The graph with one op of another kind, or with other fields."""
    changed_op = (kind or type(graph[op]))(**{**vars(graph[op]), **fields})
    return replace(graph, name="other", ops=tuple(changed_op if o.name == op else o for o in graph.ops))


def doubled():
    """A depthwise convolution on a tensor that holds each channel twice."""
    b = builder()
    x = b.conv("image", "stem", 4)
    x = b.depthwise(b.concat((x, x), "twice"), "depthwise", kernel=3)
    return finish(b, x, "doubled")


def widened(n, first):
    """`n` channels split at `first`."""
    b = builder()
    left, right = b.split(b.conv("image", "stem", n), "split", (first, n - first))
    return finish(b, b.concat((right, left), "concat"), f"widened_{n}_{first}")


def depthwise_when_narrow(n):
    """Four groups; with four channels each group is one channel, and the convolution is a depthwise one."""
    b = builder()
    x = b.conv(b.conv("image", "stem", n), "grouped", n, groups=4)
    return finish(b, x, f"four_groups_{n}")


# what is wrong: two graphs, and what the error names
MISMATCHES = {
    "too wide": (residual(4), residual(6), ("'stem'", "'residual_6' has 6", "'residual_4' has 4")),
    "one op more": (
        residual(4),
        replace(residual(4), ops=residual(4).ops[:-1], outputs={}, name="short"),
        ("'residual_4' has 7", "'short' 6"),
    ),
    "another kind": (
        residual(4),
        changed(residual(4), "pool", kind=ops.Dropout, rate=0.1),
        ("'pool'", "GlobalPool in 'residual_4'", "Dropout in 'other'"),
    ),
    "another activation": (residual(4), changed(residual(4), "stem", activation="relu6"), ("'stem'", "'activation'")),
    "another kernel": (
        residual(4),
        changed(residual(4), "depthwise", kernel=ops.Pair(5, 5)),
        ("'depthwise'", "'kernel'"),
    ),
    "other inputs": (residual(4), changed(residual(4), "sum", inputs=("project", "stem")), ("'sum'", "'inputs'")),
    "other groups of a convolution": (
        CUTS["ShuffleNetV1, 2 groups"]()[0],
        changed(CUTS["ShuffleNetV1, 2 groups"]()[0], "expand", groups=4),
        ("'expand'", "'shuffle_v1_16_g2'", "'groups'"),
    ),
    "other groups of a shuffle": (
        shuffle_v2(4),
        changed(shuffle_v2(4), "unit0.shuffle", groups=4),
        ("'unit0.shuffle'", "'shuffle_v2_4_2units'", "'groups'"),
    ),
    "other grey": (small("mobilenet_v1"), small("mobilenet_v1", in_channels=1), ("'normalize'", "'mean'")),
    "a piece that grows": (
        widened(8, first=2),
        widened(6, first=3),
        ("'stem'", "'widened_6_3' has 3", "'widened_8_2' has 2"),
    ),
    "a part that the wide graph has not": (
        shuffle_v1(6, groups=3),
        shuffle_v1(3, groups=3),
        ("'squeeze'", "'shuffle_v1_6_g3'", "expand reads #1, squeeze makes #1"),
    ),
    "depthwise in one of them": (depthwise_when_narrow(8), depthwise_when_narrow(4), ("'grouped'", "'is_depthwise'")),
    "a space that falls apart": (summed_concats(2, 4, 3), summed_concats(2, 2, 2), ("channel space 'b'",)),
    "a channel twice": (doubled(), doubled(), ("'depthwise' of 'doubled'",)),
}


@pytest.mark.parametrize("mismatch", MISMATCHES)
def test_graphs_that_differ_in_more_than_channels_are_refused(mismatch):
    wide, narrow, named = MISMATCHES[mismatch]
    with refused(BadCut, *named):
        cut(random_arrays(wide), wide, narrow, leading_indices(wide, narrow))
