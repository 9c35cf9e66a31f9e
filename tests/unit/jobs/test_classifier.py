"""The classifier on cached features: against scikit-learn, and the same features as the network's own."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from graphs import network, random_arrays, random_images, small
from pocketvision.jobs.training.classifier import compute_features
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.train.linear_probe import fit_linear


def blobs(n=200, d=12, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    centres = rng.normal(0, 2, (classes, d))
    return (centres[labels] + rng.normal(0, 1.5, (n, d)) * np.linspace(0.1, 5, d)).astype(np.float32), labels


def test_it_is_the_logistic_regression_of_scikit_learn():
    features, labels = blobs()
    fitted = fit_linear(features, labels, 3, decay=1e-2, class_weights=None)
    x = (features - features.mean(0)) / (features.std(0) + 1e-3)
    theirs = LogisticRegression(C=1 / (2 * 1e-2 * len(labels)), max_iter=1000, tol=1e-8).fit(x, labels)
    ours = fitted.logits(features)
    ours, expected = (
        logits - logits.mean(1, keepdims=True) for logits in (ours, x @ theirs.coef_.T + theirs.intercept_)
    )
    np.testing.assert_allclose(ours, expected, atol=0.02)


def test_class_weights_move_it_towards_the_rare_class():
    features, labels = blobs(seed=1)
    labels[labels == 2] = 0
    rare = labels == 1
    plain = fit_linear(features, labels, 2, 0.3, None)
    weighed = fit_linear(features, labels, 2, 0.3, np.array([0.5, 5.0], np.float32))
    chosen = [(fitted.logits(features).argmax(1) == 1).sum() for fitted in (plain, weighed)]
    assert chosen[1] > chosen[0] and rare.any()


def test_a_class_without_images_is_never_the_answer():
    features, labels = blobs()
    fitted = fit_linear(features, labels, 5, 1e-2, None)
    assert fitted.weight.shape == (5, 12) and fitted.logits(features).argmax(1).max() < 3


def test_features_are_those_of_the_network_and_of_mirror_images():
    graph = small("mobilenet_v3_small")
    arrays, images = random_arrays(graph), random_images(graph, n=5)
    pixels = images.permute(0, 2, 3, 1).numpy()
    job = compute_features(write_onnx(graph, arrays), pixels, np.arange(5), "features", mirrored=True)
    try:
        while True:
            assert next(job).work == "features"
    except StopIteration as stop:
        views = stop.value
    net = network(graph, arrays)
    for view, seen in zip(views, (images, images.flip(3)), strict=True):
        with torch.no_grad():
            expected = net.forward_features(seen)["pool"].flatten(1).numpy()
        np.testing.assert_allclose(view, expected, atol=1e-4 * np.abs(expected).max())
