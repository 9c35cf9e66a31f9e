"""Writing the model file: network, record, goldens and digests, proven on real images before it gets its final name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import ExportMismatch
from pocketvision.export.seal import seal
from pocketvision.export.verify import verify_file
from pocketvision.files import write_atomically
from pocketvision.model.graph import Graph
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.run.engines import DEFAULT
from pocketvision.run.predictor import Predictor
from pocketvision.run.record import Record

PARITY_TOLERANCE = 1e-4  # of the largest |logit|
MOST_SCALES = 2  # times the scale, that a logit of an int8 network may be off
LEAST_AGREEMENT = 0.9  # share of such logits, and of equal labels
BATCH = 64  # images in one call: more need much memory at 224 pixels

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Parity:
    """How far the file's logits are from the trained network's.

    Attributes:
        images: how many were compared.
        difference: the largest |difference| over the largest |logit|.
        same_top1: images on which both name the same class, or the network's two best classes tie: within the tolerance, or for
            int8 within twice the scale.
        near: for int8, the share of logits within twice the scale; None: fp32.
    """

    images: int
    difference: float
    same_top1: int
    near: float | None = None

    def __str__(self) -> str:
        if self.near is None:
            return f"agree on {self.images} images to {self.difference:.1e}"
        return (
            f"name the same class on {self.same_top1} of {self.images} images; "
            f"{self.near:.1%} of the logits are within {MOST_SCALES} times the scale"
        )


def compare(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Parity:
    """Compare the file's logits with the trained network's, both (N, classes)."""
    largest = max(float(np.abs(theirs).max()), 1e-12)
    best = np.sort(theirs, axis=1)
    ties = (best[:, -1] - best[:, -2]) / largest < PARITY_TOLERANCE
    same = (ours.argmax(1) == theirs.argmax(1)) | ties
    return Parity(len(ours), float(np.abs(ours - theirs).max()) / largest, int(same.sum()))


def require_parity(model: bytes, images: NDArray[np.uint8], reference: Logits, scale: float = 0.0) -> Parity:
    """Return how well the file agrees with the trained network on real images.

    Args:
        model: the bytes of the file.
        images: (N, R, R, C) uint8.
        reference: the trained network: images -> logits.
        scale: of the logits of an int8 network; 0: it is fp32. A value that is rounded the other way differs by the scale, and by
            more after further layers, so nine in ten logits must be within twice the scale, and nine in ten labels the same.

    Raises:
        ExportMismatch: they disagree.
    """
    predictor = Predictor.open(model, engine=DEFAULT)
    ours = np.concatenate([predictor.logits(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])
    theirs = reference(images)
    parity = compare(ours, theirs)
    if scale:
        best = np.sort(theirs, axis=1)
        same = (ours.argmax(1) == theirs.argmax(1)) | (best[:, -1] - best[:, -2] < (MOST_SCALES + 0.5) * scale)
        near = float((np.abs(ours - theirs) < (MOST_SCALES + 0.5) * scale).mean())
        parity = replace(parity, near=near, same_top1=int(same.sum()))
        if min(parity.near or 0.0, parity.same_top1 / parity.images) < LEAST_AGREEMENT:
            raise ExportMismatch(
                f"the exported file and the network {parity}; the file was not written.",
                "reporting it with the run folder: this should not happen",
            )
        return parity
    if not parity.difference <= PARITY_TOLERANCE or parity.same_top1 < parity.images:
        raise ExportMismatch(
            f"the exported file's logits differ from the trained network's by {parity.difference:.2g} of the largest "
            f"|logit| (allowed {PARITY_TOLERANCE:g}), and {parity.images - parity.same_top1} of {parity.images} images "
            "change their label; the file was not written.",
            "reporting it with the run folder: this should not happen",
        )
    return parity


def file_of(graph: Graph, arrays: Mapping[str, NDArray[Any]], record: Record) -> bytes:
    """Return the file of a network in the precision that its record states, sealed."""
    fp16 = record.model.get("precision") == "fp16-storage"
    return seal(write_onnx(graph, arrays, record.temperature, fp16=fp16), record)


def write_artifact(
    path: Path,
    graph: Graph,
    arrays: Mapping[str, NDArray[Any]],
    record: Record,
    images: NDArray[np.uint8],
    reference: Logits,
) -> Parity:
    """Write a file that anyone can run, after proving it.

    Args:
        path: where; an existing file is replaced only by a finished one.
        graph: the trained network's.
        arrays: its parameters.
        record: without digests.
        images: real ones (N, R, R, C) uint8, on which the file and the network must agree.
        reference: the trained network: images -> logits.

    Raises:
        ExportMismatch: they disagree; nothing was written.
        VerificationFailed: the file does not give its own goldens; nothing was written.
    """
    model = file_of(graph, arrays, record)
    parity = require_parity(model, images, reference, record.goldens.scale)
    verify_file(model)
    write_atomically(path, model)
    return parity
