"""Channel spaces: which channels of a graph are the same ones, traced from the op that makes them to all that read them.

Every op that makes channels opens an axis of new ones: a convolution, a fully connected layer, the image. Adds, gates and
depthwise filters unite channels of several axes; concat, split and shuffle only move them. Channels that occur together in
every group and piece of the graph are interchangeable: they form a PART. Axes that share channels form a SPACE. A cut is one
index list per space, with as many channels of each part as the narrow graph has.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.graph import Graph, Op

Ints = NDArray[np.int64]
PartKey = frozenset[tuple[str, int]]  # the groups and pieces, (op name, number), that all channels of a part pass


@dataclass(frozen=True)
class Space:
    """Channels that are kept or dropped by one index list.

    Attributes:
        name: of the first op (or "image") that makes them.
        size: how many there are.
        parts: for each part the positions of its channels in this space, rising.
    """

    name: str
    size: int
    parts: dict[PartKey, Ints]


@dataclass(frozen=True)
class Spaces:
    """All spaces of a graph, and where each tensor's channels lie in them.

    Attributes:
        by_name: the spaces.
        tensors: tensor name -> one row (space number, position in that space) for each channel.
    """

    by_name: dict[str, Space]
    tensors: dict[str, Ints]

    def __iter__(self) -> Iterator[Space]:
        return iter(self.by_name.values())


class _Channels:
    """Channels as numbers, with union-find for those that turn out to be the same."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.axes: list[tuple[str, Ints]] = []  # every axis that was opened
        self.marks: list[tuple[Ints, tuple[str, int]]] = []  # channels that share a group or piece

    def open(self, name: str, count: int, groups: int = 1) -> Ints:
        """Open an axis of new channels; each of the groups is marked."""
        axis = np.arange(len(self.parent), len(self.parent) + count)
        self.parent.extend(axis.tolist())
        self.axes.append((name, axis))
        self.mark(axis, f"{name} makes", groups)
        return axis

    def mark(self, axis: Ints, what: str, groups: int) -> None:
        """Note which of the equal, consecutive groups each channel of the axis falls in."""
        for number, group in enumerate(np.split(axis, groups)):
            self.marks.append((group, (what, number)))

    def find(self, channel: int) -> int:
        """Return the representative of all channels that are the same."""
        while self.parent[channel] != channel:
            self.parent[channel] = self.parent[self.parent[channel]]
            channel = self.parent[channel]
        return channel

    def unite(self, a: Ints, b: Ints) -> Ints:
        """Make two axes the same, channel by channel."""
        for x, y in zip(a.tolist(), b.tolist(), strict=True):
            low, high = sorted((self.find(x), self.find(y)))
            self.parent[high] = low
        return a


def _follow(op: Op, inputs: list[Ints], channels: _Channels, is_of_factors: bool) -> Ints:
    """Return the channels of the op's output."""
    match op:
        case ops.Conv(is_depthwise=True):
            return channels.open(op.name, op.shape.channels) if is_of_factors else inputs[0]
        case ops.Conv(groups=groups):
            if groups > 1:
                channels.mark(inputs[0], f"{op.name} reads", groups)
            return channels.open(op.name, op.shape.channels, groups)
        case ops.Linear():
            return channels.open(op.name, op.shape.channels)
        case ops.Mul() if is_of_factors:
            return inputs[0]
        case ops.Add() | ops.Mul():
            return channels.unite(inputs[0], inputs[1])
        case ops.Concat():
            return np.concatenate(inputs)
        case ops.Split(start=start, stop=stop):
            piece = inputs[0][start:stop]
            channels.mark(piece, op.name, 1)
            return piece
        case ops.ChannelShuffle(groups=groups):
            return inputs[0].reshape(groups, -1).T.reshape(-1)
        case (
            ops.Normalize()
            | ops.Activation()
            | ops.MaxPool()
            | ops.AveragePool()
            | ops.GlobalPool()
            | ops.Dropout()
            | ops.FakeQuant()
        ):
            return inputs[0]
    raise GraphError(f"op {op.name!r} ({type(op).__name__}): spaces.py does not say where its channels come from.")


@lru_cache(maxsize=512)
def _spaces_of(graph_id: "_ByIdentity", is_of_factors: bool = False) -> Spaces:
    graph = graph_id.graph
    channels = _Channels()
    tensors = {"image": channels.open("image", graph.image.channels)}
    for op in graph.ops:
        tensors[op.name] = _follow(op, [tensors[name] for name in op.inputs], channels, is_of_factors)

    root = np.array([channels.find(i) for i in range(len(channels.parent))])
    keys = _part_keys(root, channels)
    by_name: dict[str, Space] = {}
    place = np.zeros((len(root), 2), dtype=np.int64)
    for number, (name, members) in enumerate(_components(root, channels).items()):
        positions: dict[PartKey, list[int]] = {}
        for position, channel in enumerate(members):
            place[channel] = number, position
            positions.setdefault(keys[channel], []).append(position)
        by_name[name] = Space(name, len(members), {key: np.array(found) for key, found in positions.items()})
    return Spaces(by_name, {name: place[root[axis]] for name, axis in tensors.items()})


def _part_keys(root: Ints, channels: _Channels) -> dict[int, PartKey]:
    """Return, for each representative, the marks of all channels that are the same as it."""
    found: dict[int, set[tuple[str, int]]] = {}
    for group, mark in channels.marks:
        for channel in root[group].tolist():
            found.setdefault(channel, set()).add(mark)
    return {channel: frozenset(marks) for channel, marks in found.items()}


def _components(root: Ints, channels: _Channels) -> dict[str, list[int]]:
    """Return, by the first axis's name, the representatives of all axes that share channels, in order of making."""
    owner: dict[int, str] = {}
    members: dict[str, list[int]] = {}
    for name, axis in channels.axes:
        mine = list(dict.fromkeys(root[axis].tolist()))
        touched = list(dict.fromkeys(owner[channel] for channel in mine if channel in owner))
        home = touched[0] if touched else name
        members.setdefault(home, [])
        for other in touched[1:]:
            moved = members.pop(other)
            members[home] += moved
            owner.update(dict.fromkeys(moved, home))
        fresh = [channel for channel in mine if channel not in owner]
        members[home] += fresh
        owner.update(dict.fromkeys(fresh, home))
    return members


class _ByIdentity:
    """A graph as a cache key: graphs hold dicts, so they are compared by identity."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.graph is self.graph


def spaces(graph: Graph) -> Spaces:
    """Return the channel spaces of a graph.

    >>> from pocketvision.model.resolve import resolve
    >>> found = spaces(resolve("mobilenet_v1", width=0.25))
    >>> [(space.name, space.size) for space in found][:3]
    [('image', 3), ('stem', 8), ('block1.pointwise', 16)]
    """
    return _spaces_of(_ByIdentity(graph))


def factor_spaces(graph: Graph) -> Spaces:
    """Return the spaces within which a factor that multiplies a channel multiplies all that are the same.

    Depthwise filters end such a space, as they can take a factor back, and a gate's own channels are not multiplied.
    """
    return _spaces_of(_ByIdentity(graph), is_of_factors=True)
