"""Zero channels that pad depthwise convolutions to a multiple of what engines process at once."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.model.graph import Conv, Graph, Linear, Op, Shape
from pocketvision.model.rewrite import Arrays
from pocketvision.model.spaces import Spaces, spaces

AT_ONCE = 16  # bytes of a vector: int8 depthwise kernels of ONNX Runtime process the rest one channel at a time


def pad_channels(graph: Graph, arrays: Arrays) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Return a network that computes the same, in which depthwise convolutions have a multiple of 16 channels.

    New channels are 0 and nothing reads them.

    Args:
        graph: without batch norms.
        arrays: its parameters.
    """
    wide = padded(graph)
    result: dict[str, NDArray[np.float32]] = {}
    for old, new in zip(graph.parameters(), wide.parameters(), strict=True):
        value = np.asarray(arrays[old.name], np.float32)
        missing = [(0, wanted - had) for wanted, had in zip(new.shape, value.shape, strict=True)]
        result[new.name] = np.pad(value, missing)
    return wide, result


def padded(graph: Graph) -> Graph:
    """Return the graph with more channels where those of depthwise convolutions are not a multiple of 16.

    The image and the public outputs keep theirs, and so do channels that pass a group, a split or a concat.
    """
    found = spaces(graph)
    sizes = _new_sizes(graph, found)
    wide: list[Op] = []
    for op in graph.ops:
        out = _channels(found, sizes, op.name)
        changes: dict[str, object] = {"shape": Shape(out, *op.shape[1:])}
        if isinstance(op, Conv | Linear):
            changes["in_channels"] = _channels(found, sizes, op.inputs[0])
        if isinstance(op, Conv) and op.is_depthwise:
            changes["groups"] = out
        wide.append(replace(op, **changes))  # type: ignore[arg-type]
    return replace(graph, ops=tuple(wide))


def _new_sizes(graph: Graph, found: Spaces) -> dict[int, int]:
    """Return the new size of each channel space that grows, by its number."""
    filtered = {_space(found, op.name) for op in graph.ops if isinstance(op, Conv) and op.is_depthwise}
    fixed = {_space(found, name) for name in ("image", *graph.outputs.values())}
    sizes = [space.size for space in found]
    for places in found.tensors.values():  # pieces of a space, or of several
        if len({*places[:, 0].tolist()}) > 1 or len(places) != sizes[places[0, 0]]:
            fixed.update(places[:, 0].tolist())
    return {
        number: -(-space.size // AT_ONCE) * AT_ONCE
        for number, space in enumerate(found)
        if number in filtered - fixed and len(space.parts) == 1
    }


def _space(found: Spaces, tensor: str) -> int:
    return int(found.tensors[tensor][0, 0])


def _channels(found: Spaces, sizes: dict[int, int], tensor: str) -> int:
    places = found.tensors[tensor]
    return sizes.get(int(places[0, 0]), len(places))
