"""The sandwich rule: who learns in a step, and from what."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from graphs import network, random_images, small
from pocketvision.cost.count import count
from pocketvision.elastic import train
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.elastic.slice import SubNetwork
from pocketvision.elastic.train import Distillation, Sandwich, distance, relative_cost, resized
from pocketvision.model.network import build
from pocketvision.train.loop import Trainer
from pocketvision.train.recipe import RECIPES

RECIPE = replace(RECIPES["modern"], batch_size=8, lr=0.05)
SPACE = ElasticSpace.below(small("mobilenet_v1", 0.5, 32), (0.25, 0.375), (16, 24))
IMAGES = random_images(SPACE.graph, n=8)
LABELS = torch.arange(8) % 10


def trainer(objective=None, steps=4, **options):
    return Trainer(build(SPACE.graph, seed=1), RECIPE, 1, steps, objective=objective, **options)


def gradients(job):
    return {name: parameter.grad.clone() for name, parameter in job.network.named_parameters()}


def test_the_draw_depends_on_seed_and_step_alone():
    one, same, other = (Sandwich(SPACE, seed) for seed in (0, 0, 1))
    drawn = [one.draw(step) for step in range(200)]
    assert drawn == [same.draw(step) for step in reversed(range(200))][::-1]
    assert drawn != [other.draw(step) for step in range(200)]
    assert all(len(step) == 3 and step[0][0] == 0.25 for step in drawn), "the narrowest is always among them"
    sizes = {(w, r) for w in SPACE.widths for r in SPACE.resolutions}
    assert {size for step in drawn for size in step} == sizes - {(0.5, 32)}, "the largest learns anyway"
    assert all({width for width, _ in step} == set(SPACE.widths) for step in drawn), "no width twice in a step"
    twice = sum(len({side for _, side in step}) < 3 for step in drawn)
    assert 0.2 < twice / len(drawn) < 0.45, "a resolution only where the largest network was drawn"


@pytest.mark.parametrize(
    ("widths", "sides", "random", "sizes"),
    [
        ((), (), 2, []),  # the largest alone
        ((), (16,), 2, [(0.5, 16)]),
        ((0.25,), (), 2, [(0.25, 32)]),
        ((0.25,), (16,), 1, [(0.25, 16), (0.25, 32), (0.5, 16)]),
    ],
)
def test_few_sizes(widths, sides, random, sizes, monkeypatch):
    monkeypatch.setattr(train, "RANDOM", random)
    sandwich = Sandwich(ElasticSpace.below(SPACE.graph, widths, sides), 0)
    assert sorted({size for step in range(50) for size in sandwich.draw(step)}) == sizes


def test_what_a_step_costs():
    """Widths 0.25, 0.375 and 0.5, three resolutions: the narrowest and two that differ, of three, in each step."""
    macs = {(w, r): count(SPACE.cut(w, r)).macs for w in SPACE.widths for r in SPACE.resolutions}
    sandwich = Sandwich(SPACE, seed=0)
    drawn = [sum(macs[size] for size in sandwich.draw(step)) for step in range(600)]
    assert relative_cost(SPACE) == pytest.approx(1 + np.mean(drawn) / macs[0.5, 32], rel=0.03)
    alone = ElasticSpace.below(SPACE.graph, (), ())
    assert relative_cost(alone) == 1


@pytest.mark.parametrize("labels", [1.0, 0.0, 0.3])
def test_the_gradients_of_all_networks_are_added(labels, monkeypatch):
    monkeypatch.setattr(train, "RANDOM", 1)
    monkeypatch.setattr(train, "LABELS", labels)
    job = trainer(Sandwich(SPACE, seed=3))
    job.network.train()
    value = job.objective(job, IMAGES, LABELS)
    found = gradients(job)

    other = trainer()
    other.network.train()
    logits = other.network(IMAGES)
    whole = other.loss(logits, LABELS)
    assert value == pytest.approx(whole.item())
    answers = F.softmax(logits.detach(), 1)
    for width, side in Sandwich(SPACE, seed=3).draw(0):
        cut = SubNetwork(SPACE.graph, SPACE.cut(width, side))(other.network, resized(IMAGES, side))
        whole = whole + labels * other.loss(cut, LABELS) + (1 - labels) * F.cross_entropy(cut, answers)
    whole.backward()
    for name, gradient in gradients(other).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)


def test_only_the_largest_network_keeps_statistics():
    sandwich, alone = trainer(Sandwich(SPACE, seed=0)), trainer()
    for job in (sandwich, alone):
        job.network.train()
        job.objective(job, IMAGES, LABELS)
    for name, buffer in alone.network.named_buffers():
        assert torch.equal(dict(sandwich.network.named_buffers())[name], buffer), name


def test_what_is_no_number_in_one_network_is_no_number():
    job = trainer(Sandwich(SPACE, seed=0))
    job.network.train()
    before = copy.deepcopy(job.network.state_dict())
    sandwich = job.objective
    for size in sandwich._networks:
        sandwich._networks[size] = lambda network, images: torch.full((8, 10), torch.nan, requires_grad=True)
    assert not np.isfinite(job.train_step(IMAGES, LABELS, 0.1))
    assert all(torch.equal(tensor, before[name]) for name, tensor in job.network.state_dict().items())


def test_a_stopped_training_goes_on_with_the_same_draws():
    def batches(epoch, first):
        for _ in range(first, 6):
            yield IMAGES, LABELS

    whole, first, second = (trainer(Sandwich(SPACE, seed=5), steps=6) for _ in range(3))
    list(whole.run(batches))
    for _ in first.run(batches):
        if first.done == 3:
            break
    second.restore(first.snapshot())
    list(second.run(batches))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], tensor), name


def test_the_distance_is_smallest_where_logits_agree():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    answers = F.softmax(logits, 1)
    least = distance(logits, answers)
    assert least.item() == pytest.approx(-(answers * answers.log()).sum(1).mean().item(), rel=1e-5)
    assert distance(logits + torch.randn(5, 4), answers) > least


def test_a_cut_learns_from_the_largest_networks_answers():
    teacher, cut = network(SPACE.graph), build(SPACE.cut(0.25, 16), seed=2)
    state = copy.deepcopy(teacher.state_dict())
    job = Trainer(cut, RECIPE, 1, 40, objective=Distillation(teacher, 16, share=0.0))
    cut.train()
    losses = [job.train_step(IMAGES, LABELS, 0.05) for _ in range(40)]
    assert losses[-1] < losses[0]
    assert all(torch.equal(tensor, state[name]) for name, tensor in teacher.state_dict().items())


def test_images_are_made_smaller_as_the_decoder_does():
    small_ones = resized(IMAGES, 16)
    assert small_ones.shape == (8, 3, 16, 16) and small_ones.dtype == torch.uint8
    assert small_ones.is_contiguous(memory_format=torch.channels_last)
    for image, found in zip(IMAGES, small_ones, strict=True):
        pillow = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((16, 16), Image.Resampling.BILINEAR)
        assert (found.permute(1, 2, 0).int() - torch.from_numpy(np.array(pillow)).int()).abs().max() <= 1
    assert resized(IMAGES, 32) is IMAGES
