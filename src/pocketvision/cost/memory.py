"""Which tensors are alive while each op runs, and how many bytes they take."""

from math import prod

from pocketvision.model.graph import Activation, Add, Dropout, Graph, Op

FLOAT_BYTES = 4
PIXEL_BYTES = 1  # the input is uint8
IN_PLACE = (Activation, Add, Dropout)  # their output overwrites an input that nothing reads later


def live_bytes(graph: Graph) -> tuple[int, ...]:
    """Return, for each op, the bytes of all tensors that are alive while it runs: inputs, output, and what later ops read.

    For one image, float32 activations, in the order of execution; weights are not counted.
    """
    last = graph.last_reader()
    sizes = tensor_bytes(graph)
    alive = {"image"}
    live: list[int] = []
    for i, op in enumerate(graph.ops):
        ending = {name for name in op.inputs if last[name] == i}
        live.append(sum(sizes[name] for name in alive) + sizes[op.name] - _reused(op, ending, sizes))
        alive -= ending
        if op.name in last:
            alive.add(op.name)
    return tuple(live)


def tensor_bytes(graph: Graph) -> dict[str, int]:
    """Return the bytes of each tensor for one image, the input among them."""
    return {"image": PIXEL_BYTES * prod(graph.image)} | {op.name: FLOAT_BYTES * prod(op.shape) for op in graph.ops}


def _reused(op: Op, ending: set[str], sizes: dict[str, int]) -> int:
    """Return the bytes of the input that the output overwrites."""
    if not isinstance(op, IN_PLACE):
        return 0
    return max((sizes[name] for name in ending if sizes[name] == sizes[op.name]), default=0)
