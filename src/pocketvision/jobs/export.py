"""Published weights as one verified file: as they are, with their labels and preprocessing, and no training."""

from dataclasses import dataclass
from pathlib import Path

from pocketvision.errors import BadWeights
from pocketvision.events import drain
from pocketvision.jobs.finish.file import Draft, network_with, write_file
from pocketvision.jobs.finish.record import goldens_of, made_with, make_record
from pocketvision.model.resolve import resolve
from pocketvision.model.weights.load import Weights
from pocketvision.run.assess import AS_IS
from pocketvision.run.goldens import golden_images

PARITY_IMAGES = 16


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        file: where.
        network: its full name.
        classes: how many.
        difference: largest of its logits from those of the network in torch, over the largest |logit|.
    """

    file: Path
    network: str
    classes: int
    difference: float


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
    network = network_with(graph, weights.arrays)
    source = {"name": weights.name, "sha256": weights.sha256, "assumed": weights.assumed}
    common = {
        "labels": weights.labels,
        "preprocessing": weights.preprocessing.to_json(),
        "provenance": {**made_with(), "weights": source},
    }
    published = {"imagenet_top1": weights.top1, "resolution": options.resolution}
    metrics = {} if weights.top1 is None else {"published": published}
    record = make_record(graph, common, metrics, AS_IS, goldens_of(network))
    images = golden_images(PARITY_IMAGES, graph.image.height, graph.image.channels)
    written = drain(write_file(Draft(network, record), out, images))
    return Exported(out, graph.name, options.classes, written.parity.difference)
