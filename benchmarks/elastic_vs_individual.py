"""What does one elastic training give against training each size alone? 16 sizes, the same Fashion-MNIST images.

    python benchmarks/elastic_vs_individual.py                      # about 2.5 hours; run again, it skips what is done

Such small networks train as fast with one thread as with two, so two processes with OMP_NUM_THREADS=1 take half as long. First
the times, with nothing else running: `--only-times --suffix t`; then `--no-times --seeds 0 --suffix a` beside `--no-times
--seeds 1 2 --suffix b`; then `--merge` with all files.

(a) the time of the elastic run against the sum of the 16 single trainings; (b) MobileNetV1: the cuts, before and after one
epoch of their own, against 8 of the sizes trained alone, 3 seeds; (c) MobileNetV2, 1 seed and 4 sizes. All are judged on
the test images; `--judge validation` is for trying things out. Both follow the recipe for as many epochs; the elastic training
takes the smaller batches that the recipe names for it.
"""

import argparse
import base64
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import RESULTS, SAME, Results, file_name, print_estimate, write

from pocketvision.data.pixels import Pixels, steps_per_epoch
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split
from pocketvision.elastic import train
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.train import Distillation, Sandwich
from pocketvision.events import drain
from pocketvision.jobs.plan.recipe import chosen_augmentation
from pocketvision.jobs.plan.sizes import TUNE_RATE
from pocketvision.model.graph import Graph
from pocketvision.model.network import Network, build
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import cut, leading_indices
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train.batches import training_batches
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Objective, Trainer
from pocketvision.train.memory import keep_memory
from pocketvision.train.recipe import find_recipe
from pocketvision.train.statistics import recalibrate

WIDTHS, RESOLUTIONS = (0.25, 0.375, 0.5, 0.75), (20, 24, 28, 32)
FAMILIES = {  # short name, seeds, sizes trained alone
    "mobilenet_v1": ("v1", (0, 1, 2), [(w, r) for r in (20, 32) for w in WIDTHS]),
    "mobilenet_v2": ("v2", (0,), [(w, r) for r in (20, 32) for w in (0.25, 0.75)]),
}
IMAGES, JUDGED = 20_000, 10_000
BLOCKS = 16  # of an epoch, timed in turn


class Pictures:
    """The images at each resolution, prepared once.

    Args:
        judge: "test", or "validation": training images that no training here has seen.
        images: to train on.
    """

    def __init__(self, judge: str, images: int = IMAGES) -> None:
        dataset = read_dataset("fashion-mnist")
        parts = split(dataset)
        shuffled = np.random.default_rng(0).permutation(np.concatenate([parts.train, parts.validation]))
        self.train = np.sort(shuffled[:images])
        self.judged = parts.test if judge == "test" else np.sort(shuffled[-JUDGED:])
        self.dataset, self._found = dataset, {}

    def at(self, part: str, resolution: int) -> Pixels:
        """Images of a part at one resolution."""
        if (part, resolution) not in self._found:
            pixels = Pixels(self.dataset, getattr(self, part), resolution, 1, Preprocessing())
            for _ in pixels.decode(""):
                pass
            self._found[part, resolution] = pixels
        return self._found[part, resolution]


