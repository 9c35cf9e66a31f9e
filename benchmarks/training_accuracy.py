"""Does fast training on a CPU cost accuracy: the C kernels and bfloat16 against plain float32 torch?

    python benchmarks/training_accuracy.py        # about 20 minutes; run again, it skips what is done

Fashion-MNIST at 32 pixels: 20,000 training images, 4 epochs of the default recipe, 3 seeds a way, judged on the 10,000 test
images. Ways are compared seed by seed and image by image: the standard error of a difference is the larger of that over seeds
and that over images.
"""

import argparse
import base64
import statistics
import time
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import torch
from elastic_vs_individual import Pictures, hits
from measure import Results, paired, print_estimate

from pocketvision.data.pixels import steps_per_epoch
from pocketvision.jobs.plan.recipe import chosen_augmentation
from pocketvision.model.kernels import library
from pocketvision.model.network import build
from pocketvision.model.resolve import resolve
from pocketvision.train.batches import training_batches
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.loop import Trainer
from pocketvision.train.memory import keep_memory
from pocketvision.train.recipe import find_recipe

NETWORKS = {"V1": "mobilenet_v1", "V2": "mobilenet_v2", "V3-large": "mobilenet_v3_large"}
WIDTH, SIDE = 0.5, 32
EPOCHS, SEEDS = 4, (0, 1, 2)
PLAIN = "plain float32"
WAYS = {PLAIN: (False, "float32"), "kernels, float32": (True, "float32"), "kernels, bfloat16": (True, "bfloat16")}
PACKAGES = ("numpy", "torch")


def train(pictures: Pictures, name: str, way: str, seed: int) -> dict[str, Any]:
    """Train one network, and judge its averaged weights in float32."""
    has_kernels, precision = WAYS[way]
    recipe, images = find_recipe("modern"), pictures.at("train", SIDE)
    graph = resolve(NETWORKS[name], WIDTH, SIDE, 10, 1, output_stride=16)
    torch.manual_seed(seed)
    steps = steps_per_epoch(len(pictures.train), recipe.batch_size)
    trainer = Trainer(build(graph, seed), recipe, EPOCHS, steps, precision=precision)
    changes = chosen_augmentation(recipe, graph, EPOCHS)
    batches = partial(training_batches, images, recipe.batch_size, changes, seed)
    began = time.perf_counter()
    with mock.patch.object(library, "kernels", library.kernels if has_kernels else lambda: None):
        for _ in trainer.run(batches):
            pass
    seconds = time.perf_counter() - began
    judged = pictures.at("judged", SIDE)
    right = compute_logits(trainer.average.network, judged).argmax(1) == judged.labels
    packed = base64.b64encode(np.packbits(right)).decode()
    return {"top1": float(right.mean()), "seconds": round(seconds, 1), "right": packed}


def compare(cells: dict[str, dict[str, Any]], name: str, way: str) -> dict[str, Any]:
    """Return the means of a way and of the plain one, and how far apart they are in standard errors."""
    taken = {which: [cells[f"{name}, {which}, seed {seed}"] for seed in SEEDS] for which in (PLAIN, way)}
    means = {which: statistics.fmean(cell["top1"] for cell in found) for which, found in taken.items()}
    seconds = {which: statistics.fmean(cell["seconds"] for cell in found) for which, found in taken.items()}
    difference, error = paired(*([hits(cell) for cell in taken[which]] for which in (way, PLAIN)))
    return {
        "plain": round(means[PLAIN], 4),
        "top1": round(means[way], 4),
        "difference": round(difference, 4),
        "standard_error": round(error, 4),
        "plain_seconds_over_its": round(seconds[PLAIN] / seconds[way], 2),
    }


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    print_estimate(0.7 * len(asked.networks) * len(WAYS) * len(SEEDS))
    results = Results("training_accuracy", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    keep_memory()
    pictures, cells = Pictures("test"), {}
    for seed in SEEDS:
        for name in asked.networks:
            for way in WAYS:
                cell = f"{name}, {way}, seed {seed}"
                cells[cell] = results.cell(cell, partial(train, pictures, name, way, seed))
                print(cell, {what: cells[cell][what] for what in ("top1", "seconds")}, flush=True)
    found = {f"{name}, {way}": compare(cells, name, way) for name in asked.networks for way in WAYS if way != PLAIN}
    results.finish(
        {
            **found,
            "goals": {
                f"{name}: within two standard errors": abs(cell["difference"]) <= 2 * cell["standard_error"]
                for name, cell in found.items()
            },
        }
    )


if __name__ == "__main__":
    main()
