"""What an explanation consists of: letters with their values, sections of words, equations and tables. Values only, no layout."""

from dataclasses import dataclass

from pocketvision.model.graph import Shape

MACS = "multiply-adds"
BYTES = "bytes"
Cell = str | int | float


@dataclass(frozen=True)
class Letter:
    """A letter of the equations, its value in this layer, and what it stands for."""

    symbol: str
    value: int
    meaning: str


@dataclass(frozen=True)
class Equation:
    """One quantity.

    Attributes:
        what: it is of, for instance "depthwise".
        symbols: the equation in letters; "sum" is of the equations above it.
        numbers: the same with the values put in; empty for a sum of many.
        result: what comes out.
        unit: of the result.
    """

    what: str
    symbols: str
    numbers: str
    result: int | float
    unit: str = MACS


@dataclass(frozen=True)
class Table:
    """A header and rows; ints are counts, floats are ratios."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Section:
    """One step of an explanation, in this order.

    Attributes:
        title: in a few words.
        source: arXiv number and section, equation or table; empty where nothing is taken from a paper.
        before: sentences.
        equations: below each other.
        after: sentences, about the results.
        table: at the end.
    """

    title: str
    source: str = ""
    before: tuple[str, ...] = ()
    equations: tuple[Equation, ...] = ()
    after: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True)
class Comparison:
    """What something else would cost in the layer's place."""

    what: str
    entering: Shape
    leaving: Shape
    macs: int
    weights: int


@dataclass(frozen=True)
class Lesson:
    """What is said of one kind of block: its letters, its sections, and what it is compared with."""

    letters: tuple[Letter, ...]
    sections: tuple[Section, ...]
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """One layer of one network, explained.

    Attributes:
        family: its name.
        network: full name, with width and resolution.
        layer: number, as `--layer` takes it.
        block: the layer's name in the network.
        kind: of block, in words.
        entering: shape of what comes in.
        leaving: shape of what goes out.
        macs: multiply-adds of the layer for one image.
        weights: filters of the layer, without batch norm and biases, as the papers count.
        letters: of the equations.
        sections: the explanation.
        layers: all layers of the family, by kind.
    """

    family: str
    network: str
    layer: int
    block: str
    kind: str
    entering: Shape
    leaving: Shape
    macs: int
    weights: int
    letters: tuple[Letter, ...]
    sections: tuple[Section, ...]
    layers: str
