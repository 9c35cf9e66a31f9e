"""What the network says of prepared images: the same pixels and the same ruler as the exported file."""

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.data.loader import Pixels, to_tensor
from pocketvision.events import Progress, drain
from pocketvision.model.network import Network

BATCH = 256


def compute_logits(network: Network, images: NDArray[np.uint8] | Pixels) -> NDArray[np.float32]:
    """Return the logits (N, classes), float32, for images (N, R, R, C) uint8, in evaluation mode and full precision."""
    return drain(watch_logits(network, images, ""))


def watch_logits(
    network: Network, images: NDArray[np.uint8] | Pixels, work: str
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Do the same, batch by batch, saying how far it is; `work` names it."""
    network.eval()
    device = next(network.parameters()).device
    logits = np.empty((len(images), network.classes), np.float32)
    for start in range(0, len(images), BATCH):
        with torch.inference_mode():
            batch = to_tensor(images[start : start + BATCH]).to(device)
            logits[start : start + BATCH] = network(batch).float().cpu().numpy()
        yield Progress(work, min(start + BATCH, len(images)), len(images))
    return logits
