"""What the network says of prepared images: the same pixels and the same ruler as the exported file."""

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.loader import Pixels, to_tensor
from pocketvision.model.network import Network

BATCH = 256


@torch.inference_mode()
def compute_logits(network: Network, images: NDArray[np.uint8] | Pixels) -> NDArray[np.float32]:
    """Return the logits (N, classes), float32, for images (N, R, R, C) uint8, in evaluation mode and full precision."""
    network.eval()
    device = next(network.parameters()).device
    logits = np.empty((len(images), network.classes), np.float32)
    for start in range(0, len(images), BATCH):
        batch = to_tensor(images[start : start + BATCH]).to(device)
        logits[start : start + BATCH] = network(batch).float().cpu().numpy()
    return logits
