import os
import time

import numpy as np
import pytest
import torch

from pocketvision.data import loader
from pocketvision.data.augment import Augmentation, augment, draws, order
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.loader import Pixels, Together, free_memory_bytes, to_tensor, training_batches
from pocketvision.errors import BadImage
from pocketvision.events import Progress
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import Preprocessing

PLAIN = Augmentation()
PREPROCESSING = Preprocessing(mode="letterbox")


def dataset(images):
    samples = tuple(Sample(f"{i}", i % 3) for i in range(len(images)))
    return Dataset("made up", ("a", "b", "c"), samples, images)


def noise(n):
    return dataset(np.random.default_rng(0).integers(0, 256, (n, 9, 12, 3), np.uint8))


def numbered(n):
    """Images of which each pixel is the image's number, as `Pixels` of the same size."""
    images = dataset(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None], (n, 4, 4)).copy())
    return Pixels(images, np.arange(n), 4, 1, Preprocessing())


def drawn(pixels, batch_size, seed=0, epoch=0, augmentation=PLAIN):
    return list(training_batches(pixels, batch_size, augmentation, seed, epoch))


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_load_images(channels):
    data, indices = noise(20), np.array([4, 19, 0, 7])
    pixels = Pixels(data, indices, 16, channels, PREPROCESSING)
    expected = load_images(data.images[indices], 16, channels, PREPROCESSING)
    assert len(pixels) == 4 and pixels.shape == (16, 16, channels)
    assert pixels.labels.tolist() == [1, 1, 0, 1]
    for part in (slice(None), slice(1, 3), np.array([3, 0])):
        assert np.array_equal(pixels[part], expected[part])


def test_decoded_once_or_each_time_the_pixels_are_the_same(monkeypatch):
    data = noise(300)
    pixels = [Pixels(data, np.arange(299, -1, -1), 8, 3, PREPROCESSING) for _ in range(2)]
    assert list(pixels[0].decode("decoding")) == [Progress("decoding", 256, 300), Progress("decoding", 300, 300)]
    monkeypatch.setattr(loader, "free_memory_bytes", lambda: 0)
    assert list(pixels[1].decode("decoding")) == []
    rows = np.array([299, 3, 3, 257])
    assert np.array_equal(pixels[0][rows], pixels[1][rows])
    assert np.array_equal(pixels[0][:], pixels[1][:])
    with monkeypatch.context() as patch:  # only one of the two still decodes
        patch.setattr(loader, "load_images", None)
        assert pixels[0][:1].shape == (1, 8, 8, 3)
        with pytest.raises(TypeError):
            pixels[1][:1]
    for first, second in zip(drawn(pixels[0], 64), drawn(pixels[1], 64), strict=True):
        assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_the_cache_takes_a_share_of_the_free_memory(monkeypatch):
    pixels, size = numbered(10), 10 * 4 * 4
    for free, decoded in ((size / loader.CACHE_SHARE - 1, 0), (size / loader.CACHE_SHARE + 1, 1)):
        monkeypatch.setattr(loader, "free_memory_bytes", lambda free=free: free)
        assert len(list(pixels.decode("decoding"))) == decoded


def test_no_images():
    pixels = Pixels(noise(3), np.arange(0), 8, 3, PREPROCESSING)
    assert list(pixels.decode("decoding")) == []
    assert len(pixels) == 0 and pixels[:].shape == (0, 8, 8, 3)


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"")
    data = Dataset("files", ("a", "b"), (Sample("a", 0), Sample("b", 1)), (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(BadImage) as caught:
        list(Pixels(data, np.array([1]), 8, 3, PREPROCESSING).decode("decoding"))
    assert str(caught.value) == (f"{tmp_path / 'b'}: is empty (0 bytes). Try: fetch the file again or take it out")


def test_who_stops_decoding_does_not_wait_for_the_rest(monkeypatch):
    asked = []

    class Slow(tuple):
        def __getitem__(self, index):
            asked.append(index)
            time.sleep(0.01)
            return np.zeros((4, 4), np.uint8)

    monkeypatch.setattr(loader, "CHUNK", 1)
    pixels = Pixels(dataset(Slow(range(300))), np.arange(300), 4, 1, Preprocessing())
    decoding = pixels.decode("decoding")
    next(decoding)
    decoding.close()
    assert len(asked) < 200
    assert pixels._cache is None


def test_free_memory_is_part_of_the_machine():
    assert 0 < free_memory_bytes() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


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
    augmentation = Augmentation(flip=True, shift=0.2, scale=0.5, erase=0.5)
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


def test_two_parts_together_are_as_one():
    data = noise(30)
    rng = np.random.default_rng(0)
    order_of_all = rng.permutation(30)
    whole = Pixels(data, order_of_all, 8, 3, PREPROCESSING)
    parts = (Pixels(data, order_of_all[:19], 8, 3, PREPROCESSING), Pixels(data, order_of_all[19:], 8, 3, PREPROCESSING))
    list(parts[1].decode("decoding"))
    both = Together(*parts)
    assert len(both) == 30 and np.array_equal(both.labels, whole.labels)
    for rows in (rng.permutation(30), np.array([18, 19, 0, 29, 19]), np.array([3]), np.array([25]), np.array([], int)):
        assert np.array_equal(both[rows], whole[rows])
    for (images, labels), (expected, theirs) in zip(drawn(both, 4), drawn(whole, 4), strict=True):
        assert torch.equal(images, expected) and torch.equal(labels, theirs)
