"""Weights by name or file.

name or file ─► locate ─► read_state ─► recognise (layout, family, width) ─► Weights, in our names
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadWeights, UnknownWeights, nearest
from pocketvision.files import cache_folder
from pocketvision.model.conventions import CONVENTIONS, SCRATCH
from pocketvision.model.graph import Graph
from pocketvision.model.names import LAYOUTS, OWN
from pocketvision.model.published import PUBLISHED, Published
from pocketvision.model.resolve import resolve, resolve_again
from pocketvision.model.weights.config import describe_timm, describe_transformers
from pocketvision.model.weights.labels import imagenet_labels
from pocketvision.model.weights.locate import locate
from pocketvision.model.weights.state import (
    at_family,
    look_alikes,
    own_arrays,
    read_checked,
    read_file,
    read_json,
    read_state,
    recognise,
)
from pocketvision.run.preprocessing import Preprocessing

RECORD, ARRAYS = "weights.json", "weights.safetensors"  # of imported weights
ASSUMED = {layout.name: layout.conventions for layout in LAYOUTS} | {OWN: SCRATCH}


@dataclass(frozen=True, eq=False)
class Weights:
    """A trained network.

    Attributes:
        name: published name, or the file's.
        graph: at the width, resolution and classes that it was trained with.
        arrays: its parameters, float32, in our names.
        preprocessing: from a photograph to its input.
        labels: class names; empty where they are not known.
        layout: how the file names its arrays.
        sha256: of the file.
        top1: published ImageNet top-1 in percent, where it is known.
        assumed: what the file does not say and was assumed, in words; empty where nothing was.
    """

    name: str
    graph: Graph
    arrays: Mapping[str, NDArray[np.float32]]
    preprocessing: Preprocessing
    labels: tuple[str, ...]
    layout: str
    sha256: str
    top1: float | None = None
    assumed: str = ""


def load_weights(asked: str | Path, families: Sequence[str] = ()) -> Weights:
    """Return trained weights.

    Args:
        asked: a published name, the name of imported weights, a file (.pth, .safetensors), or a folder as timm or Transformers
            save it.
        families: that are expected; they decide where a file of ours could hold any of several families with the same arrays.

    Raises:
        UnknownWeights: no such name or file.
        BadWeights: they cannot be fetched, or the file is damaged or does not hold a known network.
    """
    published = next((known for known in PUBLISHED if known.name == str(asked)), None)
    if published is not None:
        return _load_published(published, locate(published))
    if (imported_folder() / str(asked) / RECORD).is_file():
        return _load_imported(imported_folder() / str(asked))
    path = Path(asked)
    if path.is_dir():
        return _load_folder(path)
    if path.is_file():
        known = next((known for known in PUBLISHED if known.file == path.name and known.origin != "huggingface"), None)
        return _load_file(path, families) if known is None else _load_published(known, path)
    everything = [*(known.name for known in PUBLISHED), *imported_names()]
    raise UnknownWeights(
        f"no weights {str(asked)!r}: neither a file nor a known name.", nearest(str(asked), everything)
    )


def _load_published(published: Published, path: Path) -> Weights:
    content = read_checked(path, published.file)
    classes = 1000 + published.has_background
    graph = resolve(
        published.family,
        published.width,
        published.resolution,
        classes,
        conventions=published.conventions,
    )
    return Weights(
        name=published.name,
        graph=graph,
        arrays=own_arrays(read_state(content, path), published.layout, graph, path),
        preprocessing=published.preprocessing,
        labels=imagenet_labels(published.has_background),
        layout=published.layout,
        sha256=hashlib.sha256(content).hexdigest(),
        top1=published.top1,
    )


def _load_file(path: Path, families: Sequence[str] = ()) -> Weights:
    """Read a file of which only the arrays are known."""
    content = read_file(path)
    state = read_state(content, path)
    layout, graph = recognise(state, str(path))
    family = graph.source.family
    conventions = "timm_half" if (layout, family) == ("timm", "mobilenet_v1") else ASSUMED[layout]
    graph = resolve(**graph.source._replace(conventions=conventions)._asdict())
    assumed = (
        f"{path.name} does not state what it was trained with: {conventions} conventions are assumed, and "
        f"{graph.image.height} pixels."
    )
    others = look_alikes(graph) if layout == OWN else []
    if expected := [name for name in families if name in (family, *others)]:
        graph = at_family(graph, expected[0])
    elif others:
        assumed += (
            f" It is taken for {graph.name}; those of {', '.join(others)} look the same: --family says which it is."
        )
    return Weights(
        name=path.name,
        graph=graph,
        arrays=own_arrays(state, layout, graph, path),
        preprocessing=Preprocessing(mode="crop"),
        labels=_imagenet_or_nothing(graph),
        layout=layout,
        sha256=hashlib.sha256(content).hexdigest(),
        assumed=assumed,
    )


def _load_folder(folder: Path) -> Weights:
    """Read a folder as timm or Transformers save it: the weights and config.json."""
    path = next(
        (folder / name for name in ("model.safetensors", "pytorch_model.bin") if (folder / name).is_file()), None
    )
    if path is None or not (folder / "config.json").is_file():
        raise BadWeights(
            f"{str(folder)!r} holds no weights: model.safetensors and config.json are looked for.", "the path of a file"
        )
    weights = _load_file(path)
    config = read_json(folder / "config.json")
    described = describe_timm(config) if "architecture" in config else describe_transformers(folder, config)
    conventions, resolution, preprocessing, labels = described
    options = weights.graph.source._replace(conventions=conventions, resolution=resolution)
    graph = resolve(**options._asdict())
    return replace(
        weights,
        name=folder.name,
        graph=graph,
        preprocessing=preprocessing,
        labels=labels if len(labels) == options.classes else _imagenet_or_nothing(graph),
        assumed="",
    )


def _imagenet_or_nothing(graph: Graph) -> tuple[str, ...]:
    return imagenet_labels(graph.source.classes == 1001) if graph.source.classes in (1000, 1001) else ()


def describe(weights: Weights) -> dict[str, Any]:
    """Return what is known about weights, as JSON values."""
    conventions = CONVENTIONS[weights.graph.source.conventions]
    return {
        "name": weights.name,
        "network": weights.graph.name,
        **weights.graph.source._asdict(),
        **asdict(conventions),
        "preprocessing": weights.preprocessing.to_json(),
        "layout": weights.layout,
        "imagenet_top1": weights.top1,
        "labels": len(weights.labels),
        "sha256": weights.sha256,
        "assumed": weights.assumed,
    }


def imported_folder() -> Path:
    """Return the folder of imported weights; it need not exist."""
    return cache_folder() / "weights"


def imported_names() -> list[str]:
    """Return the names of all imported weights."""
    folder = imported_folder()
    return sorted(str(path.parent.relative_to(folder)) for path in folder.rglob(RECORD)) if folder.is_dir() else []


def _load_imported(folder: Path) -> Weights:
    content, record = read_file(folder / ARRAYS), read_json(folder / RECORD)
    if hashlib.sha256(content).hexdigest() != record.get("sha256"):
        raise BadWeights(
            f"{str(folder / ARRAYS)!r} is damaged: its SHA-256 is not the one in {RECORD}.", "import it again"
        )
    graph = resolve_again(record["network"])
    return Weights(
        name=str(folder.relative_to(imported_folder())),
        graph=graph,
        arrays=own_arrays(read_state(content, folder / ARRAYS), OWN, graph, folder / ARRAYS),
        preprocessing=Preprocessing.from_json(record["preprocessing"]),
        labels=tuple(record["labels"]),
        layout=OWN,
        sha256=record["sha256"],
        top1=record["top1"],
        assumed=record["assumed"],
    )
