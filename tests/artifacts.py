"""A small network and its file, for the tests of all that reads files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from graphs import random_arrays, random_images, steady
from pocketvision.export.artifact import Parity, write_artifact
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network, build
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

NAMES = ("zebra", "ant", "猫", "bee", "yak", "cod", "x-ray", "dog", "wolf", "eel")  # in no order


class Exported(NamedTuple):
    """A network and the file that was written of it."""

    graph: Graph
    network: Network
    record: Record
    images: np.ndarray  # (8, 32, 32, 3)
    parity: Parity
    path: Path

    @property
    def content(self) -> bytes:
        return self.path.read_bytes()

    def logits(self, images: np.ndarray) -> np.ndarray:
        return compute_logits(self.network, images)


def make_record(network: Network, **changes: object) -> Record:
    """Return a record as `fit` makes it."""
    graph = network.graph
    fields = {
        "task": "classification",
        "labels": NAMES,
        "resolution": graph.image.height,
        "channels": graph.image.channels,
        "preprocessing": Preprocessing(),
        "model": {"name": graph.name, **graph.options._asdict()},
        "metrics": {"data": {"fingerprint": "none"}},
        "temperature": 2.0,
        "unknown_threshold": 0.0,
        "provenance": {"seed": 0},
        "goldens": make_goldens(compute_logits(network, golden_images(4, graph.image.height, graph.image.channels))),
    }
    return Record(**(fields | changes))


def export(family: str, path: Path) -> Exported:
    """Write the file of a small network with random weights and ten classes."""
    graph = steady(family)
    network = build(graph)
    network.load_arrays(random_arrays(graph))
    record = make_record(network)
    images = np.ascontiguousarray(random_images(graph, n=8).permute(0, 2, 3, 1).numpy())
    parity = write_artifact(path, graph, network.arrays(), record, images, lambda batch: compute_logits(network, batch))
    return Exported(graph, network, record, images, parity, path)
