"""From a file of arrays to the arrays of a graph: which network is it, and which array is which."""

import hashlib
import io
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as read_safetensors

from pocketvision.errors import BadWeights
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import Graph
from pocketvision.model.names import LAYOUTS, OWN, names
from pocketvision.model.resolve import native_stride, resolve
from pocketvision.model.weights.locate import stated_hash

State = dict[str, NDArray[Any]]
WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25, 1.25, 1.3, 1.4, 0.375, 0.125, 1.5, 2.0)  # that a file is compared with


def read_file(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        BadWeights: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadWeights(f"cannot read {str(path)!r}: {error.strerror}.", "the path of a file of weights") from error


def read_checked(path: Path, name: str) -> bytes:
    """Return a file's bytes after comparing them with the digest that its published name states.

    Raises:
        BadWeights: they differ.
    """
    content, stated = read_file(path), stated_hash(name)
    found = hashlib.sha256(content).hexdigest()
    if stated and not found.startswith(stated):
        raise BadWeights(
            f"{str(path)!r} is damaged: its SHA-256 begins with {found[:8]}, its name says {stated}.", "fetch it again"
        )
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON document.

    Raises:
        BadWeights: it is not one, or cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads(read_file(path))
    except ValueError as error:
        raise BadWeights(f"{str(path)!r} is not a JSON document: {error}.", "the original file") from error
    return content


def read_state(content: bytes, path: Path) -> State:
    """Return the arrays of a .safetensors or .pth file by their names there, counters of batches left out.

    Raises:
        BadWeights: it is neither, or holds something else than tensors.
    """
    try:
        state: Any = read_safetensors(content) if path.suffix == ".safetensors" else _read_torch(content)
    except SafetensorError as error:
        raise _no_weights(path, f"it is not a complete safetensors file ({error})") from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, ImportError) as error:
        raise _no_weights(path, "PyTorch cannot read it") from error
    except Exception as error:
        if not isinstance(error, AttributeError) and type(error).__name__ != "UnpicklingError":
            raise
        raise _no_weights(path, "it holds something else than tensors by name, and nothing else is read") from error
    return {name: array for name, array in state.items() if not name.endswith("num_batches_tracked")}


def _read_torch(content: bytes) -> State:
    """Return the tensors of a PyTorch file; a training's checkpoint may hold them one level down."""
    loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    for key in ("state_dict", "model"):
        loaded = loaded[key] if isinstance(loaded, dict) and isinstance(loaded.get(key), dict) else loaded
    return {str(name).removeprefix("module."): tensor.float().numpy() for name, tensor in loaded.items()}


def _no_weights(path: Path, reason: str) -> BadWeights:
    return BadWeights(
        f"{str(path)!r} does not hold plain weights: {reason}.",
        "a .safetensors file, or torch.save(model.state_dict(), FILE)",
    )


def recognise(state: Mapping[str, NDArray[Any]], what: str) -> tuple[str, Graph]:
    """Return the layout and the network that arrays of these names and shapes belong to.

    Raises:
        BadWeights: no known network has them.
    """
    candidates = [(layout.name, name) for layout in LAYOUTS for name in FAMILIES if name in layout.families]
    nearest_names, of_names = 0, ""
    for layout, family in [*candidates, *((OWN, name) for name in FAMILIES)]:
        theirs = set(names(layout, resolve(family)).values())
        nearest_names = max(nearest_names, len(theirs & set(state)))
        if theirs != set(state):
            continue
        for width, thin_head in product(FAMILIES[family].widths or WIDTHS, (False, True)):
            graph = _at(state, layout, family, width, thin_head)
            if graph is not None:
                return layout, graph
        of_names = of_names or family
    if of_names:
        raise BadWeights(
            f"the arrays in {what!r} have the names of {of_names}, but not its shapes at any width that is tried.",
            "weights of one of its published widths, see pocketvision models",
        )
    raise BadWeights(
        f"{what!r} does not hold the weights of a known network: of its {len(state)} arrays at most {nearest_names} have the "
        "names of one.",
        "pocketvision models, which lists the families",
    )


def look_alikes(graph: Graph) -> list[str]:
    """Return the other families whose arrays have the same names and shapes, but which compute something else."""
    options = graph.source
    found = []
    for name, family in FAMILIES.items():
        if name == options.family or (family.widths and options.width not in family.widths):
            continue
        other = at_family(graph, name)
        if [*other.parameters()] == [*graph.parameters()] and other.ops != graph.ops:
            found.append(name)
    return found


def at_family(graph: Graph, family: str) -> Graph:
    """Return another family's network with the same options, at its own output stride."""
    return resolve(**graph.source._replace(family=family, output_stride=native_stride(FAMILIES[family]))._asdict())


def _at(state: Mapping[str, NDArray[Any]], layout: str, family: str, width: float, thin_head: bool) -> Graph | None:
    """Return the family's network at a width, if the arrays have its shapes."""
    wanted = resolve(family, width, thin_head=thin_head)
    mapping = names(layout, wanted)
    first, last = (next(op for op in order if op.parameters()) for order in (wanted.ops, wanted.ops[::-1]))
    stem, classifier = (state[mapping[op.parameters()[0].name]] for op in (first, last))
    classes = len(classifier)
    if classes < 2:
        return None
    in_channels = stem.shape[1] if stem.shape[1:2] in ((1,), (3,)) else 3
    graph = resolve(family, width, classes=classes, in_channels=in_channels, thin_head=thin_head)
    fits = all(_is_same_shape(state[mapping[p.name]].shape, p.shape) for p in graph.parameters())
    return graph if fits else None


def _is_same_shape(theirs: tuple[int, ...], ours: tuple[int, ...]) -> bool:
    """Whether shapes agree; a fully connected layer may be a 1x1 convolution."""
    return theirs == ours or (len(theirs) == 2 and (*theirs, 1, 1) == ours)


def own_arrays(state: State, layout: str, graph: Graph, path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the arrays in our names and shapes.

    Raises:
        BadWeights: a name is missing or left over, or a shape differs.
    """
    mapping = names(layout, graph)
    odd = sorted(set(mapping.values()) ^ set(state))
    if odd:
        raise BadWeights(
            f"{str(path)!r} and {graph.name} disagree in {len(odd)} names, first {odd[0]!r}.", "the original file"
        )
    found = {}
    for parameter in graph.parameters():
        array = state[mapping[parameter.name]]
        if not _is_same_shape(array.shape, parameter.shape):
            raise BadWeights(
                f"{mapping[parameter.name]!r} in {str(path)!r} is {array.shape}; {graph.name} needs {parameter.shape}.",
                "the original file",
            )
        found[parameter.name] = np.ascontiguousarray(array, np.float32).reshape(parameter.shape)
        if not np.isfinite(found[parameter.name]).all():
            raise BadWeights(
                f"{mapping[parameter.name]!r} in {str(path)!r} holds NaN or infinity.", "the original file"
            )
    return found
