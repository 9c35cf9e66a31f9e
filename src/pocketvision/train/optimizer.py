"""The optimizer and its parameter groups; the averaged weights."""

import copy

import torch
from torch import Tensor, nn

from pocketvision.model.graph import CLASSIFIER, Conv
from pocketvision.model.network import Network
from pocketvision.train.recipe import Recipe


def make_optimizer(network: Network, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer; decay goes on weights only, depthwise filters have their own.

    Each group has a `share`: of the learning rate, 1 for the classifier and the recipe's `trunk` for all before it.
    """
    trained = dict(network.named_parameters())
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for op in network.graph.ops:
        is_depthwise = isinstance(op, Conv) and op.is_depthwise
        share = 1.0 if op.name == CLASSIFIER else recipe.trunk
        for parameter in op.parameters():
            if parameter.is_trained:
                weight_decay = recipe.depthwise_decay if is_depthwise else recipe.weight_decay
                decay = weight_decay if parameter.role == "weight" else 0.0
                groups.setdefault((decay, share), []).append(trained[parameter.name])
    decayed = [{"params": params, "weight_decay": decay, "share": share} for (decay, share), params in groups.items()]
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(decayed, lr=recipe.lr, momentum=recipe.momentum, nesterov=True)
        case "adamw":
            return torch.optim.AdamW(decayed, lr=recipe.lr, betas=(recipe.momentum, 0.999))
        case _:
            return torch.optim.RMSprop(decayed, lr=recipe.lr, alpha=0.9, momentum=recipe.momentum, eps=1e-3)


class AveragedWeights:
    """An exponential moving average of parameters and batch-norm statistics; the network that is kept.

    The decay grows with the number of steps, (1 + t) / (10 + t), up to the recipe's, so that short trainings are not
    dominated by their start. Source: tf.train.ExponentialMovingAverage.

    Args:
        network: whose weights are averaged.
        decay: the largest; None keeps the last weights.
    """

    def __init__(self, network: Network, decay: float | None) -> None:
        self.decay = decay
        self.steps = 0
        self.network = network if decay is None else copy.deepcopy(network).requires_grad_(False)
        self._pairs = [] if decay is None else list(_floats(self.network, network))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network's present weights."""
        if self.decay is None:
            return
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_([mine for mine, _ in self._pairs], [theirs for _, theirs in self._pairs], 1 - decay)


def _floats(average: nn.Module, network: nn.Module) -> list[tuple[Tensor, Tensor]]:
    mine, theirs = average.state_dict(keep_vars=True), network.state_dict(keep_vars=True)
    return [(mine[name].data, theirs[name].data) for name in mine if mine[name].is_floating_point()]
