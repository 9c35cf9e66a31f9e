"""Rewrites: Graph -> Graph, with the arrays that belong to it. Index lists and array slicing live here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadCut
from pocketvision.model.graph import ChannelShuffle, Conv, Graph, Op, Parameter, differences
from pocketvision.model.spaces import Ints, PartKey, Space, Spaces, spaces

Arrays = Mapping[str, NDArray[Any]]
Indices = Mapping[str, Sequence[int]]  # space name -> which of its channels are kept, in this order
MOST_NAMED = 4  # groups and pieces in an error message
MAY_SHRINK = {"in_channels", "start", "stop"}  # fields in which a narrow op may differ


def fold_batch_norm(graph: Graph, arrays: Arrays) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Move every batch norm into the convolution before it.

    Args:
        graph: any graph.
        arrays: its parameters, float32.

    Returns:
        The graph without batch norms (its convolutions have a bias), and its parameters, worked out in float64.

    Source: Jacob et al. 2017, arXiv:1712.05877, section 3.2, eq. 14.
    """
    result: dict[str, NDArray[np.float32]] = {}
    for op in graph.ops:
        if isinstance(op, Conv) and op.batch_norm_eps is not None:
            result |= _fold(op, arrays)
        else:
            result |= {p.name: np.asarray(arrays[p.name], np.float32) for p in op.parameters()}
    return folded(graph), result


def folded(graph: Graph) -> Graph:
    """Return the graph without batch norms; its convolutions have a bias."""
    ops = [
        replace(op, has_bias=True, batch_norm_eps=None)
        if isinstance(op, Conv) and op.batch_norm_eps is not None
        else op
        for op in graph.ops
    ]
    return replace(graph, ops=tuple(ops))


