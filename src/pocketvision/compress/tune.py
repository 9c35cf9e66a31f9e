"""Quantization-aware fine-tuning: an int8 network learns to answer as the fp32 network does."""

from dataclasses import replace
from functools import partial
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.geometry import Augmentation
from pocketvision.data.pixels import Pixels, steps_per_epoch
from pocketvision.elastic.train import Distillation
from pocketvision.events import Epoch, Progress, Step, Work
from pocketvision.model.graph import Graph
from pocketvision.model.network import build
from pocketvision.model.rewrite import Arrays
from pocketvision.train.batches import training_batches
from pocketvision.train.loop import Trainer
from pocketvision.train.recipe import find_recipe

STEPS = 500
RECIPE = replace(find_recipe("finetune"), lr=1e-4, trunk=1.0, weight_decay=0.0, label_smoothing=0.0, most_epochs=None)
# Pixels; up to this size images are shifted, larger ones are cropped; never mirrored, as letters must not be
SMALL = 64
SHIFTED = Augmentation(flip=False, shift=0.04)
CROPPED = Augmentation(flip=False, shift=0.0, scale=0.5)


def tune(
    graph: Graph, arrays: Arrays, plain: Graph, weights: Arrays, train: Pixels, seed: int = 0
) -> Work[dict[str, NDArray[np.float32]]]:
    """Return the parameters of an int8 network after fine-tuning; scales and zero points do not change.

    Gradients pass roundings unchanged, and the answers of the fp32 network are the only targets.

    Args:
        graph: the int8 graph.
        arrays: its parameters, scales among them.
        plain: the fp32 graph.
        weights: its parameters.
        train: training images.
        seed: of order, augmentation and dropout.

    Source: straight-through gradients: Jacob et al. 2017, arXiv:1712.05877, section 3; distillation from the fp32 network:
    Mishra and Marr 2017, arXiv:1711.05852, scheme B.
    """
    torch.manual_seed(seed)
    network, teacher = build(graph), build(plain)
    network.load_arrays(arrays)
    teacher.load_arrays(weights)
    per_epoch = steps_per_epoch(len(train), RECIPE.batch_size)
    objective = Distillation(teacher, graph.image.height, share=0.0)
    trainer = Trainer(network, RECIPE, ceil(STEPS / per_epoch), per_epoch, objective=objective)
    trainer.total = trainer.planned = STEPS
    changes = SHIFTED if graph.image.height <= SMALL else CROPPED
    for event in trainer.run(partial(training_batches, train, RECIPE.batch_size, changes, seed)):
        if isinstance(event, Step):
            yield Progress("fine-tuning int8", trainer.done, trainer.total)
        elif not isinstance(event, Epoch):
            yield event
    return trainer.average.network.arrays()
