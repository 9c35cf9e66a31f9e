"""Predictor: a file and a photograph in, labels out. The four steps are on one screen."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact, BadImage, BadOption, PocketvisionError
from pocketvision.run.artifact import Record, read_record
from pocketvision.run.decode import decode_labels
from pocketvision.run.engines import Engine, OnnxRuntime
from pocketvision.run.images import IMAGE_SUFFIXES, load_images
from pocketvision.run.results import Labels

BATCH = 32


@dataclass(frozen=True)
class Answer:
    """What came of one source: labels, or the error that it met."""

    source: Any
    labels: Labels | None = None
    error: PocketvisionError | None = None


class Predictor:
    """A model ready to answer.

    model = Predictor.open("run/model.onnx")
    model.predict("cat.jpg")  # -> [Label(name='cat', probability=0.93), Label(name='dog', probability=0.05)]
    """

    def __init__(self, engine: Engine, record: Record) -> None:
        self.engine = engine
        self.record = record

    @classmethod
    def open(cls, file: str | Path | bytes, threads: int | None = None, latency_ms: float | None = None) -> "Predictor":
        """Open a file that pocketvision wrote.

        Args:
            file: its path, or its bytes; or the folder that `pocketvision cut --all` wrote.
            threads: for one call; None uses all cores.
            latency_ms: of a folder's files take the best that is as fast, measured here and now; None: the best.

        Raises:
            BadArtifact: it cannot be read, or is no pocketvision model.
            NoFit: no file of the folder is as fast.
            BadOption: a limit was given for one file.
        """
        if is_folder(file):
            from pocketvision.run.shelf import open_within

            return open_within(Path(str(file)), latency_ms, threads)
        if latency_ms is not None:
            raise BadOption(
                "latency_ms chooses among the files of a folder; this is one file.", "the folder that cut --all wrote"
            )
        engine = OnnxRuntime(file if isinstance(file, bytes) else read_bytes(file), threads)
        return cls(engine, read_record(engine.metadata))

    def predict(self, image: Any, top: int = 5) -> Any:
        """Return what is in the image.

        Args:
            image: a path, the bytes of a file, an array (H, W), (H, W, 3) or (H, W, 4) uint8, or a PIL image; or a list
                of these; or the path of a folder.
            top: how many labels, the likeliest first.

        Returns:
            Labels for one image; a list of Labels for a list; a dict from file name to Labels for a folder.

        Raises:
            BadImage: an image cannot be decoded. `stream` answers the others of a list.
        """
        if is_folder(image):
            files = image_files(image)
            return dict(zip([str(file.relative_to(image)) for file in files], self.predict(files, top), strict=True))
        if not isinstance(image, list | tuple):
            return self._answer([image], top)[0]
        labels: list[Labels | None] = []
        for number, answer in enumerate(self.stream(image, top, BATCH), start=1):
            if answer.error is not None:
                raise _in_list(answer.error, number, len(image))
            labels.append(answer.labels)
        return labels

    def stream(self, sources: Iterable[Any], top: int = 5, batch: int = BATCH) -> Iterator[Answer]:
        """Answer one source after the other, batch by batch; a source that cannot be read does not stop the rest."""
        for some in batched(sources, batch):
            try:
                yield from map(Answer, some, self._answer(some, top))
            except BadImage:
                yield from (self._answer_alone(source, top) for source in some)

    def embed(self, image: Any) -> NDArray[np.float32]:
        """Return the pooled features: what the network sees in an image, for search and for finding near-duplicates.

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
        if not isinstance(image, list | tuple):
            one: NDArray[np.float32] = self.features(self.prepare([image]))[0]
            return one
        parts = [self.features(self.prepare(some)) for some in batched(image, BATCH)]
        return np.concatenate(parts) if parts else self.features(self.prepare([]))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the pooled features (N, D) for prepared images (N, R, R, C).

        Raises:
            BadArtifact: the file has none.
        """
        outputs = self.engine.run(images)
        if "features" not in outputs:
            raise BadArtifact(
                f"the file has no output 'features'; it has {', '.join(outputs)}.",
                "a file of this release: fit it again",
            )
        return outputs["features"]

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the logits (N, classes) for prepared images (N, R, R, C)."""
        return self.engine.run(images)["logits"]

    def prepare(self, sources: Iterable[Any]) -> NDArray[np.uint8]:
        """Return the sources as the network's input, uint8 (N, R, R, C)."""
        record = self.record
        return load_images(list(sources), record.resolution, record.channels, record.preprocessing)

    def _answer(self, sources: list[Any], top: int) -> list[Labels]:
        images = self.prepare(sources)  # 1. decode, orient, resize
        outputs = self.engine.run(images)  # 2. run the network
        names, threshold = self.record.labels, self.record.unknown_threshold  # 3. what the record says
        return [decode_labels(row, names, threshold, top) for row in outputs["probabilities"]]  # 4. interpret

    def _answer_alone(self, source: Any, top: int) -> Answer:
        try:
            return Answer(source, self._answer([source], top)[0])
        except BadImage as error:
            return Answer(source, error=error)


def load(file: str | Path | bytes, threads: int | None = None) -> Predictor:
    """Open a model file; see `Predictor.open`."""
    return Predictor.open(file, threads)


def read_bytes(file: str | Path) -> bytes:
    """Return a model file's bytes.

    Raises:
        BadArtifact: there is no such file.
    """
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadArtifact(
            f"cannot read {str(file)!r}: {error.strerror}.", "the path of a file that pocketvision fit wrote"
        ) from error


def is_folder(source: object) -> bool:
    """Say whether a source is the path of a folder. What cannot be looked at is none: reading it then says why.

    >>> is_folder("."), is_folder(""), is_folder("x" * 999), is_folder(b".")
    (True, False, False, False)
    """
    return isinstance(source, str | Path) and source != "" and os.path.isdir(source)  # noqa: PTH112  is_dir() may raise


def image_files(folder: str | Path) -> list[Path]:
    """Return the images in a folder and its sub-folders, sorted by path; hidden ones are left out.

    A folder that may not be searched is given too, so that reading it says why.

    Raises:
        BadImage: there are none.
    """
    found: list[Path] = []
    refused: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        named = [Path(place, name) for name in names if not name.startswith(".")]
        found += [path for path in named if path.suffix.lower() in IMAGE_SUFFIXES and _may_be_file(path)]
    found += [Path(error.filename) for error in refused]
    if not found:
        raise BadImage(
            f"no images in {str(folder)!r}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}.", "another folder"
        )
    return sorted(found)


def _may_be_file(path: Path) -> bool:
    """Say whether it is a file, or one that may not be looked at; not a pipe, a device or a link to nothing."""
    try:
        return path.is_file()
    except OSError:
        return True


def _in_list(error: PocketvisionError, number: int, count: int) -> BadImage:
    """Return an image's error with its place in the list."""
    if count == 1:
        return BadImage(error.problem, error.attempt)
    attempt = f"{error.attempt}; " if error.attempt else ""
    return BadImage(
        f"image {number} of {count}: {error.problem}", f"{attempt}model.stream(images), which answers the others"
    )


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items; the last may be shorter.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
