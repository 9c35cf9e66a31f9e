import numpy as np
import pytest
from PIL import Image

from pocketvision.data.geometry import Augmentation, draws
from pocketvision.train.augment import augment

SIDE = 12
IMAGES = np.random.default_rng(0).integers(0, 256, (40, SIDE, SIDE, 3), np.uint8)
DRAW = draws(seed=1, epoch=2, count=len(IMAGES))
ALL = Augmentation(flip=True, shift=0.2, scale=0.5)


@pytest.mark.parametrize("augmentation", [Augmentation(), ALL], ids=["nothing", "everything"])
def test_an_image_is_changed_alone_and_the_original_not_at_all(augmentation):
    before, rows = IMAGES.copy(), np.array([7, 3, 31])
    together = augment(IMAGES, DRAW, augmentation)
    assert together.shape == IMAGES.shape and together.dtype == np.uint8
    assert np.array_equal(IMAGES, before) and not np.shares_memory(together, IMAGES)
    assert np.array_equal(augment(IMAGES[rows], DRAW[rows], augmentation), together[rows])
    assert np.array_equal(together, IMAGES) == (augmentation == Augmentation())


def test_a_shift_repeats_the_border():
    reach = 2  # 0.2 of 12, in whole pixels
    moved = augment(IMAGES, DRAW, Augmentation(shift=0.2))
    padded = np.pad(IMAGES, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    places = set()
    for image, frame in zip(moved, padded, strict=True):
        windows = {
            (top, left): frame[top : top + SIDE, left : left + SIDE]
            for top in range(2 * reach + 1)
            for left in range(2 * reach + 1)
        }
        found = [place for place, window in windows.items() if np.array_equal(window, image)]
        assert len(found) == 1
        places.add(found[0])
    assert {top for top, _ in places} == {left for _, left in places} == set(range(2 * reach + 1))


def test_a_flip_mirrors_every_second_image_exactly():
    flipped = augment(IMAGES, DRAW, Augmentation(flip=True))
    same = (flipped == IMAGES).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 10 < mirrored.sum() < 30
    assert np.array_equal(augment(flipped, DRAW, Augmentation(flip=True)), IMAGES)


@pytest.mark.parametrize(
    ("draw", "box"), [((0, 0, 0), (0, 0, 6, 6)), ((0, 0.999, 0.5), (3, 6, 9, 12)), ((0.9999, 0, 0), (0, 0, 12, 12))]
)
def test_a_crop_is_a_square_resized_to_the_old_side(draw, box):
    """`box` is left, top, right, bottom; torch's resize may round otherwise than Pillow's by a level."""
    row = np.full((1, DRAW.shape[1]), 0.5)
    row[0, 3:6] = draw
    cropped = augment(IMAGES[:1], row, Augmentation(scale=0.25))
    expected = Image.fromarray(IMAGES[0]).crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    assert np.abs(cropped[0].astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_crops_keep_at_least_the_share_of_the_area_and_the_size():
    ramp = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[None, :, None, None], (40, 48, 48, 1))
    cropped = augment(np.ascontiguousarray(ramp), DRAW, Augmentation(scale=0.25))
    assert cropped.shape == ramp.shape
    heights = np.ptp(cropped[:, :, 0, 0].astype(int), axis=1) / 5 + 1  # rows that can be seen
    assert 24 <= heights.min() < 30 and 44 < heights.max() <= 48
