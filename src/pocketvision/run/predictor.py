"""Predictor: a file and a photograph in, labels out. The four steps are on one screen."""

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact, BadImage, BadOption, PocketvisionError
from pocketvision.run.ahead import ahead
from pocketvision.run.decode import decode_labels
from pocketvision.run.device import count_cores
from pocketvision.run.engines import Engine, Outputs, images_per_call, open_engine
from pocketvision.run.fastest import fastest_engine
from pocketvision.run.image_files import image_files
from pocketvision.run.images import is_file_object, load_image, load_images, name_of
from pocketvision.run.record import Record, record_of
from pocketvision.run.results import Labels

BATCH = 32
MODEL = "model.onnx"  # of a run folder
FEW = 8  # sources that are answered one by one, by the engine that is already open


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer for one source: labels, or an error.

    Attributes:
        source: as it was given.
        labels: the likeliest first; None if there is an error.
        error: why it could not be read.
        outputs: of the network, by name, one row each.
    """

    source: Any
    labels: Labels | None = None
    error: PocketvisionError | None = None
    outputs: Outputs = field(default_factory=dict)


class Predictor:
    """A model ready to answer.

    model = Predictor.open("run/model.onnx")
    model.predict("cat.jpg")  # -> [Label(name='cat', probability=0.93), Label(name='dog', probability=0.05)]

    Args:
        engine: for one image at a time, with all threads.
        record: what the file says about itself.
        crew: opens the engine for batches: one thread for each call, as many calls at once as there are workers.
        workers: threads that each decode and run a batch, in `stream`.
    """

    def __init__(
        self, engine: Engine, record: Record, crew: Callable[[], Engine] | None = None, workers: int = 1
    ) -> None:
        self.engine = engine
        self.record = record
        self.workers = workers
        self._open_crew = crew

    @classmethod
    def open(
        cls,
        file: str | Path | bytes,
        threads: int | None = None,
        latency_ms: float | None = None,
        engine: str = "auto",
    ) -> "Predictor":
        """Open a file that pocketvision wrote.

        Args:
            file: its path, or its bytes; a run folder, whose file is opened; or the folder that `pocketvision cut --all` wrote.
            threads: for one call, or for a folder's images; None uses all cores.
            latency_ms: take the best of a folder's files that is as fast as that, measured here and now; None: the best.
            engine: "onnxruntime", "openvino", or "auto": the fastest installed one that gives the file's goldens. With several
                installed, that is measured once for each file, number of threads, and one image or many: a second on a server,
                more on a small board.

        Raises:
            BadArtifact: it cannot be read, or is not a pocketvision model.
            NoFit: no file of the folder is that fast.
            BadOption: a limit was given for one file, or there is no such engine.
            MissingExtra: the engine is not installed.
        """
        if is_folder(file) and not Path(str(file), MODEL).exists():
            from pocketvision.run.sizes import open_within

            return open_within(Path(str(file)), latency_ms, threads, engine)
        if latency_ms is not None:
            raise BadOption(
                "latency_ms chooses among the files of a folder; this is one file.", "the folder that cut --all wrote"
            )
        content = file if isinstance(file, bytes) else read_bytes(file)
        record = record_of(content)
        opened = open_engine(content, _choose(content, record, engine, threads, 1), threads)
        workers = threads or count_cores()

        def open_crew() -> Engine:
            name = _choose(content, record, engine, 1, images_per_call(record.resolution))
            return opened if (name, workers) == (opened.name, 1) else open_engine(content, name, 1, workers)

        return cls(opened, record, open_crew, workers)

    def predict(self, image: Any, top: int = 5) -> Any:
        """Return what is in the image.

        Args:
            image: a path, the bytes of a file, a file opened as "rb", an array (H, W), (H, W, 3) or (H, W, 4) uint8, or a PIL
                image; or a list or a generator of these; or the path of a folder.
            top: how many labels, the likeliest first.

        Returns:
            Labels for one image; a list of Labels for several; a dict from file name to Labels for a folder.

        Raises:
            BadImage: an image cannot be decoded. `stream` answers the others of a list.
        """
        if is_folder(image):
            files = image_files(image)
            return dict(zip([str(file.relative_to(image)) for file in files], self.predict(files, top), strict=True))
        if are_several(image):
            return [answer.labels for answer in self._whole_list(image, top)]
        images = self.prepare([image])  # 1. decode, orient, resize
        outputs = self.engine.run(images)  # 2. run the network
        names, threshold = self.record.labels, self.record.unknown_threshold  # 3. what the record says
        return decode_labels(outputs["probabilities"][0], names, threshold, top)  # 4. interpret

    def stream(self, sources: Iterable[Any], top: int = 5, batch: int = BATCH) -> Iterator[Answer]:
        """Answer one source after the other, or each image of a folder; one that cannot be read does not stop the rest.

        All cores are kept busy: each decodes a batch and runs the network on it, so some batches are read ahead, but not with
        one thread. Memory does not grow with the number of sources.

        Raises:
            BadOption: `batch` is below 1, or there is one source alone.
        """
        if batch < 1:
            raise BadOption(f"batch must be 1 or more; got {batch}.", f"batch={BATCH}")
        if is_folder(sources):
            sources = image_files(str(sources))
        if isinstance(sources, str | bytes | Path) or is_file_object(sources):
            raise BadOption(f"stream takes several images; got {name_of(sources)} alone.", "stream([image])")
        engine, workers = self.engine, 1
        if isinstance(sources, Sized) and len(sources) <= FEW:
            batch = 1
        else:
            engine, workers = self._crew, self.workers
        answer = partial(self._answer_batch, engine=engine, top=top)
        for answers in ahead(answer, batched(sources, batch), workers, 2 * workers if workers > 1 else 1):
            yield from answers

    def embed(self, image: Any) -> NDArray[np.float32]:
        """Return the pooled features of images, for search and for finding near-duplicates.

        Args:
            image: as in `predict`: one image, a list, or a folder.

        Returns:
            (D,) float32 for one image, else (N, D), a folder's images sorted by path. Compare by cosine.

        Raises:
            BadImage: an image cannot be decoded.
            BadArtifact: the file has no features.
        """
        if is_folder(image):
            image = image_files(image)
        if not are_several(image):
            one: NDArray[np.float32] = self.features(self.prepare([image]))[0]
            return one
        rows = [features_of(answer.outputs) for answer in self._whole_list(image, top=1)]
        return np.stack(rows) if rows else self.features(self.prepare([]))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the pooled features (N, D) for prepared images (N, R, R, C).

        Raises:
            BadArtifact: the file has none.
        """
        return features_of(self.engine.run(images))

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N, classes) for prepared images (N, R, R, C)."""
        return self.engine.run(images)["logits"]

    def prepare(self, sources: Iterable[Any]) -> NDArray[np.uint8]:
        """Return the sources as the network's input, uint8 (N, R, R, C)."""
        record = self.record
        return load_images(list(sources), record.resolution, record.channels, record.preprocessing)

    @cached_property
    def _crew(self) -> Engine:
        """The engine for batches."""
        return self.engine if self._open_crew is None else self._open_crew()

    def _answer_batch(self, sources: list[Any], engine: Engine, top: int) -> list[Answer]:
        """Decode a batch, run the network once on what could be read, and interpret."""
        record = self.record
        images: list[NDArray[np.uint8] | BadImage] = []
        for source in sources:
            try:
                images.append(load_image(source, record.resolution, record.channels, record.preprocessing))
            except BadImage as error:
                # without its traceback, which keeps the batch alive
                images.append(BadImage(error.problem, error.attempt))
        good = [image for image in images if not isinstance(image, BadImage)]
        outputs = engine.run(np.stack(good)) if good else {}
        rows = ({name: found[i] for name, found in outputs.items()} for i in range(len(good)))
        return [
            Answer(source, error=image) if isinstance(image, BadImage) else self._interpret(source, next(rows), top)
            for source, image in zip(sources, images, strict=True)
        ]

    def _interpret(self, source: Any, outputs: Outputs, top: int) -> Answer:
        labels = decode_labels(outputs["probabilities"], self.record.labels, self.record.unknown_threshold, top)
        return Answer(source, labels, outputs=outputs)

    def _whole_list(self, sources: Iterable[Any], top: int) -> Iterator[Answer]:
        """Answer several images, all of which must be readable."""
        count = len(sources) if isinstance(sources, Sized) else None
        for number, answer in enumerate(self.stream(sources, top), start=1):
            if answer.error is not None:
                raise _in_list(answer.error, number, count)
            yield answer


