"""How long things take, and what is kept of a job's time for what comes after training."""

import time

import numpy as np
import torch

from pocketvision.cost.count import count
from pocketvision.data.dataset import Dataset
from pocketvision.data.split import Split
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.train.evaluate import compute_logits
from pocketvision.train.recipe import Recipe
from pocketvision.train.statistics import evenly

CHECKED_EACH_EPOCH = 2000  # validation images; all of them at the end
PROBE_SECONDS = 20.0  # for timing candidates, or all cuts, on the device: at most
PROBE_SHARE = 0.05  # of the time there is, for that: at most
FINISH_SECONDS = 10.0  # goldens, parity, measuring, writing and verifying the file
SLACK = 1.03  # a step among others takes a little longer than a step measured alone
FORWARD_SHARE = 0.4  # of a training step's time, for images that are only looked at
FULL_PRECISION = 2.0  # times as long as in bfloat16, about: networks are judged in float32
LOOKS_BACK = 5  # at the validation images after fine-tuning: see jobs/training/interpolate.py
LOOKS_AT_ENDS = 2  # where batch-norm statistics moved
TIMED_MACS = 2_000_000_000  # forward multiply-adds in a timed step
DECODED_FOR_TIMING = 32  # images
TIMED_LOOKS = 64  # images


def probe_seconds(minutes: float | None) -> float:
    """Return how long networks are timed on the device; `minutes`: that the job may take, None where nothing limits it."""
    return PROBE_SECONDS if minutes is None else min(PROBE_SECONDS, PROBE_SHARE * 60 * minutes)


def timed_images(graph: Graph, recipe: Recipe) -> int:
    """Return how many images a timed step has: fewer of a large network, so that measuring stays short."""
    return max(8, min(recipe.batch_size, TIMED_MACS // count(graph).macs))


def look_seconds(graph: Graph, recipe: Recipe, device: torch.device, precision: str, step_seconds: float) -> float:
    """Return how long one image that is only looked at takes; networks are judged on the CPU, wherever they are trained.

    Args:
        graph: the network.
        recipe: of the training.
        device: where it is trained.
        precision: "float32" or "bfloat16", in which it is trained.
        step_seconds: of one optimizer step of the network alone.
    """
    if device.type != "cpu":
        return _measure_look(graph)
    slower = FULL_PRECISION if precision == "bfloat16" else 1.0
    return slower * FORWARD_SHARE * step_seconds / recipe.batch_size


def looks_back(recipe: Recipe, has_start: bool) -> int:
    """Return how many looks at the validation images decide how far a training that started from weights is followed."""
    if not has_start:
        return 0
    return LOOKS_BACK if recipe.batch_norm_momentum is None else LOOKS_AT_ENDS


def _measure_look(graph: Graph) -> float:
    network, shape = build(graph), (TIMED_LOOKS, graph.image.height, graph.image.width, graph.image.channels)
    seconds = []
    for _ in range(3):  # the first is slower
        began = time.perf_counter()
        compute_logits(network, np.zeros(shape, np.uint8))
        seconds.append((time.perf_counter() - began) / TIMED_LOOKS)
    return min(seconds)


def finish_seconds(parts: Split, look: float, looks: int) -> float:
    """Return how long the end takes: so many looks at the validation images, one at the test images, and the file."""
    return FINISH_SECONDS + look * (looks * len(parts.validation) + len(parts.test))


def decode_seconds(dataset: Dataset, graph: Graph) -> float:
    """Estimate how long decoding all images once will take, from a few of them."""
    some = evenly(len(dataset), DECODED_FOR_TIMING)
    began = time.perf_counter()
    load_images([dataset.image(int(i)) for i in some], graph.image.height, graph.image.channels, FROM_SCRATCH)
    return (time.perf_counter() - began) / len(some) * len(dataset) / max(1, torch.get_num_threads())
