"""How fast a network trains here: measured before the plan is made."""

import math
import time

import numpy as np
import torch

from pocketvision.errors import BadOption
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.train.batches import to_tensor
from pocketvision.train.loop import Objective, Trainer, set_training
from pocketvision.train.recipe import Recipe

FASTER = 1.1  # bfloat16 must be this much faster to be taken: less is noise
TOO_SLOW = 3.0  # a bfloat16 step this much slower is emulated; no more are measured


def measure_step_seconds(
    graph: Graph,
    recipe: Recipe,
    device: torch.device,
    images: int,
    precision: str = "float32",
    repeats: int = 5,
    cap: float = math.inf,
    objective: Objective | None = None,
    resolution: int | None = None,
) -> float:
    """Return the time of one optimizer step of the recipe's batch size, in seconds: the second shortest of those timed.

    What else the machine does for a moment only ever makes a step longer; a plan made of the median would be too small. Where
    steps are not alike, as with an objective that draws, it is the mean.

    Args:
        graph: the network to train.
        recipe: gives batch size and optimizer.
        device: where.
        images: how many are in a timed step; its time is scaled up to the recipe's batch.
        precision: "float32" or "bfloat16".
        repeats: timed steps, after two that are not.
        cap: no more steps are timed after one that takes longer than this.
        objective: what is learnt in a step; None: the labels.
        resolution: of the images, where the objective makes them smaller; None: the network's.
    """
    network = build(graph).to(device)
    trainer = Trainer(network, recipe, epochs=1, steps=repeats, precision=precision, objective=objective)
    set_training(network, recipe)
    rng = np.random.default_rng(0)
    side = resolution or graph.image.height
    batch = to_tensor(rng.integers(0, 256, (images, side, side, graph.image.channels), np.uint8))
    labels = torch.from_numpy(rng.integers(0, network.classes, images))
    seconds: list[float] = []
    while len(seconds) < repeats + 2 and not (seconds and seconds[-1] > cap):
        began = time.perf_counter()
        trainer.train_step(batch, labels, lr=0.0)
        trainer.done += 1
        seconds.append((time.perf_counter() - began) * recipe.batch_size / images)
    timed = seconds[2:] or seconds
    return sorted(timed)[:2][-1] if objective is None else sum(timed) / len(timed)


def choose_precision(
    graph: Graph,
    recipe: Recipe,
    device: torch.device,
    images: int,
    float32_seconds: float,
    objective: Objective | None = None,
) -> tuple[str, float]:
    """Return "bfloat16" where it is measurably faster, else "float32"; and the seconds of one step."""
    seconds = measure_step_seconds(
        graph, recipe, device, images, "bfloat16", cap=TOO_SLOW * float32_seconds, objective=objective
    )
    if seconds * FASTER < float32_seconds:
        return "bfloat16", seconds
    return "float32", float32_seconds


def find_device(accelerator: str) -> torch.device:
    """Return the device to train on; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        BadOption: the machine has no such device.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if accelerator == "auto":
        return torch.device(next(name for name, is_there in present.items() if is_there))
    if not present[accelerator]:
        there = ", ".join(name for name, is_there in present.items() if is_there)
        raise BadOption(
            f"accelerator {accelerator!r} is not there, as torch {torch.__version__} says; there is: {there}.",
            "--accelerator auto",
        )
    return torch.device(accelerator)
