from dataclasses import replace

import numpy as np
import pytest
import torch

from graphs import network, random_images, residual, small
from pocketvision.model.graph import Conv
from pocketvision.model.network import build
from pocketvision.train.loop import Trainer, set_training
from pocketvision.train.optimizer import AveragedWeights, make_optimizer
from pocketvision.train.recipe import RECIPES

RECIPE = replace(RECIPES["modern"], weight_decay=0.01, depthwise_decay=0.002, lr=0.3, momentum=0.8)


def expected_decay(parameter):
    """By shape alone: vectors none, filters of one input channel (the image has three) little, all else full."""
    if parameter.ndim == 1:
        return 0.0
    return 0.002 if parameter.ndim == 4 and parameter.shape[1] == 1 else 0.01


def test_every_parameter_is_there_once_and_decay_goes_on_weights_only(family):
    net = network(small(family))
    optimizer = make_optimizer(net, RECIPE)
    given = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(given) == sorted(id(p) for p in net.parameters()), "each parameter once"
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {name: decays[id(p)] for name, p in net.named_parameters()} == {
        name: expected_decay(p) for name, p in net.named_parameters()
    }
    has_depthwise = any(isinstance(op, Conv) and op.is_depthwise for op in net.graph.ops)
    kinds = {0.0, 0.002, 0.01} if has_depthwise else {0.0, 0.01}
    assert set(decays.values()) == kinds


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("sgd", torch.optim.SGD, {"lr": 0.3, "momentum": 0.8, "nesterov": True}),
        ("adamw", torch.optim.AdamW, {"lr": 0.3, "betas": (0.8, 0.999)}),
        ("rmsprop", torch.optim.RMSprop, {"lr": 0.3, "momentum": 0.8, "alpha": 0.9}),
    ],
)
def test_the_recipe_says_which_optimizer(name, kind, settings):
    optimizer = make_optimizer(network(residual(4)), replace(RECIPE, optimizer=name))
    assert isinstance(optimizer, kind)
    for group in optimizer.param_groups:
        assert {key: group[key] for key in settings} == settings


@torch.no_grad()
def wander(net, generator):
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            tensor += torch.randn(tensor.shape, generator=generator)
        else:
            assert name.endswith("num_batches_tracked")
            tensor += 1


def test_averaged_weights_follow_the_formula():
    net, generator = network(residual(4)), torch.Generator().manual_seed(0)
    average = AveragedWeights(net, 0.8)
    expected = {name: array.astype(np.float64) for name, array in net.arrays().items()}
    for t in range(1, 60):
        wander(net, generator)
        average.update()
        decay = min(0.8, (1 + t) / (10 + t))  # 0.8 from t = 35 on
        expected = {name: decay * old + (1 - decay) * net.arrays()[name] for name, old in expected.items()}
    found = average.network.arrays()
    assert any(name.endswith("running_var") for name in found)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)
    assert not any(p.requires_grad for p in average.network.parameters())
    assert all(p.requires_grad for p in net.parameters())


def test_no_average_keeps_the_network_itself():
    net = network(residual(4))
    average = AveragedWeights(net, None)
    average.update()
    assert average.network is net
    assert all(p.requires_grad for p in net.parameters())


def test_the_trunk_has_its_share_of_the_rate_and_statistics_may_stay():
    recipe = RECIPES["finetune"]
    net = build(small("mobilenet_v2"))
    trainer = Trainer(net, recipe, epochs=1, steps=1)
    shares = {group["share"]: sum(p.numel() for p in group["params"]) for group in trainer.optimizer.param_groups}
    assert set(shares) == {1.0, recipe.trunk}
    set_training(net, recipe)
    before = net.arrays()
    trainer.train_step(random_images(net.graph, n=4), torch.tensor([0, 1, 2, 3]), lr=0.01)
    assert [group["lr"] for group in trainer.optimizer.param_groups] == [
        0.01 * group["share"] for group in trainer.optimizer.param_groups
    ]
    after = net.arrays()
    for parameter in net.graph.parameters():
        is_same = np.array_equal(before[parameter.name], after[parameter.name])
        assert is_same == (not parameter.is_trained), parameter.name
