"""Which tensors are alive while each op runs, and how many bytes they take."""

from itertools import groupby
from math import ceil, prod

from pocketvision.model.graph import Activation, Add, Dropout, Graph, Op

FLOAT_BYTES = 4
PIXEL_BYTES = 1  # the input is uint8
IN_PLACE = (Activation, Add, Dropout)  # their output takes the place of an input that nobody reads any more


def live_bytes(graph: Graph, splits: int = 1) -> tuple[int, ...]:
    """Return, for each op, the bytes of all tensors that are alive while it runs: what it reads, what it makes, what waits.

    For one image, float32 activations, in the order of execution; weights are not counted.

    Args:
        graph: any graph.
        splits: the tensors inside a block may be worked out in so many parts, one after the other, as MobileNetV2 can treat
            the expanded tensor of a bottleneck; what the block reads and what it makes for others is then alive all the
            while. A block that needs less as a whole is not split. Source: arXiv:1801.04381, section 5.1.
    """
    last = graph.last_reader()
    sizes = _sizes(graph)
    alive = {"image"}
    live: list[int] = []
    for i, op in enumerate(graph.ops):
        ending = {name for name in op.inputs if last[name] == i}
        live.append(sum(sizes[name] for name in alive) + sizes[op.name] - _reused(op, ending, sizes))
        alive -= ending
        if op.name in last:
            alive.add(op.name)
    return tuple(live) if splits == 1 else tuple(map(min, live, _in_parts(graph, splits)))


def _sizes(graph: Graph) -> dict[str, int]:
    return {"image": PIXEL_BYTES * prod(graph.image)} | {op.name: FLOAT_BYTES * prod(op.shape) for op in graph.ops}


def _reused(op: Op, ending: set[str], sizes: dict[str, int]) -> int:
    """Return the bytes of the input whose place the output takes."""
    if not isinstance(op, IN_PLACE):
        return 0
    return max((sizes[name] for name in ending if sizes[name] == sizes[op.name]), default=0)


def _in_parts(graph: Graph, splits: int) -> list[int]:
    """Return, for each op, the bytes that its block needs where the tensors inside are worked out in parts."""
    sizes, last = _sizes(graph), graph.last_reader()
    made = {"image": -1} | {op.name: i for i, op in enumerate(graph.ops)}
    span = {name: range(i, last.get(name, i) + 1) for name, i in made.items()}  # the ops during which it is alive
    needed: list[int] = []
    for _, block in groupby(graph.ops, key=lambda op: op.origin):
        names = [op.name for op in block]
        start, stop = len(needed), len(needed) + len(names)
        inside = [name for name in names if span[name].stop <= stop]
        outside = [name for name in made if name not in inside and span[name].start < stop and start < span[name].stop]
        most = max(sum(sizes[name] for name in inside if i in span[name]) for i in range(start, stop))
        needed += [sum(sizes[name] for name in outside) + ceil(most / splits)] * len(names)
    return needed
