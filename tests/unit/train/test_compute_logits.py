from functools import partial

import numpy as np
import torch

from graphs import network, random_images, small
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.pixels import Pixels
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.train import evaluate
from pocketvision.train.evaluate import compute_logits


def test_logits_of_arrays_and_of_pixels_in_batches_of_any_size(monkeypatch):
    graph = small("mobilenet_v1")
    net = network(graph).train()
    images = random_images(graph, n=7)
    array = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    data = Dataset("made up", ("a", "b"), tuple(Sample(f"{i}", i % 2) for i in range(7)), array)
    found = compute_logits(net, array)
    assert found.shape == (7, 10) and found.dtype == np.float32 and not net.training
    alike = partial(np.testing.assert_allclose, rtol=0, atol=1e-4 * np.abs(found).max())
    with torch.no_grad():
        alike(found, net(images).numpy())
    monkeypatch.setattr(evaluate, "BATCH", 3)
    pixels = Pixels(data, np.arange(7), 32, 3, Preprocessing())
    alike(compute_logits(net, pixels), found)