def _fold(op: Conv, arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    def vector(name: str) -> NDArray[np.float64]:
        return np.asarray(arrays[f"{op.name}.{name}"], np.float64)

    assert op.batch_norm_eps is not None
    factor = vector("bn.weight") / np.sqrt(vector("bn.running_var") + op.batch_norm_eps)
    before = vector("conv.bias") if op.has_bias else 0.0
    bias = vector("bn.bias") + (before - vector("bn.running_mean")) * factor
    weight = vector("conv.weight") * factor[:, None, None, None]
    return {
        f"{op.name}.conv.weight": weight.astype(np.float32),
        f"{op.name}.conv.bias": bias.astype(np.float32),
    }


def can_cut(wide: Graph, narrow: Graph) -> bool:
    """Whether a network can be cut out of a wider one of its family: a shuffle may put channels where that one has none."""
    if not any(isinstance(op, ChannelShuffle) for op in wide.ops):
        return True
    try:
        leading_indices(wide, narrow)
    except BadCut:
        return False
    return True


def leading_indices(wide: Graph, narrow: Graph) -> dict[str, list[int]]:
    """Return the index lists that keep the first channels of every part, as many as the narrow graph has.

    Raises:
        BadCut: the graphs differ in more than channels.
    """
    return _heaviest(wide, narrow, {space.name: np.zeros(space.size) for space in spaces(wide)})


def important_indices(wide: Graph, narrow: Graph, arrays: Arrays) -> dict[str, list[int]]:
    """Return the index lists that keep the most important channels of every part, as many as the narrow graph has.

    Args:
        wide: the graph that the arrays belong to.
        narrow: the same network with fewer channels.
        arrays: parameters of `wide`, see `importance`.

    Raises:
        BadCut: the graphs differ in more than channels.
    """
    return _heaviest(wide, narrow, importance(wide, arrays))


def _heaviest(wide: Graph, narrow: Graph, weight: Mapping[str, NDArray[np.float64]]) -> dict[str, list[int]]:
    """Return the index lists of the channels with the largest weights of every part, of equal ones the first."""
    _check_structure(wide, narrow)
    target, kept = spaces(narrow), {}
    for space in spaces(wide):
        counts, ranked = _part_counts(space, target, wide, narrow), _ranked(space, weight[space.name])
        kept[space.name] = sorted(i for key, n in counts.items() for i in ranked[key][:n])
    return kept


def _ranked(space: Space, weight: NDArray[np.float64]) -> dict[PartKey, list[int]]:
    """Return the channels of each part of a space, the heaviest first."""
    return {key: sorted(part.tolist(), key=lambda i: -weight[i]) for key, part in space.parts.items()}


def sort_by_importance(graph: Graph, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the same network with the most important channels of every part first: its leading channels are its best.

    It computes the same, up to the order of sums. Channels of the image and of the logits keep their places.

    Args:
        graph: any graph.
        arrays: its parameters, see `importance`.
    """
    weight, found = importance(graph, arrays), spaces(graph)
    fixed = {found.tensors[name][0, 0] for name in ("image", graph.outputs["logits"])}
    order = {}
    for number, space in enumerate(found):
        ranked = [i for part in _ranked(space, weight[space.name]).values() for i in part]
        order[space.name] = list(range(space.size)) if number in fixed else ranked
    return cut(arrays, graph, graph, order)


def importance(graph: Graph, arrays: Arrays) -> dict[str, NDArray[np.float64]]:
    """Return for each channel space how important each of its channels is: its scale times the norm of what reads it.

    The scale is that of the batch norms behind the convolutions that make the channel or filter it (without batch norm, the norm
    of the filter that makes it); the norm is that of the filters that sum over it.

    Source: batch-norm scales as importance: Liu et al. 2017, arXiv:1708.06519, section 3; the norm of what reads a channel:
    Once-for-All, arXiv:1908.09791, section 3.3.
    """
    found = spaces(graph)
    scales = {space.name: np.zeros(space.size) for space in found}
    readers = {space.name: np.zeros(space.size) for space in found}
    by_number = [space.name for space in found]

    def add(to: dict[str, NDArray[np.float64]], tensor: str, values: NDArray[np.float64]) -> None:
        for (number, position), value in zip(found.tensors[tensor].tolist(), values.tolist(), strict=True):
            to[by_number[number]][position] += value

    for op in graph.ops:
        own = {p.role: np.asarray(arrays[p.name], np.float64) for p in op.parameters()}
        if "weight" not in own:
            continue
        filters = own["weight"]
        norms = np.linalg.norm(filters.reshape(len(filters), -1), axis=1)
        add(scales, op.name, np.abs(own["scale"]) if "scale" in own else norms)
        if not _is_depthwise(op):
            groups = getattr(op, "groups", 1)
            squares = (filters**2).reshape(groups, -1, *filters.shape[1:])
            by_input = squares.sum(axis=1).reshape(groups * filters.shape[1], -1).sum(axis=1)
            add(readers, op.inputs[0], by_input)
    return {name: scales[name] * np.sqrt(readers[name]) for name in scales}


def cut(arrays: Arrays, wide: Graph, narrow: Graph, indices: Indices) -> dict[str, NDArray[Any]]:
    """Return the narrow graph's parameters, taken out of the wide graph's.

    Args:
        arrays: parameters of `wide`.
        wide: the graph that the arrays belong to.
        narrow: the same network with fewer channels, for instance at a smaller width.
        indices: one list per channel space of `wide`, see `leading_indices`.

    Raises:
        BadCut: the graphs differ in more than channels, or a list does not hold as many channels of a part as `narrow` has.
    """
    return {name: arrays[name][index] for name, index in slices(wide, narrow, indices).items()}


def slices(wide: Graph, narrow: Graph, indices: Indices) -> dict[str, tuple[Any, ...]]:
    """Return, for each parameter of `narrow`, the index that takes it out of the array of the same name in `wide`.

    Raises:
        BadCut: see `cut`.
    """
    _check_structure(wide, narrow)
    source, target = spaces(wide), spaces(narrow)
    taken = _correspondence(wide, narrow, indices)

    def positions(tensor: str) -> Ints:
        """For each channel of the narrow tensor, its position in the wide tensor."""
        where = {tuple(place): i for i, place in enumerate(source.tensors[tensor].tolist())}
        if len(where) < len(source.tensors[tensor]):
            raise BadCut(f"{tensor!r} of {wide.name!r} holds a channel twice; a cut cannot tell the copies apart.")
        return np.array([where[taken[tuple(place)]] for place in target.tensors[tensor].tolist()])

    found: dict[str, tuple[Any, ...]] = {}
    for big, small in zip(wide.ops, narrow.ops, strict=True):
        if not small.parameters():
            continue
        out, into = positions(small.name), positions(small.inputs[0])
        for parameter in small.parameters():
            found[parameter.name] = _index(parameter, big, small, out, into)
    return found


def _index(parameter: Parameter, big: Op, small: Op, out: Ints, into: Ints) -> tuple[Any, ...]:
    """Return the index into the wide array; a grouped convolution reads other inputs in each group."""
    if not parameter.axes:
        return (...,)  # one number for all channels
    if "in" not in parameter.axes:
        return (out,)
    groups = getattr(small, "groups", 1)
    if _is_depthwise(small):
        return (out[:, None], np.zeros((1, 1), np.int64))
    per_group = into.reshape(groups, -1)
    if groups > 1 and isinstance(big, Conv):
        per_group = per_group % (big.in_channels // big.groups)
    rows = np.repeat(per_group, len(out) // groups, axis=0)
    return (out[:, None], rows)


def _correspondence(wide: Graph, narrow: Graph, indices: Indices) -> dict[tuple[int, int], tuple[int, int]]:
    """Return narrow (space number, position) -> wide (space number, position), after checking every list."""
    source, target = spaces(wide), spaces(narrow)
    unknown = set(indices) - set(source.by_name)
    if unknown:
        raise BadCut(f"no channel space {sorted(unknown)[0]!r} in {wide.name!r}.", "spaces(graph).by_name")
    taken = {}
    for number, space in enumerate(source):
        if space.name not in indices:
            raise BadCut(
                f"the cut has no index list for channel space {space.name!r}.", "leading_indices(wide, narrow)"
            )
        counts = _part_counts(space, target, wide, narrow)
        for key, kept in _sort_into_parts(space, list(indices[space.name]), counts).items():
            places = target.by_name[space.name].parts.get(key, ())
            taken.update({(number, int(to)): (number, int(take)) for to, take in zip(places, kept, strict=True)})
    return taken


def _part_counts(space: Space, target: Spaces, wide: Graph, narrow: Graph) -> dict[PartKey, int]:
    """Return how many channels of each part the narrow graph has."""
    small = target.by_name[space.name]
    alien = [key for key in small.parts if key not in space.parts]
    if alien:
        raise BadCut(f"channel space {space.name!r}: {wide.name!r} has no channels of the part {_describe(alien[0])}.")
    counts = {key: len(small.parts.get(key, ())) for key in space.parts}
    for key, n in counts.items():
        if n > len(space.parts[key]):
            raise BadCut(
                f"channel space {space.name!r}: {narrow.name!r} has {n} channels where "
                f"{wide.name!r} has {len(space.parts[key])}; a cut only takes away."
            )
    return counts


def _sort_into_parts(space: Space, kept: list[int], counts: dict[PartKey, int]) -> dict[PartKey, list[int]]:
    part_of = {int(i): key for key, positions in space.parts.items() for i in positions}
    sorted_in: dict[PartKey, list[int]] = {key: [] for key in counts}
    for index in kept:
        if index not in part_of:
            raise BadCut(
                f"channel space {space.name!r} has channels 0 to {space.size - 1}; the index list names {index}."
            )
        sorted_in[part_of[index]].append(index)
    if len(set(kept)) != len(kept):
        raise BadCut(f"the index list of channel space {space.name!r} names a channel twice.")
    for key, n in counts.items():
        if len(sorted_in[key]) != n:
            raise BadCut(
                f"channel space {space.name!r}: the narrow graph has {n} channels of the part "
                f"{_describe(key)}; the index list keeps {len(sorted_in[key])}."
            )
    return sorted_in


def _is_depthwise(op: Op) -> bool:
    return isinstance(op, Conv) and op.is_depthwise


def _describe(key: PartKey) -> str:
    places = [f"{name} #{number}" for name, number in sorted(key)]
    more = len(places) - MOST_NAMED
    return ", ".join(places[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _check_structure(wide: Graph, narrow: Graph) -> None:
    """Raise unless the graphs are one network that differs in channels and map sizes only."""
    if len(wide.ops) != len(narrow.ops):
        raise BadCut(
            f"{wide.name!r} has {len(wide.ops)} ops and {narrow.name!r} {len(narrow.ops)}; a cut keeps all ops."
        )
    for big, small in zip(wide.ops, narrow.ops, strict=True):
        if type(big) is not type(small):
            raise BadCut(
                f"op {big.name!r} is {type(big).__name__} in {wide.name!r} and {type(small).__name__} in {narrow.name!r}."
            )
        may_shrink = MAY_SHRINK | {"groups"} if _is_depthwise(big) and _is_depthwise(small) else MAY_SHRINK
        if wide.image[1:] != narrow.image[1:]:
            may_shrink = may_shrink | {"padding"}  # TensorFlow's depends on the map's size
        if isinstance(big, ChannelShuffle) and big.groups * 2 == big.shape.channels:
            may_shrink = may_shrink | {"groups"}  # even channels, then odd ones
        other = [name for name in differences(big, small) if name not in may_shrink]
        if _is_depthwise(big) != _is_depthwise(small):
            other.append("is_depthwise")
        if other:
            raise BadCut(
                f"op {big.name!r} differs between {wide.name!r} and {narrow.name!r} in {other[0]!r}; a cut only drops channels."
            )
    odd = sorted(set(spaces(wide).by_name) ^ set(spaces(narrow).by_name))
    if odd:
        raise BadCut(f"only one of {wide.name!r} and {narrow.name!r} has a channel space {odd[0]!r}.")


def mean_of(start: Arrays, end: Arrays, share: float) -> dict[str, NDArray[np.float32]]:
    """Return the weights at a share, 0 to 1, of the straight way from start to end."""
    return {name: np.asarray((1 - share) * start[name] + share * end[name], np.float32) for name in end}
