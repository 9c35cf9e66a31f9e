import pytest
import torch

from graphs import random_images, small
from pocketvision.errors import BadOption
from pocketvision.model.network import build
from pocketvision.train.loop import Trainer
from pocketvision.train.recipe import RECIPES, find_recipe
from refusals import refused


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains(name):
    recipe = find_recipe(name)
    assert recipe.name == name and recipe.source
    graph = small("mobilenet_v1")
    network = build(graph)
    before = network.arrays()
    trainer = Trainer(network.train(), recipe, epochs=1, steps=2)
    images, labels = random_images(graph, n=4), torch.arange(4)
    losses = [trainer.train_step(images, labels, recipe.lr) for _ in range(2)]
    after = network.arrays()
    assert all(0 < loss < 20 for loss in losses)
    assert not [p.name for p in graph.parameters() if (before[p.name] == after[p.name]).all()]


def test_an_unknown_recipe():
    with refused(BadOption, "'modem'", *RECIPES, attempt="--recipe modern"):
        find_recipe("modem")
