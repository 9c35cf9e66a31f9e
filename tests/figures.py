"""What the tests of costs share: the published figures of `reference/`, what our rows cost, and how the two may differ."""

import csv
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path

from pocketvision.cost.count import Cost, count
from pocketvision.model.graph import Conv, Graph
from pocketvision.model.resolve import resolve
from pocketvision.model.rows import Family

REFERENCE = Path(__file__).parent / "reference"
FigureRow = dict[str, str]


def rows(file: str, **wanted: str) -> list[FigureRow]:
    """The rows of a reference file in which some columns have the wanted values."""
    with (REFERENCE / file).open(newline="", encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if all(row[key] == value for key, value in wanted.items())]


def one_row(file: str, **wanted: str) -> FigureRow:
    """The only row of a reference file in which some columns have the wanted values."""
    (row,) = rows(file, **wanted)
    return row


@cache
def network(family: str | Family, width: float = 1.0, resolution: int | None = None, classes: int = 1000) -> Graph:
    """A family's network."""
    return resolve(family, width, resolution, classes)


@cache
def cost(family: str | Family, width: float = 1.0, resolution: int | None = None, classes: int = 1000) -> Cost:
    """What a family's network costs."""
    return count(network(family, width, resolution, classes))


# What a source counts, in millions

Counted = Callable[[Graph], float]


def macs(graph: Graph) -> float:
    """Multiply-adds."""
    return count(graph).macs / 1e6


def operations(graph: Graph) -> float:
    """Two for each multiply-add."""
    return 2 * macs(graph)


def macs_of_the_body(graph: Graph) -> float:
    """All but the classifier."""
    return macs(graph) - graph.shape_of("classifier").channels * graph.shape_of("pool").channels / 1e6


def conv_outputs(graph: Graph) -> float:
    """Numbers that the convolutions put out."""
    return sum(prod(op.shape) for op in graph.ops if isinstance(op, Conv)) / 1e6


def macs_norms_and_pool(graph: Graph) -> float:
    """What fvcore counts: two for each output of a batch norm, too, and one for each input of the last pool."""
    norms = sum(prod(op.shape) for op in graph.ops if isinstance(op, Conv) and op.batch_norm_eps is not None)
    return macs(graph) + (2 * norms + prod(graph.shape_of(graph["pool"].inputs[0]))) / 1e6


def numbers(graph: Graph, *roles: str) -> float:
    """What the parameters of some roles hold."""
    return sum(p.size for p in graph.parameters() if p.role in roles) / 1e6


def params(graph: Graph) -> float:
    """All that is trained."""
    return count(graph).params / 1e6


def params_of_the_body(graph: Graph) -> float:
    """All but the classifier."""
    return params(graph) - sum(p.size for p in graph["classifier"].parameters()) / 1e6


def params_without_norms(graph: Graph) -> float:
    """Batch norm left out."""
    return params(graph) - numbers(graph, "scale", "shift")


def params_and_statistics(graph: Graph) -> float:
    """Batch norm's statistics, too."""
    return params(graph) + numbers(graph, "mean", "variance")


def params_without_bias_of(layer: str) -> Counted:
    """One layer without bias."""
    return lambda graph: params(graph) - graph[layer].shape.channels / 1e6


def params_with_bias_of(layer: str) -> Counted:
    """One layer with a bias."""
    return lambda graph: params(graph) + graph[layer].shape.channels / 1e6


# What must hold between a printed figure and the count

Rule = Callable[[str, Graph], bool]


def last_digit(printed: str) -> float:
    """What one more or less of it is: 0.01 for 4.24."""
    return 10.0 ** -len(printed.partition(".")[2])


def rounded(counted: Counted, step: float | None = None) -> Rule:
    """To the last digit, or to a step."""
    return lambda printed, graph: abs(float(printed) - counted(graph)) <= (step or last_digit(printed)) / 2


def cut_off(counted: Counted) -> Rule:
    """Rounded down to the last digit."""
    return lambda printed, graph: 0 <= counted(graph) - float(printed) < last_digit(printed)


def near(counted: Counted) -> Rule:
    """Rounded or cut off, row by row."""
    return lambda printed, graph: rounded(counted)(printed, graph) or cut_off(counted)(printed, graph)


def around(counted: Counted) -> Rule:
    """Less than one off in the last digit."""
    return lambda printed, graph: abs(float(printed) - counted(graph)) < last_digit(printed)


def exact(counted: Counted) -> Rule:
    """To the last one."""
    return lambda printed, graph: int(printed) == round(counted(graph) * 1e6)


def times(low: float, high: float, counted: Counted) -> Rule:
    """So many times what is counted."""
    return lambda printed, graph: low <= float(printed) / counted(graph) <= high


def macs_and_more(low: float, high: float) -> Rule:
    """So many more for each number that a convolution puts out."""
    return lambda printed, graph: low <= (float(printed) - macs(graph)) / conv_outputs(graph) <= high
