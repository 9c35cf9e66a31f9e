"""The fast path of transfer: features of all images are worked out once, and a classifier is fitted on them in seconds.

The features come from the file's own engine, which is several times as fast as the training library. The fitted classifier is
where fine-tuning starts, and what is kept where fine-tuning does not help.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from pocketvision.data.loader import Images, Pixels
from pocketvision.events import Event, Note, Progress
from pocketvision.jobs.plan.plan import Plan
from pocketvision.model.graph import CLASSIFIER, Graph, Linear
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.rewrite import Arrays
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.metrics import top1
from pocketvision.run.paired import is_as_good

MOST_IMAGES = 8000  # that the classifier is fitted on, evenly spaced; more say little more
DECAYS = (3e-3, 3e-2, 0.3, 1.0)  # of the classifier, the weakest first; validation chooses
ITERATIONS = 100  # of L-BFGS
BATCH = 32


@dataclass(frozen=True, eq=False)
class Head:
    """A fitted classifier.

    Attributes:
        arrays: of the whole network, the classifier among them.
        validation_top1: with it.
        decay: that was chosen.
    """

    arrays: dict[str, NDArray[np.float32]]
    validation_top1: float
    decay: float


def can_fit(graph: Graph) -> bool:
    """Whether the classifier is linear in the features, with a bias: SqueezeNet's is not."""
    classifier = graph[CLASSIFIER]
    return isinstance(classifier, Linear) and classifier.has_bias


def fit_head(plan: Plan, arrays: Arrays, train: Images, validation: Pixels) -> Generator[Event, None, Head]:
    """Fit the classifier of a network whose other layers are trained.

    Args:
        plan: says the network, whether images may be mirrored, and the classes' weights.
        arrays: of the network; its classifier does not matter.
        train: to fit on, as they are and mirrored.
        validation: chooses the decay.
    """
    model, classifier = _feature_model(plan.graph, arrays)
    features, labels = yield from _examples(plan, model, train)
    judged = yield from compute_features(
        model, validation, np.arange(len(validation)), "features of validation images", False
    )
    fitted, losses = [], []
    for number, decay in enumerate(DECAYS, start=1):
        weight, bias = fit_classifier(features, labels, classifier.shape.channels, decay, plan.weights)
        logits = torch.from_numpy(judged[0] @ weight.T + bias)
        losses.append(F.cross_entropy(logits, torch.from_numpy(validation.labels), reduction="none").numpy())
        fitted.append((decay, top1(logits.numpy(), validation.labels), weight, bias))
        yield Progress("fitting the classifier", number, len(DECAYS))
    decay, right, weight, bias = fitted[strongest(losses)]
    yield Note(f"The classifier alone, on features of the weights as they are: validation top-1 {right:.4f}.")
    return Head(_with_classifier(arrays, classifier, weight, bias), right, decay)


def strongest(losses: Sequence[NDArray[np.float32]]) -> int:
    """Return the index of the strongest decay that is not clearly worse than the best, paired on the same images.

    A classifier that is less sure of its training images leaves more for fine-tuning to learn (docs/log.md).

    Args:
        losses: for each decay, the weakest first, one of each validation image (N,).

    >>> strongest([np.array([1.0, 3.0]), np.array([1.5, 2.6]), np.array([4.0, 4.0])])
    1
    """
    best = min(losses, key=lambda each: float(np.nan_to_num(each.mean(), nan=np.inf)))
    return max(i for i, each in enumerate(losses) if is_as_good(-each, -best))


def fit_head_again(
    plan: Plan, arrays: Arrays, images: Images
) -> Generator[Event, None, dict[str, NDArray[np.float32]]]:
    """Return the arrays with a classifier fitted on more images, with the decay that validation chose before."""
    assert plan.classifier_decay is not None
    model, classifier = _feature_model(plan.graph, arrays)
    features, labels = yield from _examples(plan, model, images)
    fitted = fit_classifier(features, labels, classifier.shape.channels, plan.classifier_decay, plan.weights)
    return _with_classifier(arrays, classifier, *fitted)


def _feature_model(graph: Graph, arrays: Arrays) -> tuple[bytes, Linear]:
    """Return an ONNX file that gives what the classifier reads as its features, and that classifier."""
    classifier = graph[CLASSIFIER]
    assert isinstance(classifier, Linear)
    seen = replace(graph, outputs={**graph.outputs, "features": classifier.inputs[0]})
    return write_onnx(seen, arrays), classifier


def _examples(
    plan: Plan, model: bytes, images: Images
) -> Generator[Event, None, tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Return features and labels to fit on: of the images as they are, and mirrored where the plan mirrors them."""
    rows = np.arange(len(images))[:: max(1, -(-len(images) // MOST_IMAGES))]
    views = yield from compute_features(model, images, rows, "features of training images", plan.augmentation.flip)
    return np.concatenate(views), np.tile(images.labels[rows], len(views))


def _with_classifier(
    arrays: Arrays, classifier: Linear, weight: NDArray[np.float32], bias: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    whole = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return {**whole, f"{classifier.name}.weight": weight, f"{classifier.name}.bias": bias}


def compute_features(
    model: bytes, pixels: Images, rows: NDArray[np.int64], work: str, mirrored: bool
) -> Generator[Progress, None, Sequence[NDArray[np.float32]]]:
    """Return the features (N, D) of images as they are, and a second array of their mirror images if asked for.

    Args:
        model: an ONNX file with an output "features".
        pixels: the images.
        rows: which of them.
        work: what is said of it.
        mirrored: whether mirror images are looked at, too.
    """
    engine = OnnxRuntime(model)
    views: list[list[NDArray[np.float32]]] = [[], []] if mirrored else [[]]
    for start in range(0, len(rows), BATCH):
        images = pixels[rows[start : start + BATCH]]
        for view, seen in zip(views, (images, images[:, :, ::-1]), strict=False):
            view.append(engine.run(np.ascontiguousarray(seen))["features"])
        yield Progress(work, min(start + BATCH, len(rows)), len(rows))
    return [np.concatenate(view) for view in views]


def fit_classifier(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    decay: float,
    class_weights: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weight (classes, D) and bias (classes,) of a multinomial logistic regression.

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
        return undone.numpy(), (bias - (undone * mean).sum(1)).numpy()
