"""bench: one finished file on this machine, by engine, threads and batch; or for minutes on end, which shows throttling."""

import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pocketvision.cost.probe import measure_footprint, time_calls
from pocketvision.errors import BadImage, BadOption
from pocketvision.events import Note, Progress, Timed, Work
from pocketvision.run.device import this_device
from pocketvision.run.engines import Engine, installed_engines, open_engine
from pocketvision.run.goldens import golden_images
from pocketvision.run.images import read_image
from pocketvision.run.predictor import Predictor, read_bytes
from pocketvision.run.record import record_of
from pocketvision.run.timing import always
from pocketvision.text import plural

SECONDS = 20.0  # for timing all cells together; each has two rounds at least
PHOTO = (500, 375)  # of the synthetic photograph, if no images are given; a common size in data sets
DECODED = 128  # images that are answered from their bytes
PASSES = 3  # over these
WINDOWS = 60  # of a sustained run
SHORTEST_WINDOW = 0.5  # seconds
TEMPERATURES, CLOCKS = "/sys/class/thermal/thermal_zone0/temp", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq"


@dataclass(frozen=True)
class Cell:
    """How long one call takes in one setting.

    Attributes:
        engine, threads, batch: the setting.
        median_ms, p95_ms, noise_ms, rounds: see `pocketvision.run.timing.Timing`.
        images_per_second: at the median.
    """

    engine: str
    threads: int
    batch: int
    median_ms: float
    p95_ms: float
    noise_ms: float
    rounds: int
    images_per_second: float


@dataclass(frozen=True)
class Start:
    """What an engine takes besides its calls.

    Attributes:
        engine, threads: the setting.
        load_ms: until the network is loaded; None, as the next two, if no process could be started to measure it.
        first_ms: until it has answered one image after that.
        rss_mb: peak memory of a process with this network alone, in 10^6 bytes.
        images_per_second: from the bytes of files to labels, as `predict` does it with so many threads.
    """

    engine: str
    threads: int
    load_ms: float | None
    first_ms: float | None
    rss_mb: float | None
    images_per_second: float


@dataclass(frozen=True)
class Bench:
    """What was measured of a file.

    Attributes:
        network: its name.
        size_mb: of the file, in 10^6 bytes.
        device, date: where and when.
        engines: versions by name.
        images: what was decoded.
        cells, starts: see there.
    """

    network: str
    size_mb: float
    device: str
    date: str
    engines: dict[str, str]
    images: str
    cells: tuple[Cell, ...]
    starts: tuple[Start, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Window:
    """A part of a sustained run.

    Attributes:
        seconds: since the beginning, at its end.
        median_ms, p95_ms: of the calls in it.
        celsius, mhz: of the processor at its end; None if the system does not tell.
    """

    seconds: float
    median_ms: float
    p95_ms: float
    celsius: float | None
    mhz: float | None


@dataclass(frozen=True)
class Sustained:
    """One image after the other, for minutes.

    Attributes:
        network, device, date, engine, threads: what ran where and when.
        windows: in their order.
    """

    network: str
    device: str
    date: str
    engine: str
    threads: int
    windows: tuple[Window, ...]

    @property
    def slowdown(self) -> float:
        """How much longer a call takes in the last tenth of the time than in the first; 0.25 is a quarter longer."""
        tenth = max(1, len(self.windows) // 10)
        medians = [window.median_ms for window in self.windows]
        return statistics.median(medians[-tenth:]) / statistics.median(medians[:tenth]) - 1

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"slowdown": round(self.slowdown, 4)}


def bench(
    file: str | Path,
    engines: Sequence[str] = (),
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1, 32),
    images: Sequence[Any] = (),
    seconds: float = SECONDS,
) -> Work[Bench]:
    """Measure a finished file; all settings take turns.

    Args:
        file: its path.
        engines: names; none: all that are installed.
        threads: for one call; each number is measured.
        batches: images in one call; each number is measured.
        images: files to answer from their bytes, the first 128 of them; none: a synthetic photograph.
        seconds: no further round of timing starts after these; each setting has two rounds at least.

    Yields:
        Timed for each round of each setting, Progress for the rest.

    Raises:
        BadArtifact: it is not a pocketvision model.
        BadOption: a number is out of range, or there is no such engine.
        MissingExtra: an engine is not installed.
        BadImage: an image cannot be read.
    """
    _check(threads, batches, seconds)
    model = read_bytes(file)
    record, versions = record_of(model), installed_engines()
    names = list(engines) or list(versions)
    settings = [(name, count) for name in names for count in threads]
    contents = [_content(image) for image in images[:DECODED]]
    cells = yield from _measure_calls(model, settings, batches, seconds)
    pace = yield from _from_bytes(model, settings, contents or [made_up_photo()])
    starts = []
    for i, (name, count) in enumerate(settings):
        taken = measure_footprint(Path(file), count, name)
        load_ms, first_ms, rss_mb = (taken.get(what) for what in ("load_ms", "first_ms", "rss_mb"))
        starts.append(Start(name, count, load_ms, first_ms, rss_mb, pace[name, count]))
        yield Progress("measuring load time and memory", i + 1, len(settings))
    return Bench(
        network=record.model["name"],
        size_mb=round(len(model) / 1e6, 6),
        device=str(this_device()),
        date=datetime.now(UTC).date().isoformat(),
        engines={name: versions[name] for name in names},
        images=_describe(len(contents)),
        cells=cells,
        starts=tuple(starts),
    )


