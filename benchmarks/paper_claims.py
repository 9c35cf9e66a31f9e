"""What the MobileNet papers claim, asked again on small data: does it hold there, too?

    python benchmarks/paper_claims.py        # about 70 minutes; run again, it skips what is done

Fashion-MNIST at 32 pixels: 20,000 training images, 4 epochs of the default recipe, 3 seeds a network (curves: one), judged on
the 10,000 test images. Networks are compared seed by seed and image by image; `docs/claims_page.py` makes a page of the result.
"""

import argparse
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from elastic_vs_individual import IMAGES, Pictures, hits
from measure import Results, paired, print_estimate, ratio, time_calls

from pocketvision.cost.count import count
from pocketvision.data.pixels import steps_per_epoch
from pocketvision.jobs.plan.recipe import chosen_augmentation
from pocketvision.model.dead_filters import count_dead_filters
from pocketvision.model.graph import Conv, Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.network import build
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images
from pocketvision.train.batches import training_batches
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
from pocketvision.train.memory import keep_memory
from pocketvision.train.recipe import find_recipe

SIDE, STRIDE, CLASSES = 32, 16, 10
EPOCHS, SEEDS = 4, (0, 1, 2)
RECIPE = find_recipe("modern")
DECAYS = (
    RECIPE.weight_decay,
    10 * RECIPE.weight_decay,
)  # on depthwise filters: as much as all others have, and ten times that
WIDTHS, SIDES = (0.125, 0.1875, 0.25, 0.375, 0.5), (16, 20, 24, 28, 32)
SECONDS = 20.0  # for the times of one pair
MINUTES = 1.5  # a training, with nothing else on the machine
PACKAGES = ("numpy", "onnxruntime", "torch")


@dataclass(frozen=True)
class Way:
    """One network and how it is trained."""

    family: str
    width: float = 0.5
    resolution: int = SIDE
    depthwise_decay: float = 0.0

    @property
    def name(self) -> str:
        """What cells are called by."""
        decay = f", decay {self.depthwise_decay:g} on depthwise filters" if self.depthwise_decay else ""
        return f"{self.family} {self.width:g} at {self.resolution}{decay}"

    @property
    def graph(self) -> Graph:
        """The network."""
        return resolve(self.family, self.width, self.resolution, CLASSES, 1, output_stride=STRIDE)


V1, V2, XCEPTION = Way("mobilenet_v1"), Way("mobilenet_v2"), Way("xception", 0.25)
CLAIMS: dict[str, tuple[Way, Way]] = {  # what is compared: the one that a paper recommends, and the other
    "separable and standard convolution": (V1, Way("mobilenet_v1_standard")),
    "thin and shallow": (Way("mobilenet_v1", 0.375), Way("mobilenet_v1_shallow")),
    "linear and ReLU6 bottleneck": (V2, Way("mobilenet_v2_nonlinear")),
    "shortcut between bottlenecks and between expansions": (V2, Way("mobilenet_v2_wide_shortcut")),
    "shortcut between bottlenecks and none": (V2, Way("mobilenet_v2_no_shortcut")),
    "Xception without and with ReLU in the middle": (XCEPTION, replace(XCEPTION, family="xception_activated")),
    "MobileNetV1 without and with norm and ReLU6 in the middle": (Way("mobilenet_v1_plain"), V1),
    "MobileNetV1, depthwise filters without and with decay": (V1, replace(V1, depthwise_decay=DECAYS[0])),
    "MobileNetV1, depthwise filters without and with ten times the decay": (
        V1,
        replace(V1, depthwise_decay=DECAYS[1]),
    ),
    "MobileNetV2, depthwise filters without and with ten times the decay": (
        V2,
        replace(V2, depthwise_decay=DECAYS[1]),
    ),
}
CURVES = {
    "MobileNetV1, width": [replace(V1, width=width) for width in WIDTHS],
    "MobileNetV1, resolution": [replace(V1, resolution=side) for side in SIDES],
    "MobileNetV2, width": [replace(V2, width=width) for width in WIDTHS],
    "MobileNetV2, resolution": [replace(V2, resolution=side) for side in SIDES],
}


def train(pictures: Pictures, way: Way, seed: int) -> dict[str, Any]:
    """Train one network; judge its averaged weights, and count their dead filters."""
    recipe = replace(RECIPE, depthwise_decay=way.depthwise_decay)
    graph, images = way.graph, pictures.at("train", way.resolution)
    torch.manual_seed(seed)
    steps = steps_per_epoch(len(pictures.train), recipe.batch_size)
    trainer = Trainer(build(graph, seed), recipe, EPOCHS, steps)
    changes = chosen_augmentation(recipe, graph, EPOCHS)
    for _ in trainer.run(partial(training_batches, images, recipe.batch_size, changes, seed)):
        pass
    judged, network = pictures.at("judged", way.resolution), trainer.average.network
    right = compute_logits(network, judged).argmax(1) == judged.labels
    cost = count(graph)
    return {
        "top1": float(right.mean()),
        "params": cost.params,
        "macs": cost.macs,
        "dead": sum(count_dead_filters(graph, network.arrays()).values()),
        "filters": sum(op.out_channels for op in graph.ops if isinstance(op, Conv) and op.is_depthwise),
        "right": base64.b64encode(np.packbits(right)).decode(),
    }


