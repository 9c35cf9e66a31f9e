"""What the network says of prepared images: the same pixels and the same measure as for the exported file."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.model.network import Network
from pocketvision.run.assess import Images, in_batches
from pocketvision.train.batches import to_tensor

BATCH = 256


def outputs(network: Network, images: Images) -> Iterator[NDArray[np.float32]]:
    """Yield the logits (n, classes), float32, of one batch of images (N, R, R, C) uint8 after the other.

    The network is in evaluation mode and computes in full precision.
    """
    network.eval()
    device = next(network.parameters()).device

    def answer(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = network(to_tensor(batch).to(device)).float().cpu().numpy()
            return found

    return in_batches(answer, images, BATCH)


def compute_logits(network: Network, images: Images) -> NDArray[np.float32]:
    """Return the logits (N, classes) of a few images: for goldens, and to compare with those of a file."""
    return np.concatenate([*outputs(network, images)])
