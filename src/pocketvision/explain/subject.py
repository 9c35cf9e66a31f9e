"""The layer that is explained, cut out of its network, and what could stand in its place; all costs are `count`'s."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod

from pocketvision.cost.count import Cost, OpCost, count
from pocketvision.explain.page import Comparison, Equation, Letter
from pocketvision.model.blocks import BLOCKS
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Conv, Graph, Op, Shape
from pocketvision.model.rows import Block

Build = Callable[[Builder, str], str]


@dataclass(frozen=True)
class Subject:
    """One block of a network.

    Attributes:
        name: of the block.
        graph: of the whole network.
        cost: of the whole network.
        places: of the block's ops among all.
    """

    name: str
    graph: Graph
    cost: Cost
    places: tuple[int, ...]

    @property
    def ops(self) -> tuple[Op, ...]:
        """The block's ops in order."""
        return tuple(self.graph.ops[i] for i in self.places)

    @property
    def costs(self) -> tuple[OpCost, ...]:
        """What each of them costs."""
        return tuple(self.cost.ops[i] for i in self.places)

    @property
    def entering(self) -> Shape:
        """What the block reads."""
        return self.graph.shape_of(self.ops[0].inputs[0])

    @property
    def leaving(self) -> Shape:
        """What the block makes."""
        return self.ops[-1].shape

    @property
    def macs(self) -> int:
        """Multiply-adds of the block."""
        return sum(cost.macs for cost in self.costs)

    @property
    def weights(self) -> int:
        """Filters of the block, without batch norm and biases."""
        return sum(cost.weights for cost in self.costs)

    def short(self, op: Op | OpCost) -> str:
        """Return an op's name inside of the block; a block of one op is called after what it is."""
        return op.name.removeprefix(f"{self.name}.") if op.name != self.name else "convolution"

    def has(self, part: str) -> bool:
        """Return whether there is an op of that name inside of the block."""
        return any(self.short(op) == part for op in self.ops)

    def filters(self, part: str = "") -> Conv:
        """Return the convolution of that name inside of the block; without a name the one that is all of the block."""
        op = self.graph[f"{self.name}.{part}" if part else self.name]
        assert isinstance(op, Conv)
        return op


def look_at(graph: Graph, name: str) -> Subject:
    """Return a block of a network."""
    places = tuple(i for i, op in enumerate(graph.ops) if op.origin.block == name)
    return Subject(name, graph, count(graph), places)


def compare(what: str, entering: Shape, build: Build) -> Comparison:
    """Count what would be built in the place of a block."""
    builder = Builder(entering)
    leaving = builder.shape(build(builder, "image"))
    total = count(builder.graph(what, {})).total
    return Comparison(what, entering, leaving, total.macs, total.weights)


def as_row(row: Block) -> Build:
    """Return what builds a settled row."""
    return lambda builder, x: BLOCKS[type(row)](builder, x, row, "block", 1)


def side_letters(subject: Subject) -> tuple[Letter, ...]:
    """Return the letters of the map's sides: D_F, and D_I where the block shrinks the map."""
    out = Letter("D_F", subject.leaving.height, "side of the map that goes out, in pixels")
    if subject.entering.height == out.value:
        return (Letter("D_F", out.value, "side of the map, in pixels"),)
    return Letter("D_I", subject.entering.height, "side of the map that comes in, in pixels"), out


def area_in(subject: Subject) -> str:
    """Return the letters of the area of the map that comes in."""
    first = side_letters(subject)[0].symbol
    return f"{first} * {first}"


AREA = "D_F * D_F"  # of the map that goes out
KERNEL = "D_K * D_K"
SUMMANDS = 3  # that are written out


def steps(subject: Subject, letters: Iterable[Letter], symbols: Mapping[str, str]) -> tuple[Equation, ...]:
    """Return one equation for each convolution of the block: `symbols` by the ops' names, their values, count's result."""
    return tuple(
        Equation(
            subject.short(cost), symbols[subject.short(cost)], put_in(symbols[subject.short(cost)], letters), cost.macs
        )
        for cost in subject.costs
        if cost.macs
    )


def put_in(symbols: str, letters: Iterable[Letter]) -> str:
    """Replace letters by their values.

    >>> put_in("D_K * D_K * M", [Letter("D_K", 3, "kernel"), Letter("M", 512, "channels")])
    '3 * 3 * 512'
    """
    values = {letter.symbol: str(letter.value) for letter in letters}
    return re.sub(r"[A-Za-z]\w*", lambda found: values.get(found[0], found[0]), symbols)


def together(equations: Iterable[Equation]) -> Equation:
    """Return the sum of equations of one unit."""
    parts = tuple(equations)
    return Equation(
        "together",
        "sum",
        " + ".join(f"{equation.result:,}" for equation in parts) * (len(parts) <= SUMMANDS),
        sum(equation.result for equation in parts),
        parts[0].unit,
    )


def times(more: int, less: int) -> str:
    """Return how many times as much.

    >>> times(462, 52), times(10, 20)
    ('8.88', '0.50')
    """
    return f"{more / less:.2f}"


def floats(shape: Shape) -> int:
    """Return how many numbers a tensor holds."""
    return prod(shape)
