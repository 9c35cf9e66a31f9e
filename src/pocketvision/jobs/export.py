"""Straight to a file: published weights as they are, with their labels and preprocessing, and no training."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pocketvision.errors import BadWeights
from pocketvision.export.artifact import Parity, write_artifact
from pocketvision.jobs.finish.record import GOLDENS, versions
from pocketvision.jobs.plan.plan import model_json
from pocketvision.model.network import Network
from pocketvision.model.resolve import resolve
from pocketvision.model.weights.load import Weights
from pocketvision.run.goldens import golden_images, make_goldens
from pocketvision.run.record import Record
from pocketvision.train.evaluate import compute_logits

PARITY_IMAGES = 16


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        file: where.
        network: its full name.
        classes: how many.
        parity: with the network in torch.
    """

    file: Path
    network: str
    classes: int
    parity: Parity


def export(weights: Weights, out: Path, resolution: int | None = None) -> Exported:
    """Write published weights as one verified file.

    Args:
        weights: see `load_weights`; their labels must be known.
        out: where; an existing file is replaced only by a finished one.
        resolution: of the input, in pixels; None: what they were trained at.

    Raises:
        BadWeights: it is not known what the classes are.
        BadResolution: the network cannot have it.
    """
    options = weights.graph.source
    if len(weights.labels) != options.classes:
        raise BadWeights(
            f"{weights.name} has {options.classes} classes of unknown names, so that its answers would mean nothing.",
            "weights with labels, or pocketvision fit on your own images with --weights",
        )
    graph = resolve(**options._replace(resolution=resolution or options.resolution)._asdict())
    network = Network(graph).eval()
    network.load_arrays(weights.arrays)
    side, channels = graph.image.height, graph.image.channels
    record = Record(
        task="classification",
        labels=weights.labels,
        resolution=side,
        channels=channels,
        preprocessing=weights.preprocessing,
        model=model_json(graph),
        metrics={}
        if weights.top1 is None
        else {"published": {"imagenet_top1": weights.top1, "resolution": options.resolution}},
        temperature=1.0,
        unknown_threshold=0.0,
        provenance={
            "versions": versions(),
            "date": datetime.now(UTC).date().isoformat(),
            "weights": {"name": weights.name, "sha256": weights.sha256, "assumed": weights.assumed},
        },
        goldens=make_goldens(compute_logits(network, golden_images(GOLDENS, side, channels))),
    )
    images = golden_images(PARITY_IMAGES, side, channels)
    parity = write_artifact(out, graph, network.arrays(), record, images, lambda batch: compute_logits(network, batch))
    return Exported(out, graph.name, options.classes, parity)
