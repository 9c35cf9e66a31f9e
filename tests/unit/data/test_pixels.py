import time

import numpy as np
import pytest

from made_up import PREPROCESSING, dataset, noise, numbered
from pocketvision.data import pixels as module
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.pixels import Pixels, Together
from pocketvision.errors import BadImage
from pocketvision.events import Progress
from pocketvision.run.images import load_images
from pocketvision.run.preprocessing import Preprocessing


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
    monkeypatch.setattr(module, "free_memory_bytes", lambda: 0)
    assert list(pixels[1].decode("decoding")) == []
    rows = np.array([299, 3, 3, 257])
    assert np.array_equal(pixels[0][rows], pixels[1][rows])
    assert np.array_equal(pixels[0][:], pixels[1][:])
    with monkeypatch.context() as patch:  # only one of the two still decodes
        patch.setattr(module, "load_images", None)
        assert pixels[0][:1].shape == (1, 8, 8, 3)
        with pytest.raises(TypeError):
            pixels[1][:1]


def test_the_cache_takes_a_share_of_the_free_memory(monkeypatch):
    pixels, size = numbered(10), 10 * 4 * 4
    for free, decoded in ((size / module.CACHE_SHARE - 1, 0), (size / module.CACHE_SHARE + 1, 1)):
        monkeypatch.setattr(module, "free_memory_bytes", lambda free=free: free)
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

    monkeypatch.setattr(module, "CHUNK", 1)
    pixels = Pixels(dataset(Slow(range(300))), np.arange(300), 4, 1, Preprocessing())
    decoding = pixels.decode("decoding")
    next(decoding)
    decoding.close()
    assert len(asked) < 200
    assert pixels._cache is None


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
