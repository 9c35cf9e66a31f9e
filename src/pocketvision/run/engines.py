"""Engines: what runs the network, behind one small protocol. Which is the fastest for a file: run/fastest.py."""

import importlib.metadata
import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact, BadOption, missing_extra
from pocketvision.run.device import count_cores
from pocketvision.run.wire import external_tensors

SILENT = 4  # onnxruntime's log level "fatal": errors reach the user as exceptions, not as lines on stderr
TELEMETRY = "openvino_telemetry"  # OpenVINO does without it where it is not installed
PIXELS_PER_CALL = 200_000  # of all images together: tensors between two layers then stay in the processor's caches

Outputs = dict[str, NDArray[np.float32]]

# Engines report to nobody. `pocketvision/__init__.py` says so before ONNX Runtime is loaded; this is for Windows, and for a
# program that loaded it first.
onnxruntime.disable_telemetry_events()


class Engine(Protocol):
    """Runs one file."""

    name: str
    version: str
    image_shape: tuple[int, ...]  # of one image: (1, R, R, C)

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Return the outputs by name for images (N, R, R, C)."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    Args:
        model: the bytes of the file, which must be self-contained.
        threads: for one call; None leaves it to the engine (all cores).
        callers: threads of the program that call `run` at once; not limited.

    Raises:
        BadArtifact: the engine cannot load it, or it refers to other files.
    """

    name = "onnxruntime"
    version: str = onnxruntime.__version__

    def __init__(self, model: bytes, threads: int | None = None, callers: int = 1) -> None:
        _refuse_external(model)
        options: Any = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise _cannot_load(self, error, "copy the file again, or pip install --upgrade onnxruntime") from error
        shape = self._session.get_inputs()[0].shape if self._session.get_inputs() else []
        self.image_shape: tuple[int, ...] = (1, *(side for side in shape[1:] if isinstance(side, int)))
        self._outputs = [output.name for output in self._session.get_outputs()]

    @classmethod
    def installed(cls) -> str | None:
        """Return the version."""
        return cls.version

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Return the outputs by name for images (N, R, R, C).

        Raises:
            BadArtifact: the network does not take such images.
        """
        try:
            parts = [self._session.run(None, {"image": some}) for some in in_parts(images)]
        except Exception as error:  # as above
            raise _cannot_run(self, images, error) from error
        return _together(self._outputs, parts)


class OpenVino:
    """OpenVINO on the CPU, forced to float32 even if the processor has faster types.

    It compiles a network for a single image, which is faster, or for any number: each when first needed.

    Args:
        model: the bytes of the file, which must be self-contained.
        threads: for one call; None: all cores.
        callers: threads of the program that call `run` at once; more would wait for each other.

    Raises:
        MissingExtra: it is not installed.
        BadArtifact: the engine cannot load it, or it refers to other files.
    """

    name = "openvino"

    def __init__(self, model: bytes, threads: int | None = None, callers: int = 1) -> None:
        _refuse_external(model)
        self._core = _openvino_core()
        self.version: str = self.installed() or "of unknown version"
        self._settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": str(callers)}
        if threads is not None:
            self._settings["INFERENCE_NUM_THREADS"] = str(threads * callers)
        self._compiled: dict[bool, Any] = {}  # by: for a single image?
        self._compiling = threading.Lock()
        self._requests = threading.local()  # a request serves one thread
        try:
            self._network: Any = self._core.read_model(model, b"")
            _, *sides = self._network.inputs[0].partial_shape
            self.image_shape: tuple[int, ...] = (1, *(side.get_length() for side in sides))
            self._outputs = [sorted(output.get_names())[0] for output in self._network.outputs]
            self._compile(is_single=callers == 1)
        except Exception as error:  # RuntimeError mostly; nothing is promised
            raise _cannot_load(self, error, "engine='onnxruntime', or pip install --upgrade openvino") from error

    @staticmethod
    def installed() -> str | None:
        """Return the version; None if it is not installed. Does not import it."""
        try:
            return importlib.metadata.version("openvino")
        except importlib.metadata.PackageNotFoundError:
            return None

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Return the outputs by name for images (N, R, R, C).

        Raises:
            BadArtifact: the network does not take such images.
        """
        if images.dtype != np.uint8:  # it would be converted silently
            raise _cannot_run(self, images, TypeError("the input is uint8"))
        try:
            parts = [self._run(some) for some in in_parts(images)]
        except Exception as error:  # as above
            raise _cannot_run(self, images, error) from error
        return _together(self._outputs, parts)

    def _run(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        request = self._request(len(images) == 1)
        request.infer({"image": np.ascontiguousarray(images)}, share_inputs=True)
        return [request.get_output_tensor(i).data.copy() for i in range(len(self._outputs))]

    def _request(self, is_single: bool) -> Any:
        """Return this thread's request."""
        name = "single" if is_single else "batch"
        if not hasattr(self._requests, name):
            setattr(self._requests, name, self._compile(is_single).create_infer_request())
        return getattr(self._requests, name)

    def _compile(self, is_single: bool) -> Any:
        with self._compiling:
            if is_single not in self._compiled:
                network = self._network.clone()
                if is_single:
                    network.reshape({"image": list(self.image_shape)})
                self._compiled[is_single] = self._core.compile_model(network, "CPU", self._settings)
            return self._compiled[is_single]


