"""The promise: what `count` says is what the torch network has and does, op by op."""

import pytest
import torch
from torch import nn

from graphs import CUTS, FEW, HAND_MADE, network, random_images, small
from pocketvision.cost.count import count
from pocketvision.model.network import Network


def macs_seen_by_hooks(graph):
    """Multiply-adds by op name, from the tensors that pass through torch's own modules."""
    net, seen = network(graph), {}

    def hook(name):
        def note(module, inputs, output):
            each = module.weight[0].numel()  # what one output is summed from
            seen[name.removesuffix(".conv")] = each * output[0].numel()

        return note

    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(hook(name))
    with torch.no_grad():
        net(random_images(graph, n=2))
    return seen


def check_macs(graph):
    assert {op.name: op.macs for op in count(graph).ops if op.macs} == macs_seen_by_hooks(graph)


@pytest.mark.parametrize(
    "options", [{}, {"resolution": 33, "in_channels": 1, "output_stride": 8, "dilate": True}], ids=str
)
def test_macs_of_each_op_are_those_that_run(family, options):
    check_macs(small(family, **options))


@pytest.mark.parametrize("family", FEW)
def test_macs_at_another_width(family):
    check_macs(small(family, width=0.5, resolution=33))


@pytest.mark.parametrize("name", HAND_MADE)
def test_macs_of_hand_made_graphs_are_those_that_run(name):
    for graph in CUTS[name]():
        check_macs(graph)


def test_params_of_each_op_are_those_that_torch_trains(family):
    graph = small(family, 0.4)
    trained = {name: p.numel() for name, p in Network(graph, seed=None).named_parameters()}
    cost = count(graph)
    assert cost.params == sum(trained.values())
    for op in graph.ops:
        mine = {p.name for p in op.parameters() if p.is_trained}
        assert next(c.params for c in cost.ops if c.name == op.name) == sum(trained.pop(name) for name in mine)
    assert trained == {}
