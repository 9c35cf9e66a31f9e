"""The device file: what was measured on a device, to be read on another machine."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import onnxruntime
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocketvision.cost.count import count
from pocketvision.errors import BadDeviceFile
from pocketvision.files import write_atomically
from pocketvision.model.graph import Graph, Options
from pocketvision.model.resolve import resolve
from pocketvision.run.device import Device

VERSION = 1
NOISY = 0.15  # share of the median: with more noise, a file is worth a warning
Precision = Literal["fp32", "int8"]  # that networks are measured in
INTERPOLATION_NOISE = 0.05  # share of the value: error of a latency between two measured widths: docs/log.md


class Latency(NamedTuple):
    """How long one call takes: median and noise, and whether they are measured or predicted."""

    median_ms: float
    noise_ms: float
    is_predicted: bool = False


class Row(BaseModel):
    """One network on the device.

    Attributes:
        name: full name.
        family, width, resolution, classes, in_channels, output_stride, dilate, thin_head, conventions: as `resolve` takes them.
        precision: of the file: "fp32" or "int8".
        latency_ms, p95_ms, noise_ms, rounds: see `pocketvision.run.timing.Timing`.
        load_ms: from bytes to ready, in a process of its own; None if not measured.
        rss_mb: peak memory of that process, everything included, in 10^6 bytes.
        size_mb: of the file.
        macs, memory_mb: counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: str
    width: float = Field(gt=0)
    resolution: int = Field(gt=0)
    classes: int = Field(gt=1)
    in_channels: int = Field(ge=1, le=3)
    output_stride: int = Field(gt=0)
    dilate: bool
    thin_head: bool
    conventions: str
    precision: Precision
    latency_ms: float = Field(gt=0, allow_inf_nan=False)
    p95_ms: float = Field(gt=0, allow_inf_nan=False)
    noise_ms: float = Field(ge=0, allow_inf_nan=False)
    rounds: int = Field(ge=1)
    load_ms: float | None = None
    rss_mb: float | None = None
    size_mb: float = Field(gt=0)
    macs: int = Field(gt=0)
    memory_mb: float = Field(gt=0)

    @property
    def options(self) -> Options:
        """What `resolve` was asked for."""
        return Options(**{name: getattr(self, name) for name in Options._fields})


class DeviceFile(BaseModel):
    """What was measured on one device.

    Attributes:
        device: the machine.
        engine, engine_version, threads: what ran the networks.
        date: day of the measurement.
        process_mb: memory of a process that has loaded the engine and no network, in 10^6 bytes; None: not measured.
        rows: one for each network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    device: Device
    engine: str
    engine_version: str
    threads: int = Field(ge=1)
    date: str
    process_mb: float | None = None
    rows: tuple[Row, ...]

    def write(self, path: Path) -> None:
        """Write the file; an existing one is replaced only by the finished one."""
        write_atomically(path, (self.model_dump_json(indent=1) + "\n").encode())

    def latency_of(self, graph: Graph, precision: str = "fp32") -> Latency | None:
        """Return the network's latency in a precision; if it was not measured, predicted between the nearest measured widths.

        For other numbers of classes and input channels it is a prediction, too. None if nothing similar was measured. Weights
        that are stored as fp16 are fp32 when the network runs.
        """
        options = graph.source
        measured = "int8" if precision == "int8" else "fp32"
        like = [row for row in self.rows if row.precision == measured and _is_alike(row.options, options)]
        same = [row for row in like if row.options._replace(conventions=options.conventions) == options]
        if same:
            return Latency(same[0].latency_ms, same[0].noise_ms)
        by_width = {row.width: row for row in like}
        if options.width in by_width:
            row = by_width[options.width]
            return _predicted(row.latency_ms, row.noise_ms)
        lower = max((width for width in by_width if width < options.width), default=None)
        upper = min((width for width in by_width if width > options.width), default=None)
        if lower is None or upper is None:
            return None
        a, b = by_width[lower], by_width[upper]
        at = count(resolve(**options._replace(classes=a.classes, in_channels=a.in_channels)._asdict())).macs
        share = min(1.0, max(0.0, (at - a.macs) / max(1, b.macs - a.macs)))  # two widths may be rounded to one network
        return _predicted(a.latency_ms + share * (b.latency_ms - a.latency_ms), max(a.noise_ms, b.noise_ms))

    def warnings(self) -> list[str]:
        """Return the reasons not to trust the file here, one sentence each."""
        found = []
        if (self.engine, self.engine_version) != ("onnxruntime", onnxruntime.__version__):
            found.append(
                f"It was measured with {self.engine} {self.engine_version}; the finished file is verified here with "
                f"onnxruntime {onnxruntime.__version__}, and another version may be faster or slower."
            )
        noisy = [row for row in self.rows if row.noise_ms > NOISY * row.latency_ms]
        if noisy:
            found.append(
                f"{len(noisy)} of its {len(self.rows)} networks were measured with more than {NOISY:.0%} noise, "
                f"{noisy[0].name} first; probe again while the device is idle."
            )
        return found


class _Versioned(BaseModel):
    """The part of a device file that every version has."""

    version: int


def _is_alike(measured: Options, asked: Options) -> bool:
    """Whether both are one family at one resolution and output stride; the width is compared elsewhere.

    Conventions change padding and constants, not the cost.
    """
    shared = ("family", "resolution", "output_stride", "dilate")
    return all(getattr(measured, name) == getattr(asked, name) for name in shared)


def _predicted(latency_ms: float, noise_ms: float) -> Latency:
    return Latency(latency_ms, noise_ms + INTERPOLATION_NOISE * latency_ms, is_predicted=True)


def read_device_file(path: Path) -> DeviceFile:
    """Read a device file.

    Raises:
        BadDeviceFile: the file is missing or damaged, or has another version.
    """
    attempt = "pocketvision probe -o FILE on the device"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadDeviceFile(f"cannot read {str(path)!r}: {error.strerror}.", attempt) from error
    try:
        version = _Versioned.model_validate_json(content).version
        if version != VERSION:
            raise BadDeviceFile(f"{str(path)!r} has version {version}; this release reads version {VERSION}.", attempt)
        return DeviceFile.model_validate_json(content)
    except ValidationError as error:
        raise BadDeviceFile(f"{str(path)!r} is not a device file: {_first_problem(error)}.", attempt) from error


def _first_problem(error: ValidationError) -> str:
    problem: Any = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else problem["msg"]