def times(ways: tuple[Way, Way]) -> dict[str, Any]:
    """Time both networks in turn: one image with ONNX Runtime on one thread, and a step of training."""
    found: dict[str, Any] = {}
    for what, opened in (("one image", call_one_image), ("a training step", call_step)):
        calls = {way.name: partial(opened, way.graph) for way in ways}
        timings = time_calls(calls, SECONDS)
        found[what] = {"ratio": ratio(timings[ways[0].name], timings[ways[1].name]), "timings": timings}
    return found


def call_one_image(graph: Graph) -> Callable[[], object]:
    """The file's answer to one image."""
    engine = OnnxRuntime(write_onnx(graph, initial_arrays(graph, 0)))
    return partial(engine.run, golden_images(1, graph.image.height, graph.image.channels))


def call_step(graph: Graph) -> Callable[[], object]:
    """A step of plain SGD on a batch of the recipe's size."""
    network = build(graph).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    images = golden_images(RECIPE.batch_size, graph.image.height, graph.image.channels)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    labels = torch.arange(RECIPE.batch_size) % CLASSES

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(batch), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def compare(cells: dict[str, dict[str, Any]], one: Way, other: Way) -> dict[str, Any]:
    """Return what both cost and reach, and by how much the first is better, in points, with its standard error."""
    taken = [[cells[f"{way.name}, seed {seed}"] for seed in SEEDS] for way in (one, other)]
    difference, error = paired(*([hits(cell) for cell in found] for found in taken))
    return {
        **{
            which: {
                "name": way.name,
                "top1": round(100 * float(np.mean([cell["top1"] for cell in found])), 2),
                "macs": found[0]["macs"],
                "params": found[0]["params"],
                "dead_percent": round(
                    100 * float(np.mean([cell["dead"] / max(1, cell["filters"]) for cell in found])), 2
                ),
            }
            for which, way, found in zip(("one", "other"), (one, other), taken, strict=True)
        },
        "points": round(100 * difference, 2),
        "standard_error": round(100 * error, 2),
    }


def curve(cells: dict[str, dict[str, Any]], ways: list[Way]) -> dict[str, Any]:
    """Return the points of a curve, and the straight line through top-1 over the logarithm of multiply-adds."""
    found = [cells[f"{way.name}, seed {SEEDS[0]}"] for way in ways]
    x, y = np.log2([cell["macs"] for cell in found]), np.array([100 * cell["top1"] for cell in found])
    slope, level = np.polyfit(x, y, 1)
    left = float(((y - (slope * x + level)) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    points = [
        {"width": way.width, "resolution": way.resolution, "macs": cell["macs"], "top1": round(100 * cell["top1"], 2)}
        for way, cell in zip(ways, found, strict=True)
    ]
    return {"points": points, "points_per_doubling": round(float(slope), 2), "explained": round(1 - left, 3)}


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suffix", default="")
    parser.add_argument("--no-times", action="store_true", help="Leave the times for a moment when nothing else runs.")
    asked = parser.parse_args()
    ways = list(dict.fromkeys(way for pair in CLAIMS.values() for way in pair))
    on_curves = [way for curve in CURVES.values() for way in curve]
    todo = [(way, SEEDS[0]) for way in dict.fromkeys([*ways, *on_curves])]
    todo += [(way, seed) for seed in SEEDS[1:] for way in ways]
    results = Results("paper_claims", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    left = [name for way, seed in todo if (name := f"{way.name}, seed {seed}") not in results.content["cells"]]
    print_estimate(MINUTES * len(left))
    keep_memory()
    pictures, cells = Pictures("test", IMAGES), {}
    for way, seed in todo:
        name = f"{way.name}, seed {seed}"
        cells[name] = results.cell(name, partial(train, pictures, way, seed))
        print(name, {what: cells[name][what] for what in ("top1", "dead")}, flush=True)
    if asked.no_times:
        return
    timed = {what: results.cell(f"times: {what}", partial(times, pair)) for what, pair in CLAIMS.items()}
    results.finish(
        {
            "claims": {
                what: compare(cells, *pair)
                | {f"{kind}, ratio of times": found["ratio"] for kind, found in timed[what].items()}
                for what, pair in CLAIMS.items()
            },
            "curves": {what: curve(cells, ways) for what, ways in CURVES.items()},
        }
    )


if __name__ == "__main__":
    main()
