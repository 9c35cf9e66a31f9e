"""The linear probe: a classifier fitted in seconds on features of trained layers, which are worked out once."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

# Of the weights, on standardised features, the weakest first; validation chooses.
DECAYS = (3e-3, 3e-2, 0.3, 1.0)
# Of L-BFGS.
ITERATIONS = 100


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear classifier.

    Attributes:
        weight: (classes, D) float32.
        bias: (classes,) float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, classes) for features (N, D)."""
        found: NDArray[np.float32] = features @ self.weight.T + self.bias
        return found


def fit_linear(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    decay: float,
    class_weights: NDArray[np.float32] | None,
) -> Linear:
    """Return the multinomial logistic regression of labels on features.

    Features are standardised for the fit, which the result undoes; the penalty is `decay` times the sum of squares.

    Args:
        features: (N, D).
        labels: (N,).
        classes: how many there are; some may have no image.
        decay: of the weights, on standardised features.
        class_weights: one a class, or None.
    """
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    mean, std = x.mean(0), x.std(0, correction=0) + 1e-3
    x = (x - mean) / std
    each = None if class_weights is None else torch.from_numpy(class_weights)[y]
    weight = torch.zeros(classes, x.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = F.cross_entropy(x @ weight.T + bias, y, reduction="none")
        value = (losses if each is None else losses * each).mean() + decay * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        undone = weight / std
        return Linear(undone.numpy(), (bias - (undone * mean).sum(1)).numpy())
