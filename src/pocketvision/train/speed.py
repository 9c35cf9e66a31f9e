"""How fast a network trains here: measured before the plan is made."""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from pocketvision.errors import BadOption
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.run.device import count_cores
from pocketvision.train.batches import to_tensor
from pocketvision.train.loop import Objective, Trainer, set_training
from pocketvision.train.recipe import Recipe

# bfloat16 must be this much faster to be taken: less is noise.
FASTER = 1.1
# A bfloat16 step this much slower is emulated; no more are timed.
TOO_SLOW = 3.0


@dataclass(frozen=True, eq=False)
class Workload:
    """A training whose steps are timed.

    Attributes:
        graph: the network to train.
        recipe: gives batch size and optimizer.
        device: where.
        images: how many are in a timed step; its time is scaled up to the recipe's batch.
        objective: what is learnt in a step; None: the labels.
        resolution: of the images, where the objective makes them smaller; None: the network's.
    """

    graph: Graph
    recipe: Recipe
    device: torch.device
    images: int
    objective: Objective | None = None
    resolution: int | None = None

    def step_seconds(self, precision: str = "float32", repeats: int = 5, cap: float = math.inf) -> float:
        """Return the time of one optimizer step of the recipe's batch size, in seconds: the second shortest of those timed.

        What else the machine does for a moment only ever makes a step longer; a plan made of the median would be too small. Where
        steps are not alike, as with an objective that samples sub-networks, it is the mean.

        Args:
            precision: "float32" or "bfloat16".
            repeats: timed steps, after two that are not.
            cap: no more steps are timed after one that takes longer than this.
        """
        network = build(self.graph).to(self.device)
        trainer = Trainer(network, self.recipe, 1, repeats, precision=precision, objective=self.objective)
        set_training(network, self.recipe)
        rng = np.random.default_rng(0)
        side = self.resolution or self.graph.image.height
        batch = to_tensor(rng.integers(0, 256, (self.images, side, side, self.graph.image.channels), np.uint8))
        labels = torch.from_numpy(rng.integers(0, network.classes, self.images))
        seconds: list[float] = []
        while len(seconds) < repeats + 2 and not (seconds and seconds[-1] > cap):
            began = time.perf_counter()
            trainer.train_step(batch, labels, lr=0.0)
            trainer.done += 1
            seconds.append((time.perf_counter() - began) * self.recipe.batch_size / self.images)
        timed = seconds[2:] or seconds
        return sorted(timed)[:2][-1] if self.objective is None else sum(timed) / len(timed)

    def choose_precision(self, float32_seconds: float) -> tuple[str, float]:
        """Return "bfloat16" where it is measurably faster, else "float32"; and the seconds of one step."""
        seconds = self.step_seconds("bfloat16", cap=TOO_SLOW * float32_seconds)
        return ("bfloat16", seconds) if seconds * FASTER < float32_seconds else ("float32", float32_seconds)


def find_device(accelerator: str) -> torch.device:
    """Return the device to train on; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Torch counts the cores of the machine; from here on it takes no more threads than this process may keep busy.

    Raises:
        BadOption: the machine has no such device.
    """
    if torch.get_num_threads() > count_cores():
        torch.set_num_threads(count_cores())
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
