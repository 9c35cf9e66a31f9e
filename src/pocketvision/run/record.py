"""The record inside the one-file artifact, and the goldens that re-prove the file on any machine."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact
from pocketvision.run.assess import Calibration
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.wire import metadata

METADATA_KEY = "pocketvision"
VERSION = 1
GOLDEN_TOLERANCE = 1e-4  # of the largest |logit|: what float32 sums in another order may differ by
MOST_STEPS, NEAR_SHARE, SAME_LABELS = 4, 0.9, 0.75  # of a network in integers
ALL_LOGITS_UP_TO = 100  # classes; above, 64 evenly spaced logits and the top 5 are kept
SOME_LOGITS = 64


@dataclass(frozen=True)
class Goldens:
    """Made-up inputs and the logits that the trained network gave for them.

    Attributes:
        count: how many inputs; `golden_images` makes them.
        indices: which logits are kept.
        logits: (count, len(indices)).
        top: (count, up to 5) classes with the largest logits, in falling order.
        largest: the largest |logit| of all, which the tolerance is relative to.
        tolerance: relative.
        step: of the logits of a network in integers; 0: it is in floats. Integers are summed in other ways on other processors,
            so its rule is another one, see `compare_goldens`.
    """

    count: int
    indices: tuple[int, ...]
    logits: tuple[tuple[float, ...], ...]
    top: tuple[tuple[int, ...], ...]
    largest: float
    tolerance: float = GOLDEN_TOLERANCE
    step: float = 0.0
    generator: str = "integer hash 1"


@dataclass(frozen=True)
class Record:
    """What the file says about itself; a versioned JSON document in the ONNX metadata.

    Attributes:
        task: "classification".
        labels: class names in the order of the logits.
        resolution, channels: of the input; channels 3 = RGB, 1 = grey.
        preprocessing: from a photograph to the input.
        model: full name, family and options, parameters, multiply-adds.
        metrics: accuracy and calibration, the images they were taken on, fingerprint of the data.
        temperature: divides the logits before the softmax.
        unknown_threshold: probability below which the answer is "unknown".
        provenance: versions, seed, options; no paths, no user names.
        goldens: see there.
        latencies: measured latencies with device and engine.
        digests: SHA-256 of initializers, nodes and record, filled in by the writer.
    """

    task: str
    labels: tuple[str, ...]
    resolution: int
    channels: int
    preprocessing: Preprocessing
    model: dict[str, Any]
    metrics: dict[str, Any]
    temperature: float
    unknown_threshold: float
    provenance: dict[str, Any]
    goldens: Goldens
    latencies: tuple[dict[str, Any], ...] = ()
    digests: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION

    @property
    def calibration(self) -> Calibration:
        """What makes probabilities, and "unknown", of the file's logits."""
        return Calibration(self.temperature, self.unknown_threshold)

    @property
    def precision(self) -> str:
        """The file's: "fp32", "int8" or "fp16-storage"."""
        return str(self.model.get("precision", "fp32"))

    def to_json(self) -> str:
        """Return the JSON document."""
        content = asdict(self) | {"preprocessing": self.preprocessing.to_json()}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Read the JSON document.

        Raises:
            BadArtifact: it is no record of a version that this release reads.
        """
        try:
            content = json.loads(text)
            version = content.get("version")
            if version != VERSION:
                raise BadArtifact(
                    f"the file's record has version {version!r}; this release reads version {VERSION}.",
                    "pip install --upgrade pocketvision",
                )
            goldens = content["goldens"]
            content["goldens"] = Goldens(
                **goldens
                | {
                    "indices": tuple(goldens["indices"]),
                    "logits": tuple(map(tuple, goldens["logits"])),
                    "top": tuple(map(tuple, goldens["top"])),
                }
            )
            content["labels"] = tuple(content["labels"])
            content["latencies"] = tuple(content["latencies"])
            content["preprocessing"] = Preprocessing.from_json(content["preprocessing"])
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise BadArtifact(
                f"the file's record cannot be read: {reason}.", "a file that pocketvision fit wrote"
            ) from error


def record_of(model: bytes) -> Record:
    """Return the record of a model file; no engine is needed for that.

    Raises:
        BadArtifact: the bytes are no ONNX file, or there is no record in it.
    """
    return read_record(metadata(model))


def read_record(entries: Mapping[str, str]) -> Record:
    """Return the record from an ONNX file's metadata.

    Raises:
        BadArtifact: there is none, or it cannot be read.
    """
    if METADATA_KEY not in entries:
        raise BadArtifact(
            "the file is an ONNX model without a pocketvision record, so its labels and preprocessing are unknown.",
            "a file that pocketvision fit wrote",
        )
    return Record.from_json(entries[METADATA_KEY])


def golden_images(count: int, resolution: int, channels: int) -> NDArray[np.uint8]:
    """Return inputs that any machine can make again from integers alone.

    Image k is a pattern of square cells, R/2, R/4, R/8, ... pixels wide in turn (at least 1). A cell's value is the top byte
    of h = (1 + k + 101 row + 10007 column + 1000003 channel) * 2654435761, then h ^= h >> 15, h *= 2246822519, all
    modulo 2**32.

    Returns:
        uint8 (count, resolution, resolution, channels).
    """
    images = np.empty((count, resolution, resolution, channels), np.uint8)
    for k in range(count):
        cell = max(1, resolution >> (k + 1))
        at = np.arange(resolution, dtype=np.uint64) // cell
        row, column, channel = at[:, None, None], at[None, :, None], np.arange(channels, dtype=np.uint64)
        h = (1 + k + 101 * row + 10007 * column + 1000003 * channel) * 2654435761 % 2**32
        h = (h ^ (h >> np.uint64(15))) * 2246822519 % 2**32
        images[k] = h >> np.uint64(24)
    return images


def make_goldens(logits: NDArray[np.float32], step: float = 0.0) -> Goldens:
    """Return what is kept of the logits (count, classes) for the golden images; `step`: see `Goldens`."""
    classes = logits.shape[1]
    kept = np.arange(classes)
    if classes > ALL_LOGITS_UP_TO:
        kept = np.linspace(0, classes - 1, SOME_LOGITS).round().astype(int)
    top = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    return Goldens(
        count=len(logits),
        indices=tuple(kept.tolist()),
        logits=tuple(tuple(float(f"{value:.7g}") for value in row) for row in logits[:, kept]),
        top=tuple(tuple(row) for row in top.tolist()),
        largest=float(np.abs(logits).max()),
        step=step,
    )


def compare_goldens(goldens: Goldens, logits: NDArray[np.float32]) -> tuple[str, str]:
    """Return what was found on the golden images, and what is wrong with it; empty: nothing.

    In floats, no kept logit may be off by more than `tolerance` of the largest, nor the top five differ. In integers, nine in
    ten of the kept logits must lie within four steps, and three in four first labels stay, where the first two lie further apart.

    Args:
        goldens: of the file.
        logits: (count, classes), of the engine that runs it now.
    """
    if not goldens.step:
        difference = golden_difference(goldens, logits)
        found = f"{goldens.count} inputs, largest difference {difference:.1e} of the largest |logit|"
        if difference <= goldens.tolerance:
            return found, ""
        return found, f"the logits differ by {difference:.2g} of the largest |logit| (allowed {goldens.tolerance:g})"
    near = MOST_STEPS * goldens.step
    off = np.abs(logits[:, list(goldens.indices)] - np.array(goldens.logits))
    share = float((off <= near).mean())
    best = np.array([row[0] for row in goldens.top])
    stays = logits[np.arange(len(best)), best] >= logits.max(axis=1) - near
    found = (
        f"{goldens.count} inputs in integers: {share:.0%} of the logits within {MOST_STEPS} steps, "
        f"{int(stays.sum())} of {len(best)} first labels"
    )
    if share >= NEAR_SHARE and stays.mean() >= SAME_LABELS:
        return found, ""
    return found, f"{found} ({NEAR_SHARE:.0%} and {SAME_LABELS:.0%} are wanted)"


def golden_difference(goldens: Goldens, logits: NDArray[np.float32]) -> float:
    """Return the largest difference from the goldens, relative to the largest |logit|; passes up to `tolerance`.

    Where the top five differ although the kept logits agree, the difference is infinite, unless those classes tie
    within the tolerance.
    """
    scale = max(goldens.largest, 1e-12)
    difference = float(np.abs(logits[:, list(goldens.indices)] - np.array(goldens.logits)).max()) / scale
    for row, top in zip(logits, goldens.top, strict=True):
        now = np.sort(row)[::-1][: len(top)]
        if not float(np.abs(row[list(top)] - now).max()) / scale <= goldens.tolerance:  # NaN, too
            return float("inf") if difference <= goldens.tolerance else difference
    return difference