def _choose(model: bytes, record: Record, asked: str, threads: int | None, batch: int) -> str:
    """Return the engine's name; $POCKETVISION_ENGINE replaces "auto", for a service or a test that needs a fixed one."""
    name = os.environ.get("POCKETVISION_ENGINE", asked) if asked == "auto" else asked
    return fastest_engine(model, record, threads, batch).engine if name == "auto" else name


def features_of(outputs: Outputs) -> NDArray[np.float32]:
    """Return the pooled features among a network's outputs.

    Raises:
        BadArtifact: there are none.
    """
    if "features" not in outputs:
        raise BadArtifact(
            f"the file has no output 'features'; it has {', '.join(outputs)}.", "a file that pocketvision fit wrote"
        )
    return outputs["features"]


def load(file: str | Path | bytes, threads: int | None = None, engine: str = "auto") -> Predictor:
    """Open a model file; see `Predictor.open`."""
    return Predictor.open(file, threads, engine=engine)


def read_bytes(file: str | Path) -> bytes:
    """Return the bytes of a model file, or of a run folder's.

    Raises:
        BadArtifact: there is no such file.
    """
    try:
        return (Path(file, MODEL) if Path(file, MODEL).is_file() else Path(file)).read_bytes()
    except OSError as error:
        raise BadArtifact(
            f"cannot read {str(file)!r}: {error.strerror}.", "the path of a file that pocketvision fit wrote"
        ) from error


def is_folder(source: object) -> bool:
    """Whether a source is the path of a folder. A path that cannot be examined counts as a file; reading it raises the reason.

    >>> is_folder("."), is_folder(""), is_folder("x" * 999), is_folder(b".")
    (True, False, False, False)
    """
    return isinstance(source, str | Path) and source != "" and os.path.isdir(source)  # noqa: PTH112  is_dir() may raise


def are_several(source: object) -> bool:
    """Whether a source is several images: a list, a tuple or a generator of them. An open file is one, though it has lines.

    >>> from io import BytesIO
    >>> are_several([b"x"]), are_several(iter([b"x"])), are_several(b"x"), are_several(BytesIO(b"x"))
    (True, True, False, False)
    """
    return isinstance(source, list | tuple | Iterator) and not is_file_object(source)


def _in_list(error: PocketvisionError, number: int, count: int | None) -> BadImage:
    """Return an image's error with its place in the list; the count of a generator is not known."""
    if count == 1:
        return BadImage(error.problem, error.attempt)
    attempt = f"{error.attempt}; " if error.attempt else ""
    return BadImage(
        f"image {number}{'' if count is None else f' of {count}'}: {error.problem}",
        f"{attempt}model.stream(images), which answers the others",
    )


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items; the last may be shorter.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
