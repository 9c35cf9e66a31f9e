"""A narrow network inside a wide one: it runs on slices of the wide one's parameters, so that its gradients reach them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from pocketvision.model.graph import Graph
from pocketvision.model.network import Network
from pocketvision.model.rewrite import leading_indices, slices


class SubNetwork:
    """Runs a cut of any network of the wide graph; holds no parameters of its own.

    During training the cut's batch norms normalise by their own batch and keep no statistics: those of the wide network would be
    wrong for it, and do not change. In evaluation mode it uses its slice of the wide network's statistics.

    Source: slimmable networks share filters but not statistics, arXiv:1812.08928, section 3.

    Args:
        wide: graph of the networks that it will be cut from.
        narrow: the same network with fewer channels, at any resolution.

    Raises:
        BadCut: the graphs differ in more than channels.
    """

    def __init__(self, wide: Graph, narrow: Graph) -> None:
        self.graph = narrow
        with torch.device("meta"):
            self._shell = Network(narrow, seed=None)
        found = slices(wide, narrow, leading_indices(wide, narrow))
        self._slices = {name: simplified(index) for name, index in found.items()}

    def __call__(self, network: Network, image: Tensor) -> Tensor:
        """Return the cut's logits.

        Args:
            network: of the wide graph.
            image: (N, C, R, R), uint8 or float, at the cut's resolution.

        Returns:
            (N, classes) float.
        """
        self._shell.train(network.training)
        for module in self._shell.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.track_running_stats = not network.training  # while training: the batch's own
        tensors = dict(network.named_parameters()) | dict(network.named_buffers())
        sliced = {name: tensors[name][index] for name, index in self._slices.items()}
        logits: Tensor = functional_call(self._shell, sliced, (image,))
        return logits


def simplified(index: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an index of arrays as one of slices if it takes leading entries: torch then copies nothing.

    >>> rows, columns = np.arange(2)[:, None], np.array([[0, 1, 2], [0, 1, 2]])
    >>> simplified((rows, columns)), simplified((np.arange(4),))
    ((slice(None, 2, None), slice(None, 3, None)), (slice(None, 4, None),))
    >>> simplified((np.array([3, 1]),))
    (tensor([3, 1]),)
    """
    if len(index) == 1:
        (out,) = index
        return (slice(len(out)),) if _is_leading(out) else (torch.from_numpy(np.asarray(out)),)
    out, into = (np.asarray(part) for part in index)
    if _is_leading(out[:, 0]) and (into == into[0]).all() and _is_leading(into[0]):
        return slice(len(out)), slice(into.shape[1])
    return torch.from_numpy(out), torch.from_numpy(into)


def _is_leading(positions: Any) -> bool:
    return bool(np.array_equal(positions, np.arange(len(positions))))
