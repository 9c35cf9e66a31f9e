"""Engines: what runs the network, behind one small protocol."""

from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact
from pocketvision.run.wire import external_tensors

SILENT = 4  # onnxruntime's log level "fatal": errors reach the user as exceptions, not as lines on stderr


class Engine(Protocol):
    """Runs one file."""

    name: str
    version: str
    metadata: dict[str, str]
    image_shape: tuple[int, ...]  # of one image: (1, R, R, C)

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name for images (N, R, R, C)."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Args:
        model: the bytes of the file; what it needs must all be in them.
        threads: for one call; None leaves it to the engine (all cores).

    Raises:
        BadArtifact: the engine cannot load it, or it refers to other files.
    """

    name = "onnxruntime"
    version: str = onnxruntime.__version__

    def __init__(self, model: bytes, threads: int | None = None) -> None:
        outside = external_tensors(model)
        if outside:
            raise BadArtifact(
                f"the file keeps {len(outside)} of its tensors in other files, first {outside[0]!r}; "
                "a pocketvision model is one file, and nothing else is opened for it.",
                "a file that pocketvision fit wrote",
            )
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise BadArtifact(
                f"onnxruntime {self.version} cannot load the file: {_first_line(error)}",
                "copy the file again, or pip install --upgrade onnxruntime",
            ) from error
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        shape = self._session.get_inputs()[0].shape if self._session.get_inputs() else []
        self.image_shape: tuple[int, ...] = (1, *(side for side in shape[1:] if isinstance(side, int)))
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name for images (N, R, R, C).

        Raises:
            BadArtifact: the network does not take such images.
        """
        try:
            outputs = self._session.run(None, {"image": images})
        except Exception as error:  # as above
            raise BadArtifact(
                f"onnxruntime {self.version} cannot run the file on images {images.shape} {images.dtype}: "
                f"{_first_line(error)}",
                "pocketvision verify FILE",
            ) from error
        return dict(zip(self._outputs, outputs, strict=True))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
