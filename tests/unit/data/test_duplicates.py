"""Which pictures look alike, and that not all pairs need to be compared to know."""

import numpy as np
import pytest

from photographs import crop
from pocketvision.data.duplicates import REACH, difference_hashes, near_pairs
from pocketvision.data.union import connected

RNG = np.random.default_rng(0)


def small(image) -> np.ndarray:
    return np.asarray(image.resize((18, 16)).convert("L"))


def by_hand(pictures: np.ndarray) -> set[tuple[int, int]]:
    """Compare all pairs, one by one."""
    bits = difference_hashes(pictures)
    flat = pictures.reshape(len(pictures), -1).astype(float)
    return {
        (i, j)
        for i in range(len(pictures))
        for j in range(i + 1, len(pictures))
        if (bits[i] != bits[j]).sum() <= 5 and np.corrcoef(flat[i], flat[j])[0, 1] >= 0.99
    }


def test_a_bit_says_that_its_tile_is_brighter_than_the_next() -> None:
    picture = np.zeros((1, 16, 18), np.uint8)
    picture[0, 2:4, 6:8] = 200  # tile in row 1, column 3
    bits = difference_hashes(picture).reshape(8, 8)
    assert np.argwhere(bits).tolist() == [[1, 3]]
    assert difference_hashes(np.full((1, 16, 18), 77, np.uint8)).sum() == 0


def test_the_same_pairs_as_by_hand() -> None:
    originals = [small(crop(name, number)) for name in ("cat", "coffee", "rocket") for number in range(25)]
    noisy = [np.clip(picture + RNG.normal(0, 2, picture.shape), 0, 255).astype(np.uint8) for picture in originals]
    pictures = np.stack([*originals, *noisy])
    found = set(map(tuple, near_pairs(pictures).tolist()))
    assert found == by_hand(pictures)
    assert len(found & {(index, index + 75) for index in range(75)}) > 60


def test_pairs_come_once_the_smaller_first_in_order() -> None:
    picture = small(crop("cat", 0))
    assert near_pairs(np.stack([picture] * 4)).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_pictures(count: int) -> None:
    pictures = RNG.integers(0, 256, (count, 16, 18), dtype=np.uint8)
    assert near_pairs(pictures).shape == (0, 2)


def test_flat_pictures_are_like_nothing() -> None:
    flat = np.full((5, 16, 18), 90, np.uint8)
    flat[:, 0, 0] = 120
    assert near_pairs(flat).shape == (0, 2)


def test_brighter_is_still_alike() -> None:
    picture = small(crop("cat", 0)) // 2
    assert near_pairs(np.stack([picture, picture + 60])).tolist() == [[0, 1]]


def test_alike_in_hash_alone_is_not_alike() -> None:
    ramp = np.repeat(np.arange(0, 180, 10, dtype=np.uint8)[None], 16, 0)
    steep = (255 * (ramp / 170.0) ** 6).astype(np.uint8)
    assert (difference_hashes(ramp[None]) == difference_hashes(steep[None])).mean() > 0.9
    assert near_pairs(np.stack([ramp, steep])).shape == (0, 2)


def test_a_crowd_hangs_together_without_all_pairs() -> None:
    crowd = np.stack([small(crop("cat", 0))] * 500)
    pairs = near_pairs(crowd)
    assert len(pairs) <= 500 * REACH
    assert sorted(map(sorted, connected(pairs.tolist()))) == [list(range(500))]
