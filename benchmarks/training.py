"""How many images a second are trained on a CPU: by `fit`, torchvision's reference loop with its defaults, and tuned peers?

    python benchmarks/training.py                 # about 50 minutes; run again, it skips what is done

The loops read the same JPEG files (photographs of the Debian package gcompris-qt-data) on all cores. Ours decodes before the
first epoch and not after that: epochs are timed from the second on, and the first, with decoding, is stated beside. The reference
loop does what torchvision's references/classification/train.py does by default: Pillow, RandomResizedCrop, mirroring, float32,
batches of 32, SGD. It has two workers, not its sixteen, on a machine of two cores.

Steps alone start from ready arrays: ours; ours without the C kernels; a peer's network on the same batch in eager torch, channels
last in memory and in bfloat16, as a careful user of timm has it (--channels-last --amp --amp-dtype bfloat16); as torch ships it;
and the network of keras.applications under `train_on_batch`, where TensorFlow is installed (`pip install .[train,bench]`).
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from cutouts import read_photographs
from measure import Results, print_estimate
from networks import MEAN, NETWORKS, STD, make_keras
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from pocketvision.data.dataset import Dataset
from pocketvision.data.folders import read_folder
from pocketvision.data.pixels import Pixels, steps_per_epoch
from pocketvision.model.kernels import library
from pocketvision.model.network import build
from pocketvision.model.resolve import resolve
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.train.batches import to_tensor, training_batches
from pocketvision.train.loop import Trainer, set_training
from pocketvision.train.recipe import find_recipe
from pocketvision.train.speed import Workload

NAMES = ("V1 1.0-224", "V2 1.0-224", "V3-large 1.0-224")
SIDES = {224: (500, 375), 32: (48, 36)}  # of the network's input, and of the files
FILES = {224: 512, 32: 4096}
CLASSES = 8
ROUNDS = 3
STEP_ROUNDS = 7
STEPS = 4  # in a turn
REFERENCE_BATCH = 32
WORKERS = 2
PACKAGES = ("keras", "numpy", "pillow", "tensorflow-cpu", "timm", "torch", "torchvision")


def write_photographs(folder: Path, side: int) -> Path:
    """Write a folder of class folders with JPEG files."""
    scenes = list(itertools.islice(read_photographs(), 48))
    rng = np.random.default_rng(0)
    for number in range(FILES[side]):
        scene = scenes[number % len(scenes)]
        left, top = (int(rng.integers(0, length // 8 + 1)) for length in scene.size)
        place = folder / f"class{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        scene.crop((left, top, *scene.size)).resize(SIDES[side]).save(place / f"{number:05}.jpg", quality=90)
    return folder


class Ours:
    """An epoch as `fit` trains it."""

    def __init__(self, dataset: Dataset, name: str, side: int) -> None:
        peers = NETWORKS[name]
        graph = resolve(peers.family, peers.width, side, classes=CLASSES)
        recipe = find_recipe("modern")
        device = torch.device("cpu")
        training = Workload(graph, recipe, device, recipe.batch_size)
        self.precision, _ = training.choose_precision(training.step_seconds())
        self.recipe, network = recipe, build(graph)
        began = time.perf_counter()
        self.pixels = Pixels(dataset, np.arange(len(dataset)), side, 3, FROM_SCRATCH)
        for _ in self.pixels.decode("decoding"):
            pass
        self.decode_seconds = time.perf_counter() - began
        self.trainer = Trainer(
            network, recipe, 10**3, steps_per_epoch(len(dataset), recipe.batch_size), precision=self.precision
        )
        self.augmentation = recipe.small_augmentation if side <= 64 else recipe.augmentation
        self.epoch = 0

    def __call__(self) -> float:
        """Train an epoch; return images a second."""
        set_training(self.trainer.network, self.recipe)
        self.epoch += 1
        began, seen = time.perf_counter(), 0
        for images, labels in training_batches(self.pixels, self.recipe.batch_size, self.augmentation, 0, self.epoch):
            self.trainer.train_step(images, labels, 0.01)
            seen += len(labels)
        return seen / (time.perf_counter() - began)


class Reference:
    """An epoch of torchvision's reference loop."""

    def __init__(self, folder: Path, network: nn.Module, side: int) -> None:
        steps = [transforms.RandomResizedCrop(side), transforms.RandomHorizontalFlip()]
        steps += [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float), transforms.Normalize(MEAN, STD)]
        self.dataset, self.network = ImageFolder(folder, transforms.Compose(steps)), network.train()
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
        self.criterion = nn.CrossEntropyLoss()

    def __call__(self) -> float:
        """Train an epoch; return images a second."""
        loader = DataLoader(self.dataset, REFERENCE_BATCH, shuffle=True, num_workers=WORKERS)
        began, seen = time.perf_counter(), 0
        for images, labels in loader:
            output = self.network(images)
            loss = self.criterion(output, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            output.topk(5, 1)[1].eq(labels[:, None]).sum().item(), loss.item()  # its meters
            seen += len(labels)
        return seen / (time.perf_counter() - began)


def peer_network(name: str) -> nn.Module:
    """Return torchvision's network, or timm's where it has none, with as many classes as there are."""
    peers = NETWORKS[name]
    network = (peers.torchvision or peers.timm)()
    if peers.torchvision is None:
        network.classifier = nn.Linear(network.classifier.in_features, CLASSES)
    else:
        network.classifier[-1] = nn.Linear(network.classifier[-1].in_features, CLASSES)
    return network


def _steps(step: Callable[[], object], images: int) -> float:
    """Return images a second of a few steps in a row."""
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    return STEPS * images / (time.perf_counter() - began)


def _eager(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, is_tuned: bool) -> Callable[[], float]:
    """Return what times a few steps of a peer's network in eager torch."""
    network = network.train()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) * 255 for values in (MEAN, STD))
    ready = (images.float() - mean) / std
    if is_tuned:
        network = network.to(memory_format=torch.channels_last)
        ready = ready.contiguous(memory_format=torch.channels_last)
    else:
        ready = ready.contiguous()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_tuned):
            output = network(ready)
        loss = criterion(output.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return partial(_steps, step, len(labels))


def _without_kernels(step: Callable[[], object]) -> Callable[[], None]:
    """Return a step of ours as it is on a machine without a C compiler."""

    def run() -> None:
        with mock.patch.object(library, "kernels", lambda: None):
            step()

    return run


def _keras(name: str, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], float] | None:
    """Return what times a few steps in Keras; None: it is not installed."""
    side = images.shape[-1]
    network = make_keras(NETWORKS[name], side, CLASSES)
    if network is None:
        return None
    import keras

    network.compile(
        keras.optimizers.SGD(0.01, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    ready = images.permute(0, 2, 3, 1).numpy().astype(np.float32) / 127.5 - 1
    return partial(_steps, partial(network.train_on_batch, ready, labels.numpy()), len(labels))


def in_turn(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, dict[str, float]]:
    """Let all take turns; return the median and the spread of images a second. The first round is not counted."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, contender in contenders.items():
            pace = contender()
            if number:
                found[name].append(pace)
    return {
        name: {
            "images_per_second": round(statistics.median(paces), 2),
            "least": round(min(paces), 2),
            "most": round(max(paces), 2),
        }
        for name, paces in found.items()
    }


def measure_loops(name: str, side: int) -> dict[str, Any]:
    """Time whole epochs from files."""
    with tempfile.TemporaryDirectory() as place:
        folder = write_photographs(Path(place), side)
        ours = Ours(read_folder(folder), name, side)
        reference = Reference(folder, peer_network(name), side)
        paces = in_turn({"ours": ours, "torchvision's loop": reference, "ours, again": ours}, ROUNDS)
    pace = paces["ours"]["images_per_second"]
    return {
        "precision": ours.precision,
        "ours_over_reference": round(pace / paces["torchvision's loop"]["images_per_second"], 3),
        "a_a": round(paces["ours, again"]["images_per_second"] / pace, 3),
        "first_epoch_images_per_second": round(FILES[side] / (ours.decode_seconds + FILES[side] / pace), 2),
        "paces": paces,
    }


def measure_steps(name: str, side: int) -> dict[str, Any]:
    """Time optimizer steps from ready arrays."""
    peers, recipe = NETWORKS[name], find_recipe("modern")
    graph, device = resolve(peers.family, peers.width, side, classes=CLASSES), torch.device("cpu")
    training = Workload(graph, recipe, device, recipe.batch_size)
    precision, _ = training.choose_precision(training.step_seconds())
    rng = np.random.default_rng(0)
    images = to_tensor(rng.integers(0, 256, (recipe.batch_size, side, side, 3), np.uint8))
    labels = torch.from_numpy(rng.integers(0, CLASSES, recipe.batch_size))
    trainer = Trainer(build(graph), recipe, 1, 10**6, precision=precision)
    set_training(trainer.network, recipe)
    step = partial(trainer.train_step, images, labels, 0.01)
    contenders = {
        "ours": partial(_steps, step, len(labels)),
        "ours, without kernels": partial(_steps, _without_kernels(step), len(labels)),
        "eager, channels last, bfloat16": _eager(peer_network(name), images, labels, True),
        "eager, as shipped": _eager(peer_network(name), images, labels, False),
    }
    in_keras = _keras(name, images, labels)
    if in_keras is not None:
        contenders["keras"] = in_keras
    paces = in_turn({**contenders, "ours, again": contenders["ours"]}, STEP_ROUNDS)
    pace = paces["ours"]["images_per_second"]
    return {
        "precision": precision,
        "ours_over_tuned_eager": round(pace / paces["eager, channels last, bfloat16"]["images_per_second"], 3),
        "ours_over_eager": round(pace / paces["eager, as shipped"]["images_per_second"], 3),
        "kernels": round(pace / paces["ours, without kernels"]["images_per_second"], 3),
        "a_a": round(paces["ours, again"]["images_per_second"] / pace, 3),
        "paces": paces,
    }


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=NAMES)
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES))
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    if library.kernels() is None:
        sys.exit(f"ours would be measured without its kernels: {library.find_kernels()[1] or '$CC is empty'}")
    print_estimate(sum({224: 10, 32: 5}[side] for side in asked.sides) * len(asked.networks))
    results = Results("training", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    loops, steps = {}, {}
    for side in asked.sides:
        for name in asked.networks:
            place = f"{name.split()[0]} at {side}"
            steps[place] = results.cell(f"steps, {place}", partial(measure_steps, name, side))
            print(place, {who: pace["images_per_second"] for who, pace in steps[place]["paces"].items()}, flush=True)
            loops[place] = results.cell(f"loops, {place}", partial(measure_loops, name, side))
            print(place, {who: pace["images_per_second"] for who, pace in loops[place]["paces"].items()}, flush=True)
    results.finish(
        {
            "ours_over_torchvisions_loop": {place: cell["ours_over_reference"] for place, cell in loops.items()},
            "ours_over_tuned_eager": {place: cell["ours_over_tuned_eager"] for place, cell in steps.items()},
            "with_kernels_over_without": {place: cell["kernels"] for place, cell in steps.items()},
            "a_a": {place: (loops[place]["a_a"], steps[place]["a_a"]) for place in loops},
            "goals": {
                f"{place}: {least[int(place.split()[-1])]} times torchvision's loop": cell["ours_over_reference"]
                >= least[int(place.split()[-1])]
                for least in ({224: 2.0, 32: 2.5},)
                for place, cell in loops.items()
            }
            | {
                f"{place}: 1.2 times tuned eager torch": cell["ours_over_tuned_eager"] >= 1.2
                for place, cell in steps.items()
            },
        }
    )


if __name__ == "__main__":
    main()
