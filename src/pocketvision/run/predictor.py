"""Predictor: a file and a photograph in, labels out. The four steps are on one screen."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketvision.errors import BadArtifact, BadImage, PocketvisionError
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
    def open(cls, file: str | Path | bytes, threads: int | None = None) -> "Predictor":
        """Open a file that pocketvision wrote.

        Args:
            file: its path, or its bytes.
            threads: for one call; None uses all cores.

        Raises:
            BadArtifact: it cannot be read, or is no pocketvision model.
        """
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
            BadImage: an image cannot be decoded.
        """
        if isinstance(image, str | Path) and Path(image).is_dir():
            files = image_files(image)
            return dict(zip([str(file.relative_to(image)) for file in files], self.predict(files, top), strict=True))
        if not isinstance(image, list | tuple):
            return self._answer([image], top)[0]
        answers: list[Labels] = []
        for batch in batched(image, BATCH):
            answers += self._answer(batch, top)
        return answers

    def stream(self, sources: Iterable[Any], top: int = 5, batch: int = BATCH) -> Iterator[Answer]:
        """Answer one source after the other, batch by batch; a source that cannot be read does not stop the rest."""
        for some in batched(sources, batch):
            try:
                yield from map(Answer, some, self._answer(some, top))
            except BadImage:
                yield from (self._answer_alone(source, top) for source in some)

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


def image_files(folder: str | Path) -> list[Path]:
    """Return the images in a folder and its sub-folders, sorted by path; hidden ones are left out.

    Raises:
        BadImage: there are none.
    """
    root = Path(folder)
    found = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if not found:
        raise BadImage(
            f"no images in {str(folder)!r}; looked for {', '.join(sorted(IMAGE_SUFFIXES))}.", "another folder"
        )
    return found


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items; the last may be shorter.

    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
