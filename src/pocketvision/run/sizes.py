"""A folder of a few sizes of one network: the best that is fast enough is found on the device that runs it."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pocketvision.errors import BadArtifact, NoFit
from pocketvision.events import drain
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import MODEL, Predictor
from pocketvision.run.timing import Timing, always, time_interleaved

INDEX = "index.json"
VERSION = 1
SECONDS = 2.0  # for timing all files


@dataclass(frozen=True)
class SizedFile:
    """One file of the folder.

    Attributes:
        file: its path.
        network: its network's full name.
        validation_top1: when it was trained.
        macs: multiply-adds for one image.
    """

    file: Path
    network: str
    validation_top1: float
    macs: int


def read_sizes(folder: Path) -> list[SizedFile]:
    """Return the files that the folder's index lists, the best first.

    Raises:
        BadArtifact: `pocketvision cut --all` did not write the folder.
    """
    try:
        content = json.loads((folder / INDEX).read_bytes())
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}; this release reads version {VERSION}")
        files = [SizedFile(**row | {"file": folder / row["file"]}) for row in content["files"]]
        if not files or any(each.file.parent != folder for each in files):
            raise ValueError("it lists no files of this folder")
    except FileNotFoundError as error:
        raise BadArtifact(
            f"{str(folder)!r} is a folder, and holds neither a {MODEL} nor an {INDEX} of cuts.",
            "a finished run's folder or file, or the folder that pocketvision cut --all wrote",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadArtifact(
            f"{str(folder / INDEX)!r} lists no cuts: {error}.", "pocketvision cut RUN --all -o FOLDER"
        ) from error
    return sorted(files, key=lambda each: -each.validation_top1)


def open_within(folder: Path, latency_ms: float | None, threads: int | None = None, engine: str = "auto") -> Predictor:
    """Open the best file whose median latency plus noise is within a limit, measured here and now; None: the best.

    Raises:
        BadArtifact: see `read_sizes`.
        NoFit: no file is fast enough.
    """
    files = read_sizes(folder)
    if latency_ms is None:
        return Predictor.open(files[0].file, threads, engine=engine)
    models = {each.network: Predictor.open(each.file, threads, engine=engine) for each in files}
    found = _time(models)
    for each in files:
        timing = found[each.network]
        if timing.median_ms + timing.noise_ms <= latency_ms:
            return models[each.network]
    fastest = min(files, key=lambda each: found[each.network].median_ms)
    timing = found[fastest.network]
    raise NoFit(
        f"no file in {str(folder)!r} has latency_ms <= {latency_ms:g} here. Closest of {len(files)}: {fastest.network} at "
        f"{timing.median_ms + timing.noise_ms:.3g}.",
        f"latency_ms={timing.median_ms + timing.noise_ms:.3g}",
    )


def _time(models: dict[str, Predictor]) -> dict[str, Timing]:
    """Time one call of each on a ready image, in rounds that take turns."""
    calls = {
        name: always(partial(model.engine.run, golden_images(1, model.record.resolution, model.record.channels)))
        for name, model in models.items()
    }
    return drain(time_interleaved(calls, SECONDS))
