"""Statistics taken anew are those of the images."""

import numpy as np
import torch

from graphs import network, random_arrays, small
from jobs import watched
from pocketvision.train import statistics
from pocketvision.train.batches import to_tensor
from pocketvision.train.statistics import images_needed, recalibrate

GRAPH = small("mobilenet_v1")


class Images:
    def __init__(self, n):
        self.images = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        return self.images[rows]


def test_they_are_the_means_of_all_batches(monkeypatch):
    monkeypatch.setattr(statistics, "BATCH", 10)
    images, arrays = Images(30), random_arrays(GRAPH)
    found, events = watched(recalibrate(GRAPH, arrays, images))
    assert [(event.done, event.total) for event in events] == [(10, 30), (20, 30), (30, 30)]
    with torch.no_grad():  # of the first layer, whose inputs depend on no statistics
        seen = network(GRAPH, arrays).stem.conv(
            network(GRAPH, arrays).forward_features(to_tensor(images.images), keep=("normalize",))["normalize"]
        )
    np.testing.assert_allclose(found["stem.bn.running_mean"], seen.mean((0, 2, 3)), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["stem.bn.running_var"], seen.var((0, 2, 3)), rtol=0.02)
    trained = {p.name for p in GRAPH.parameters() if p.is_trained}
    assert all(np.array_equal(found[name], arrays[name]) for name in trained)


def test_no_more_images_are_looked_at_than_needed(monkeypatch):
    monkeypatch.setattr(statistics, "images_needed", lambda graph: 7)
    _, events = watched(recalibrate(GRAPH, random_arrays(GRAPH), Images(40)))
    assert events[-1].total == 7


def test_larger_images_need_fewer():
    assert images_needed(small("mobilenet_v1", resolution=32)) == 4096
    assert images_needed(small("mobilenet_v1", resolution=64)) == 1024
    assert images_needed(small("mobilenet_v1", resolution=224)) == statistics.FEWEST


def test_no_batch_is_much_smaller_than_the_others(monkeypatch):
    monkeypatch.setattr(statistics, "BATCH", 10)
    _, events = watched(recalibrate(GRAPH, random_arrays(GRAPH), Images(21)))
    assert [event.done for event in events] == [7, 14, 21]
