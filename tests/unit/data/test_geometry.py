import numpy as np

from pocketvision.data.geometry import draws, order

DRAW = draws(seed=1, epoch=2, count=40)


def test_the_draw_of_an_image_depends_on_seed_epoch_and_its_index_alone():
    assert np.array_equal(draws(1, 2, 5), draws(1, 2, 50)[:5])
    assert DRAW.shape[0] == 40 and 0 <= DRAW.min() < 0.1 and 0.9 < DRAW.max() < 1
    for other in (draws(2, 2, 40), draws(1, 3, 40), draws(2, 1, 40)):
        assert not np.isin(other, DRAW).any()


def test_the_order_depends_on_seed_and_epoch_alone():
    assert order(1, 2, 40).tolist() == order(1, 2, 40).tolist()
    assert sorted(order(1, 2, 40)) == list(range(40))
    orders = {tuple(order(seed, epoch, 40)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
