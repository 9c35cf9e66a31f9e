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
from pocketvision.elastic.slice import SubNetwork
from pocketvision.elastic.space import ElasticSpace
from pocketvision.elastic.train import Distillation, ElasticOptions, Sandwich, distance, relative_cost, resized
from pocketvision.errors import BadOption
from pocketvision.model.network import build
from pocketvision.train.loop import Trainer
from pocketvision.train.recipe import RECIPES
from refusals import refused

RECIPE = replace(RECIPES["modern"], batch_size=8, lr=0.05)
SPACE = ElasticSpace.below(small("mobilenet_v1", 0.5, 32), (0.25, 0.375), (16, 24))
IMAGES = random_images(SPACE.graph, n=8)
LABELS = torch.arange(8) % 10


def trainer(objective=None, steps=4, **options):
    return Trainer(build(SPACE.graph, seed=1), RECIPE, 1, steps, objective=objective, **options)


def gradients(job):
    return {name: parameter.grad.clone() for name, parameter in job.network.named_parameters()}


def test_the_draw_depends_on_seed_and_step_alone():
    one, same, other = (Sandwich(SPACE, ElasticOptions(random=2), seed) for seed in (0, 0, 1))
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
def test_few_sizes(widths, sides, random, sizes):
    space = ElasticSpace.below(SPACE.graph, widths, sides)
    sandwich = Sandwich(space, ElasticOptions(random=random), 0)
    assert sorted({size for step in range(50) for size in sandwich.draw(step)}) == sizes


def test_what_a_step_costs():
    """Widths 0.25, 0.375 and 0.5, three resolutions: the narrowest and two that differ, of three, in each step."""
    macs = {(w, r): count(SPACE.cut(w, r)).macs for w in SPACE.widths for r in SPACE.resolutions}
    sandwich = Sandwich(SPACE, ElasticOptions(random=2), seed=0)
    drawn = [sum(macs[size] for size in sandwich.draw(step)) for step in range(600)]
    assert relative_cost(SPACE, ElasticOptions(random=2)) == pytest.approx(1 + np.mean(drawn) / macs[0.5, 32], rel=0.03)
    alone = ElasticSpace.below(SPACE.graph, (), ())
    assert relative_cost(alone, ElasticOptions(random=2)) == 1


@pytest.mark.parametrize("labels", [(1.0, 1.0), (0.0, 0.0), (0.3, 0.3)])
def test_the_gradients_of_all_networks_are_added(labels):
    job = trainer(Sandwich(SPACE, ElasticOptions(random=1, labels=labels, temperature=2.0), seed=3))
    job.network.train()
    value = job.objective(job, IMAGES, LABELS)
    found = gradients(job)

    other = trainer()
    other.network.train()
    logits = other.network(IMAGES)
    whole = other.loss(logits, LABELS)
    assert value == pytest.approx(whole.item())
    answers = F.softmax(logits.detach() / 2, 1)
    for width, side in Sandwich(SPACE, ElasticOptions(random=1), seed=3).draw(0):
        cut = SubNetwork(SPACE.graph, SPACE.cut(width, side))(other.network, resized(IMAGES, side))
        entropy = F.cross_entropy(cut / 2, answers) * 4
        whole = whole + labels[0] * other.loss(cut, LABELS) + (1 - labels[0]) * entropy
    whole.backward()
    for name, gradient in gradients(other).items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5)


def test_the_labels_share_moves_with_the_training():
    """At the end of training, with labels alone at the beginning, the answers alone count."""
    moving, fixed = (
        trainer(Sandwich(SPACE, ElasticOptions(labels=labels), seed=0)) for labels in ((1.0, 0.0), (0.25, 0.25))
    )
    for job in (moving, fixed):
        job.progress = 0.75
        job.network.train()
        job.objective(job, IMAGES, LABELS)
    for name, gradient in gradients(moving).items():
        torch.testing.assert_close(gradient, gradients(fixed)[name])


def test_only_the_largest_network_keeps_statistics():
    sandwich, alone = trainer(Sandwich(SPACE, ElasticOptions(), seed=0)), trainer()
    for job in (sandwich, alone):
        job.network.train()
        job.objective(job, IMAGES, LABELS)
    for name, buffer in alone.network.named_buffers():
        assert torch.equal(dict(sandwich.network.named_buffers())[name], buffer), name


def test_what_is_no_number_in_one_network_is_no_number():
    job = trainer(Sandwich(SPACE, ElasticOptions(), seed=0))
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

    def validate(_):
        yield from ()
        return 0.0, 0.0

    whole, first, second = (trainer(Sandwich(SPACE, ElasticOptions(), seed=5), steps=6) for _ in range(3))
    list(whole.run(batches, validate))
    for _ in first.run(batches, validate):
        if first.done == 3:
            break
    second.restore(first.snapshot())
    list(second.run(batches, validate))
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], tensor), name


def test_the_distance_is_smallest_where_logits_agree():
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    answers = F.softmax(logits / 3, 1)
    least = distance(logits, answers, 3.0)
    assert least.item() == pytest.approx(9 * -(answers * answers.log()).sum(1).mean().item(), rel=1e-5)
    assert distance(logits + torch.randn(5, 4), answers, 3.0) > least


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


@pytest.mark.parametrize(
    ("options", "named"),
    [({"random": -1}, "got -1"), ({"labels": (0.5, 1.5)}, "got (0.5, 1.5)"), ({"temperature": 0.0}, "got 0")],
)
def test_options_out_of_range(options, named):
    with refused(BadOption, named):
        ElasticOptions(**options)
