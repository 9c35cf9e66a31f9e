import numpy as np
import pytest
import torch

from made_up import PREPROCESSING, noise, numbered
from pocketvision.data.geometry import Augmentation, draws, order
from pocketvision.data.pixels import Pixels, Together
from pocketvision.train.augment import augment
from pocketvision.train.batches import to_tensor, training_batches

PLAIN = Augmentation()


def drawn(pixels, batch_size, seed=0, epoch=0, augmentation=PLAIN):
    return list(training_batches(pixels, batch_size, augmentation, seed, epoch))


@pytest.mark.parametrize(("images", "batch_size", "sizes"), [(11, 4, [4, 4]), (12, 4, [4] * 3), (3, 4, [3])])
def test_every_image_at_most_once_and_only_full_batches(images, batch_size, sizes):
    batches = drawn(numbered(images), batch_size)
    assert [len(labels) for _, labels in batches] == sizes
    numbers = torch.cat([batch[:, 0, 0, 0] for batch, _ in batches]).tolist()
    assert len(set(numbers)) == sum(sizes)
    assert torch.cat([labels for _, labels in batches]).tolist() == [number % 3 for number in numbers]
    assert numbers == order(0, 0, images)[: sum(sizes)].tolist()


@pytest.mark.parametrize("first", [0, 1, 4, 5])
def test_an_epoch_can_be_taken_up_where_it_was_left(first):
    shifted = Augmentation(shift=0.3)
    whole = drawn(numbered(21), 4, augmentation=shifted)
    rest = list(training_batches(numbered(21), 4, shifted, 0, 0, first))
    assert len(rest) == 5 - first
    for expected, found in zip(whole[first:], rest, strict=True):
        assert torch.equal(expected[0], found[0]) and torch.equal(expected[1], found[1])


def test_batches_depend_on_seed_and_epoch_alone():
    def numbers(**options):
        return torch.cat([batch[:, 0, 0, 0] for batch, _ in drawn(numbered(200), 10, **options)]).tolist()

    assert numbers(seed=3, epoch=1) == numbers(seed=3, epoch=1)
    assert numbers(seed=3, epoch=1) != numbers(seed=3, epoch=2) != numbers(seed=4, epoch=1)


def test_augmentation_goes_by_the_image_not_by_its_batch():
    data = noise(21)
    pixels = Pixels(data, np.arange(21), 16, 3, PREPROCESSING)
    augmentation = Augmentation(flip=True, shift=0.2, scale=0.5)
    every = augment(pixels[:], draws(5, 6, 21), augmentation)
    for batch_size in (4, 7):
        batches = drawn(pixels, batch_size, 5, 6, augmentation)
        found = torch.cat([images for images, _ in batches]).permute(0, 2, 3, 1).numpy()
        assert np.array_equal(found, every[order(5, 6, 21)[: len(found)]])


def test_batches_are_channels_last_bytes():
    images, labels = drawn(Pixels(noise(8), np.arange(8), 16, 3, PREPROCESSING), 8)[0]
    assert images.shape == (8, 3, 16, 16) and images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert images.is_contiguous(memory_format=torch.channels_last)
    array = np.zeros((2, 4, 4, 3), np.uint8)
    to_tensor(array)[1, 2, 3, 0] = 9
    assert array[1, 3, 0, 2] == 9


def test_an_epoch_may_be_left_early():
    batches = training_batches(numbered(200), 2, PLAIN, 0, 0)
    next(batches)
    batches.close()


def test_batches_of_decoded_images_and_of_two_parts_are_those_of_the_files():
    data = noise(30)
    rows = np.random.default_rng(0).permutation(30)
    whole = Pixels(data, rows, 8, 3, PREPROCESSING)
    decoded = Pixels(data, rows, 8, 3, PREPROCESSING)
    list(decoded.decode("decoding"))
    both = Together(*(Pixels(data, part, 8, 3, PREPROCESSING) for part in (rows[:19], rows[19:])))
    for other in (decoded, both):
        for (images, labels), (expected, theirs) in zip(drawn(other, 4), drawn(whole, 4), strict=True):
            assert torch.equal(images, expected) and torch.equal(labels, theirs)