@cache
def _openvino_core() -> Any:
    """Return OpenVINO's core: one for the whole program.

    Destroying two cores in the order of their creation leaves a dangling signal stack (2026.4), and the next signal then ends the
    program.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        with _hidden(TELEMETRY):
            import openvino
    except ModuleNotFoundError as error:
        raise missing_extra(error, "openvino") from error
    return openvino.Core()


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Let no import in the block find a module.

    Loading OpenVINO starts its statistics otherwise, which only a file in HOME declines.
    """
    known = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system documents it
    try:
        yield
    finally:
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known


DEFAULT = OnnxRuntime.name
ENGINES: dict[str, Any] = {engine.name: engine for engine in (OnnxRuntime, OpenVino)}


def installed_engines() -> dict[str, str]:
    """Return the versions of the engines that are installed, by name; the default is always one of them."""
    found = {name: engine.installed() for name, engine in ENGINES.items()}
    return {name: version for name, version in found.items() if version is not None}


def open_engine(model: bytes, name: str = DEFAULT, threads: int | None = None, callers: int = 1) -> Engine:
    """Load a model file into an engine.

    Args:
        model: the bytes of the file.
        name: of the engine.
        threads: for one call; None: all cores that this process may use.
        callers: threads of the program that will call `run` at once.

    Raises:
        BadOption: there is no such engine.
        MissingExtra: it is not installed.
        BadArtifact: it cannot load the file.
    """
    if name not in ENGINES:
        raise BadOption(f"engine must be auto or one of {', '.join(ENGINES)}; got {name!r}.", "engine='auto'")
    if threads is None and count_cores() < (os.cpu_count() or 1):  # engines count the machine's
        threads = count_cores()
    engine: Engine = ENGINES[name](model, threads, callers)
    return engine


def images_per_call(resolution: int) -> int:
    """Return how many images of a resolution go through the network at once; larger batches are slower.

    A power of two, so that the parts of a batch have one size: engines prepare for each number of images.

    >>> images_per_call(224), images_per_call(128), images_per_call(32), images_per_call(999)
    (4, 16, 256, 1)
    """
    return int(2 ** max(0, round(math.log2(PIXELS_PER_CALL / resolution**2))))


def in_parts(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Return a batch in parts of a fast size; anything else than a batch of images is returned whole."""
    if images.ndim != 4 or len(images) < 2:
        return [images]
    size = images_per_call(images.shape[1])
    return [images[start : start + size] for start in range(0, len(images), size)]


def _together(names: list[str], parts: list[list[NDArray[np.float32]]]) -> Outputs:
    """Return the outputs of all parts by name."""
    whole = parts[0] if len(parts) == 1 else [np.concatenate(found) for found in zip(*parts, strict=True)]
    return dict(zip(names, whole, strict=True))


def _refuse_external(model: bytes) -> None:
    outside = external_tensors(model)
    if outside:
        raise BadArtifact(
            f"the file keeps {len(outside)} of its tensors in other files, first {outside[0]!r}; "
            "a pocketvision model is one file, and nothing else is opened for it.",
            "a file that pocketvision fit wrote",
        )


def _cannot_load(engine: Engine, error: Exception, attempt: str) -> BadArtifact:
    return BadArtifact(f"{engine.name} {engine.version} cannot load the file: {_first_line(error)}", attempt)


def _cannot_run(engine: Engine, images: NDArray[np.uint8], error: Exception) -> BadArtifact:
    return BadArtifact(
        f"{engine.name} {engine.version} cannot run the file on images {images.shape} {images.dtype}: "
        f"{_first_line(error)}",
        "pocketvision verify FILE",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