class Setting:
    """One family, one seed: how its networks are trained and judged.

    Args:
        family: of all sizes.
        seed: of weights, order and augmentation.
        epochs: of a training.
        pictures: the images.
        changes: of the recipe.
    """

    def __init__(self, family: str, seed: int, epochs: int, pictures: Pictures, **changes: Any) -> None:
        self.seed, self.epochs, self.pictures = seed, epochs, pictures
        recipe = replace(find_recipe("modern"), **changes)
        self.recipe = recipe
        top = resolve(family, WIDTHS[-1], RESOLUTIONS[-1], 10, 1, output_stride=16, thin_head=True)
        self.space = ElasticSpace.below(top, WIDTHS, RESOLUTIONS)
        self.steps = steps_per_epoch(len(pictures.train), recipe.batch_size)

    def trainer(self, network: Network, epochs: int, objective: Objective | None = None, rate: float = 1.0) -> Trainer:
        """A trainer that follows the recipe, perhaps at a share of its rate."""
        recipe = replace(self.recipe, lr=rate * self.recipe.lr)
        torch.manual_seed(self.seed)
        return Trainer(network, recipe, epochs, self.steps, objective=objective)

    def batches(self, resolution: int, epoch: int, first: int) -> Iterator[Any]:
        """One epoch of augmented images."""
        graph = self.space.cut(WIDTHS[0], resolution)
        changes = chosen_augmentation(self.recipe, graph, self.epochs)
        images = self.pictures.at("train", resolution)
        return training_batches(images, self.recipe.batch_size, changes, self.seed, epoch, first)

    def learn(self, trainer: Trainer, resolution: int) -> Network:
        """Train to the end; the averaged weights."""
        for event in trainer.run(partial(self.batches, resolution)):
            if type(event).__name__ == "Epoch":
                print(f"  epoch {event.epoch}/{event.epochs}: loss {event.loss:.3f}, {event.seconds:.0f} s", flush=True)
        return trainer.average.network

    def judge(self, network: Network) -> dict[str, Any]:
        """What it gets right of the images that it was not trained on."""
        images = self.pictures.at("judged", network.graph.image.height)
        right = compute_logits(network, images).argmax(1) == images.labels
        return {"top1": float(right.mean()), "right": base64.b64encode(np.packbits(right)).decode()}

    def alone(self, width: float, resolution: int) -> dict[str, Any]:
        """One size, trained alone."""
        began = time.monotonic()
        network = self.learn(self.trainer(build(self.space.cut(width, resolution), self.seed), self.epochs), resolution)
        return {**self.judge(network), "seconds": time.monotonic() - began}

    def elastic(self, tune: bool) -> dict[str, Any]:
        """All sizes from one training, then each after one epoch of its own."""
        began = time.monotonic()
        objective = Sandwich(self.space, self.seed)
        large = self.learn(self.trainer(build(self.space.graph, self.seed), self.epochs, objective), RESOLUTIONS[-1])
        found: dict[str, Any] = {"training_seconds": time.monotonic() - began, "cuts": {}, "tuned": {}}
        began = time.monotonic()
        cuts = [self.recalibrated(large.arrays(), graph) for graph in self.space.graphs]
        found["statistics_seconds"] = time.monotonic() - began
        for network in cuts:
            found["cuts"][name_of(network.graph)] = self.judge(network)
        began = time.monotonic()
        teacher = self.recalibrated(large.arrays(), self.space.graph)  # not the one that is trained further
        for network in cuts if tune else ():
            teach = Distillation(teacher, network.graph.image.height)
            tuned = self.learn(self.trainer(network, 1, teach, TUNE_RATE), RESOLUTIONS[-1])
            found["tuned"][name_of(network.graph)] = self.judge(self.recalibrated(tuned.arrays(), network.graph))
        return found | {"tuning_seconds": time.monotonic() - began}

    def recalibrated(self, arrays: Any, graph: Graph) -> Network:
        """The cut with statistics of its own; `arrays` are the largest network's or its own."""
        whole = self.space.graph
        if arrays["classifier.weight"].shape != graph["classifier"].parameters()[0].shape:
            arrays = cut(arrays, whole, graph, leading_indices(whole, graph))
        network = build(graph)
        network.load_arrays(drain(recalibrate(graph, arrays, self.pictures.at("train", graph.image.height))))
        return network

    def time_epochs(self, other: "Setting") -> dict[str, list[float]]:
        """Seconds of the blocks of one epoch of each size alone, and of the other setting's elastic network; they take turns."""
        contestants = {name_of(graph): (self, self.trainer(build(graph), 99), graph) for graph in self.space.graphs}
        sandwich = Sandwich(other.space, other.seed)
        contestants["elastic"] = other, other.trainer(build(other.space.graph), 99, sandwich), other.space.graph
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for block in range(BLOCKS):
            for name, (setting, trainer, graph) in contestants.items():
                first, last = (number * setting.steps // BLOCKS for number in (block, block + 1))
                batches = setting.batches(graph.image.height, 0, first)
                began = time.monotonic()
                for _, (images, labels) in zip(range(last - first), batches, strict=False):
                    trainer.train_step(images, labels, 0.01)
                    trainer.done += 1
                seconds[name].append(time.monotonic() - began)
        return seconds


def name_of(graph: Graph) -> str:
    """Width and resolution, as papers write them."""
    return f"{graph.source.width:g}-{graph.source.resolution}"


def hits(cell: dict[str, Any]) -> np.ndarray:
    """Which images were right."""
    return np.unpackbits(np.frombuffer(base64.b64decode(cell["right"]), np.uint8))


def summary(cells: dict[str, Any], share: float) -> dict[str, Any]:
    """Times as shares, and the paired differences in points, with standard errors over images.

    `share`: epochs of the elastic training over those of the others.
    """
    said: dict[str, Any] = {}
    for short, _, _ in FAMILIES.values():
        if f"{short} epochs" in cells:
            blocks = {name: np.array(seconds) for name, seconds in cells[f"{short} epochs"].items()}
            whole = blocks.pop("elastic")
            ratios = share * whole / np.sum(list(blocks.values()), axis=0)
            said[f"{short} elastic time / sum of singles"] = round(
                share * float(whole.sum()) / float(sum(map(np.sum, blocks.values()))), 3
            )
            said[f"{short} the same, quartiles over blocks"] = [
                round(float(q), 3) for q in np.quantile(ratios, (0.25, 0.75))
            ]
            runs = [cell for key, cell in cells.items() if key.startswith(f"{short} elastic") and cell["tuned"]]
            more = [(run["tuning_seconds"] + run["statistics_seconds"]) / run["training_seconds"] for run in runs]
            if more:
                said[f"{short} the same, with statistics and fine-tunes of all"] = round(
                    said[f"{short} elastic time / sum of singles"] * (1 + float(np.mean(more))), 3
                )
        for kind in ("cuts", "tuned"):
            points: dict[str, list[np.ndarray]] = {}
            for key, cell in cells.items():
                family, what, size, seed = (*key.split(), "", "")[:4]
                large = cells.get(f"{short} elastic {seed}", {kind: {}})[kind]
                if family == short and what == "alone" and size in large:
                    points.setdefault(size, []).append(hits(large[size]).astype(float) - hits(cell))
            if points:
                each = {size: np.mean(found, axis=0) for size, found in points.items()}
                means = {size: round(100 * float(d.mean()), 2) for size, d in each.items()}
                errors = {size: round(100 * float(d.std() / len(d) ** 0.5), 2) for size, d in each.items()}
                said[f"{short} {kind} - alone, points"] = {
                    "mean": round(float(np.mean(list(means.values()))), 2),
                    **means,
                }
                said[f"{short} {kind} - alone, standard errors"] = errors
    return said


def merge(files: list[Path], suffix: str) -> None:
    """Write one result of those that several processes made, with the same options."""
    contents = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    same = {json.dumps([*(content[name] for name in SAME), settings(content["options"])]) for content in contents}
    keys = [key for content in contents for key in content["cells"]]
    if len(same) > 1 or len(set(keys)) < len(keys):
        sys.exit("These files do not belong together: options, commits or devices differ, or a cell is in two of them.")
    cells = {name: cell for content in contents for name, cell in content["cells"].items()}
    options = contents[0]["options"]
    said = summary(cells, int(options["elastic_epochs"]) / int(options["epochs"]))
    result = contents[0] | {"cells": cells, "options": settings(options), "summary": said, "is_finished": True}
    write(RESULTS / file_name(result["question"], result["date"], suffix), result)
    print(json.dumps(said, indent=1))


def settings(options: dict[str, str]) -> dict[str, str]:
    """Return the options that results depend on, not those that say which cells are run."""
    names = ("judge", "epochs", "elastic_epochs", "random", "labels", "weight", "lr", "batch_size")
    return {name: options[name] for name in names}


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judge", default="test", choices=("test", "validation"))
    parser.add_argument("--families", default="mobilenet_v1,mobilenet_v2")
    parser.add_argument("--seeds", type=int, nargs="+", help="some of them")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--random", type=int, default=train.RANDOM)
    parser.add_argument("--labels", type=float, default=train.LABELS)
    parser.add_argument("--weight", type=float, default=train.WEIGHT)
    parser.add_argument("--lr", type=float, default=find_recipe("modern").lr, help="of the elastic training")
    parser.add_argument(
        "--batch-size", type=int, default=find_recipe("modern").elastic_batch_size, help="of the elastic training"
    )
    parser.add_argument("--elastic-epochs", type=int, help="of the elastic training; as many as the others have")
    parser.add_argument("--no-tune", action="store_true")
    parser.add_argument("--no-alone", action="store_true")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--only-times", action="store_true")
    parser.add_argument("--suffix", default="")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--merge", type=Path, nargs="+", help="result files of one commit; nothing is run")
    asked = parser.parse_args()
    if asked.merge:
        merge(asked.merge, asked.suffix)
        return
    asked.elastic_epochs = asked.elastic_epochs or asked.epochs
    share = asked.elastic_epochs / asked.epochs
    keep_memory()
    train.RANDOM, train.LABELS, train.WEIGHT = asked.random, asked.labels, asked.weight
    pictures = Pictures(asked.judge)
    print_estimate(10 if asked.only_times else 12 * asked.epochs)
    results = Results("elastic_vs_individual", ("torch",), asked.suffix, *([asked.folder] if asked.folder else []))
    if results.is_finished:
        return
    results.content |= {"options": {name: str(value) for name, value in vars(asked).items()}}
    results.content |= {"threads": torch.get_num_threads()}
    for family in asked.families.split(","):
        short, seeds, sizes = FAMILIES[family]
        setting = partial(Setting, family, epochs=asked.epochs, pictures=pictures)
        changes = {"lr": asked.lr, "batch_size": asked.batch_size, "epochs": asked.elastic_epochs}
        if not asked.no_times:
            results.cell(f"{short} epochs", partial(setting(0).time_epochs, setting(0, **changes)))
        for seed in () if asked.only_times else [seed for seed in seeds if seed in (asked.seeds or seeds)]:
            results.cell(f"{short} elastic {seed}", partial(setting(seed, **changes).elastic, not asked.no_tune))
            for width, side in () if asked.no_alone else sizes:
                results.cell(f"{short} alone {width:g}-{side} {seed}", partial(setting(seed).alone, width, side))
            print(summary(results.content["cells"], share), flush=True)
    results.finish(summary(results.content["cells"], share))


if __name__ == "__main__":
    main()