def sustain(file: str | Path, minutes: float, engine: str = "auto", threads: int | None = 1) -> Work[Sustained]:
    """Run one image after the other for minutes on end, without a pause; Ctrl-C ends it and keeps what was measured.

    Args:
        file: its path.
        minutes: how long.
        engine: its name, or "auto".
        threads: for one call; None: all cores.

    Yields:
        Timed, after each part of the time.

    Raises:
        BadArtifact: it is not a pocketvision model.
        BadOption: minutes <= 0, or there is no such engine.
    """
    if not minutes > 0:
        raise BadOption(f"sustained must be above 0 minutes; got {minutes:g}.", "--sustained 1")
    model = Predictor.open(file, threads, engine=engine)
    image = golden_images(1, model.record.resolution, model.record.channels)
    length = max(SHORTEST_WINDOW, 60 * minutes / WINDOWS)
    windows: list[Window] = []
    began = time.perf_counter()
    try:
        while not windows or windows[-1].seconds < 60 * minutes - length / 2:
            windows.append(_window(model.engine, image, began, length))
            last = windows[-1]
            yield Timed(f"{last.seconds:.0f} s", last.median_ms, last.p95_ms, 0.0, len(windows))
    except KeyboardInterrupt:
        if not windows:
            raise
        yield Note(f"Stopped after {windows[-1].seconds:.0f} seconds; what was measured until then counts.")
    return Sustained(
        network=model.record.model["name"],
        device=str(this_device()),
        date=datetime.now(UTC).date().isoformat(),
        engine=model.engine.name,
        threads=threads or this_device().cores,
        windows=tuple(windows),
    )


def _window(engine: Engine, image: Any, began: float, length: float) -> Window:
    taken: list[float] = []
    start = time.perf_counter()
    while not taken or time.perf_counter() - start < length:
        before = time.perf_counter()
        engine.run(image)
        taken.append(1000 * (time.perf_counter() - before))
    return Window(
        seconds=round(time.perf_counter() - began, 2),
        median_ms=round(float(np.median(taken)), 4),
        p95_ms=round(float(np.quantile(taken, 0.95)), 4),
        celsius=_read_thousandths(TEMPERATURES),
        mhz=_read_thousandths(CLOCKS),
    )


def _read_thousandths(path: str) -> float | None:
    """Return what the system states in thousandths, of a degree or of a MHz."""
    try:
        return int(Path(path).read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def made_up_photo() -> bytes:
    """Return a synthetic JPEG file of a common size, with as much detail as a photograph."""
    cells = golden_images(4, 64, 3).mean(axis=0).astype(np.uint8)
    large = Image.fromarray(cells).resize(PHOTO, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    large.save(file, "JPEG", quality=90)
    return file.getvalue()


def _measure_calls(
    model: bytes, settings: Sequence[tuple[str, int]], batches: Sequence[int], seconds: float
) -> Work[tuple[Cell, ...]]:
    """Return how long one call takes for each engine, number of threads and batch; they take turns."""
    record = record_of(model)
    one = golden_images(1, record.resolution, record.channels)
    engines = {setting: open_engine(model, *setting) for setting in settings}
    calls = {
        (*setting, batch): partial(engine.run, np.repeat(one, batch, axis=0))
        for setting, engine in engines.items()
        for batch in batches
    }
    timings = yield from time_calls({_name(*cell): always(call) for cell, call in calls.items()}, seconds)
    cells = []
    for cell in calls:
        found, batch = timings[_name(*cell)], cell[2]
        per_second = round(1000 * batch / found.median_ms, 1)
        cells.append(Cell(*cell, found.median_ms, found.p95_ms, found.noise_ms, found.rounds, per_second))
    return tuple(cells)


def _content(image: str | Path | bytes) -> bytes:
    """Return an image file's bytes, after decoding them once."""
    if not isinstance(image, bytes):
        try:
            content = Path(image).read_bytes()
        except OSError as error:
            raise BadImage(f"{str(image)!r} cannot be read: {error.strerror}.", "--images with an image") from error
        read_image(image)  # by its name, which errors then mention
        return content
    read_image(image)
    return image


def _from_bytes(
    model: bytes, settings: Sequence[tuple[str, int]], images: Sequence[bytes]
) -> Work[dict[tuple[str, int], float]]:
    """Return how many images a second each setting answers from their bytes; they take turns."""
    contents = [images[i % len(images)] for i in range(DECODED)]
    predictors = {(name, threads): Predictor.open(model, threads, engine=name) for name, threads in settings}
    taken: dict[tuple[str, int], list[float]] = {setting: [] for setting in settings}
    for turn in range(PASSES + 1):
        for setting, predictor in predictors.items():
            began = time.perf_counter()
            for answer in predictor.stream(contents, top=1):
                if answer.error is not None:
                    raise answer.error
            taken[setting].append(time.perf_counter() - began)
        yield Progress("answering from bytes", turn + 1, PASSES + 1)
    return {setting: round(DECODED / statistics.median(found[1:]), 1) for setting, found in taken.items()}


def _describe(images: int) -> str:
    if not images:
        return f"a synthetic JPEG of {PHOTO[0]} x {PHOTO[1]} pixels"
    return f"{images:,} of the user's"


def _name(engine: str, threads: int, batch: int) -> str:
    return f"{engine}, {plural(threads, 'thread')}, batch {batch}"


def _check(threads: Sequence[int], batches: Sequence[int], seconds: float) -> None:
    for name, numbers in (("threads", threads), ("batch", batches)):
        if not numbers or min(numbers) < 1:
            raise BadOption(f"{name} must be whole numbers from 1; got {list(numbers)}.", f"--{name} 1")
    if not seconds > 0:
        raise BadOption(f"seconds must be above 0; got {seconds:g}.", f"--seconds {SECONDS:g}")
