"""The classifier that fine-tuning starts from: fitted on features of the weights as they were, in seconds.

The features come from the file's own engine, which is several times as fast as the training library. The fitted classifier is
where fine-tuning starts, and what is kept where fine-tuning does not help.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.data.pixels import Images, Pixels
from pocketvision.events import Note, Progress, Work, drain
from pocketvision.jobs.plan.plan import Plan
from pocketvision.model.graph import CLASSIFIER, Graph, Linear
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.rewrite import Arrays
from pocketvision.run.assess import AS_IS, assess
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.paired import is_as_good
from pocketvision.train import linear_probe
from pocketvision.train.linear_probe import DECAYS, fit_linear

# Images that the classifier is fitted on, evenly spaced; more say little more.
MOST_IMAGES = 8000
BATCH = 32


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network with a fitted classifier.

    Attributes:
        arrays: of the whole network, the classifier among them.
        validation_top1: with it, 0 to 1.
        decay: that was chosen.
    """

    arrays: dict[str, NDArray[np.float32]]
    validation_top1: float
    decay: float


def can_fit(graph: Graph) -> bool:
    """Whether the classifier is linear in the features, with a bias: SqueezeNet's is not."""
    classifier = graph[CLASSIFIER]
    return isinstance(classifier, Linear) and classifier.has_bias


def fit_classifier(plan: Plan, arrays: Arrays, train: Images, validation: Pixels) -> Work[Fitted]:
    """Fit the classifier of a network whose other layers are trained.

    Args:
        plan: says the network, whether images may be mirrored, and the classes' weights.
        arrays: of the network; its classifier does not matter.
        train: to fit on, as they are and mirrored.
        validation: chooses the decay.
    """
    model, classifier = _feature_model(plan.graph, arrays)
    features, labels = yield from _examples(plan, model, train)
    rows = np.arange(len(validation))
    [judged] = yield from compute_features(model, validation, rows, "features of validation images", False)
    fitted, found = [], []
    for number, decay in enumerate(DECAYS, start=1):
        linear = fit_linear(features, labels, classifier.shape.channels, decay, plan.weights)
        found.append(drain(assess([linear.logits(judged)], validation.labels, calibration=AS_IS)))
        fitted.append(linear)
        yield Progress("fitting the classifier", number, len(DECAYS))
    best = strongest([one.losses for one in found])
    right = found[best].top1
    yield Note(f"The classifier alone, on features of the weights as they are: validation top-1 {right:.4f}.")
    return Fitted(_with_classifier(arrays, classifier, fitted[best]), right, DECAYS[best])


def strongest(losses: Sequence[NDArray[np.float64]]) -> int:
    """Return the index of the strongest decay that is not clearly worse than the best, paired on the same images.

    A classifier that is less sure of its training images leaves more for fine-tuning to learn (docs/log.md).

    Args:
        losses: for each decay, the weakest first, one of each validation image (N,).

    >>> strongest([np.array([1.0, 3.0]), np.array([1.5, 2.6]), np.array([4.0, 4.0])])
    1
    """
    best = min(losses, key=lambda each: float(np.nan_to_num(each.mean(), nan=np.inf)))
    return max(i for i, each in enumerate(losses) if is_as_good(-each, -best))


def fit_classifier_again(plan: Plan, arrays: Arrays, images: Images) -> Work[dict[str, NDArray[np.float32]]]:
    """Return the arrays with a classifier fitted on more images, with the decay that validation chose before."""
    assert plan.classifier_decay is not None
    model, classifier = _feature_model(plan.graph, arrays)
    features, labels = yield from _examples(plan, model, images)
    fitted = fit_linear(features, labels, classifier.shape.channels, plan.classifier_decay, plan.weights)
    return _with_classifier(arrays, classifier, fitted)


def _feature_model(graph: Graph, arrays: Arrays) -> tuple[bytes, Linear]:
    """Return an ONNX file that gives what the classifier reads as its features, and that classifier."""
    classifier = graph[CLASSIFIER]
    assert isinstance(classifier, Linear)
    seen = replace(graph, outputs={**graph.outputs, "features": classifier.inputs[0]})
    return write_onnx(seen, arrays), classifier


def _examples(plan: Plan, model: bytes, images: Images) -> Work[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Return features and labels to fit on: of the images as they are, and mirrored where the plan mirrors them."""
    rows = np.arange(len(images))[:: max(1, -(-len(images) // MOST_IMAGES))]
    views = yield from compute_features(model, images, rows, "features of training images", plan.augmentation.flip)
    return np.concatenate(views), np.tile(images.labels[rows], len(views))


def _with_classifier(arrays: Arrays, classifier: Linear, fitted: linear_probe.Linear) -> dict[str, NDArray[np.float32]]:
    whole = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    return {**whole, f"{classifier.name}.weight": fitted.weight, f"{classifier.name}.bias": fitted.bias}


def compute_features(
    model: bytes, pixels: Images, rows: NDArray[np.int64], work: str, mirrored: bool
) -> Work[Sequence[NDArray[np.float32]]]:
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
