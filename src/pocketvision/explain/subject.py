"""The layer that is explained, cut out of its network, and what could stand in its place; all costs are `count`'s."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pocketvision.cost.count import Cost, OpCost, count
from pocketvision.explain.page import Comparison, Equation, Letter
from pocketvision.model.blocks import BLOCKS
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Conv, Graph, Op, Shape
from pocketvision.model.rows import Block

AREA = "D_F * D_F"  # of the map that goes out
KERNEL = "D_K * D_K"
SUMMANDS = 3  # that are written out


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
    def costs(self) -> dict[str, OpCost]:
        """What each of them costs, by its name inside of the block; a block of one op is called after what it is."""
        found = (self.cost.ops[i] for i in self.places)
        return {op.name.removeprefix(f"{self.name}.") if op.name != self.name else "convolution": op for op in found}

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
        return sum(cost.macs for cost in self.costs.values())

    @property
    def weights(self) -> int:
        """Filters of the block, without batch norm and biases."""
        return sum(cost.weights for cost in self.costs.values())

    @property
    def sides(self) -> tuple[Letter, ...]:
        """The letters of the map's sides: D_F, and D_I where the block shrinks the map."""
        out = Letter("D_F", self.leaving.height, "side of the map that goes out, in pixels")
        if self.entering.height == out.value:
            return (Letter("D_F", out.value, "side of the map, in pixels"),)
        return Letter("D_I", self.entering.height, "side of the map that comes in, in pixels"), out

    @property
    def area_in(self) -> str:
        """The area of the map that comes in, in letters."""
        return " * ".join([self.sides[0].symbol] * 2)

    def filters(self, part: str = "") -> Conv:
        """Return the convolution of that name inside of the block; without a name the one that is all of the block."""
        op = self.graph[f"{self.name}.{part}" if part else self.name]
        assert isinstance(op, Conv)
        return op

    def steps(self, letters: Iterable[Letter], symbols: Mapping[str, str]) -> tuple[Equation, ...]:
        """Return an equation for each convolution, its result by `count`, and their sum; `symbols` by the ops' names."""
        macs = {name: cost.macs for name, cost in self.costs.items() if cost.macs}
        return with_sum(Equation(name, symbols[name], put_in(symbols[name], letters), n) for name, n in macs.items())

    def compare(
        self, what: str, build: Block | Callable[[Builder, str], str], entering: Shape | None = None
    ) -> Comparison:
        """Count what would be built in the block's place.

        Args:
            what: it is, in words.
            build: a settled row, or a function that adds ops to a builder, given the name of the tensor that they read.
            entering: the shape of that tensor, where it is not what the block reads.
        """
        entering = entering or self.entering
        builder = Builder(entering)
        made = (
            BLOCKS[type(build)](builder, "image", build, "block", 1)
            if isinstance(build, Block)
            else build(builder, "image")
        )
        total = count(builder.graph(what, {})).total
        return Comparison(what, entering, builder.shape(made), total.macs, total.weights)


def look_at(graph: Graph, name: str) -> Subject:
    """Return a block of a network."""
    places = tuple(i for i, op in enumerate(graph.ops) if op.origin.block == name)
    return Subject(name, graph, count(graph), places)


def put_in(symbols: str, letters: Iterable[Letter]) -> str:
    """Replace letters by their values.

    >>> put_in("D_K * D_K * M", [Letter("D_K", 3, "kernel"), Letter("M", 512, "channels")])
    '3 * 3 * 512'
    """
    values = {letter.symbol: str(letter.value) for letter in letters}
    return re.sub(r"[A-Za-z]\w*", lambda found: values.get(found[0], found[0]), symbols)


def with_sum(equations: Iterable[Equation]) -> tuple[Equation, ...]:
    """Return equations of one unit, and behind them, where they are several, their sum."""
    parts = tuple(equations)
    if len(parts) == 1:
        return parts
    summands = " + ".join(f"{part.result:,}" for part in parts) * (len(parts) <= SUMMANDS)
    return (*parts, Equation("together", "sum", summands, sum(part.result for part in parts), parts[0].unit))


def times(more: int, less: int) -> str:
    """Return how many times as much.

    >>> times(462, 52), times(10, 20)
    ('8.88', '0.50')
    """
    return f"{more / less:.2f}"
