"""The record inside of a model file: what it says about itself."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pocketvision.errors import BadArtifact
from pocketvision.run.assess import Calibration
from pocketvision.run.goldens import Goldens
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.wire import metadata

METADATA_KEY = "pocketvision"
VERSION = 1


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
            BadArtifact: it is not a record of a version that this release reads.
        """
        try:
            content = json.loads(text)
            version = content.get("version")
            if version != VERSION:
                raise BadArtifact(
                    f"the file's record has version {version!r}; this release reads version {VERSION}.",
                    "pip install --upgrade pocketvision",
                )
            content["goldens"] = Goldens.from_json(content["goldens"])
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
        BadArtifact: the bytes are not an ONNX file, or it has no record that can be read.
    """
    entries = metadata(model)
    if METADATA_KEY not in entries:
        raise BadArtifact(
            "the file is an ONNX model without a pocketvision record, so its labels and preprocessing are unknown.",
            "a file that pocketvision fit wrote",
        )
    return Record.from_json(entries[METADATA_KEY])
