"""probe: how fast networks run on THIS machine, measured before anything is trained. Latency does not depend on weights."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path

from pocketvision.cost.count import count
from pocketvision.cost.device_file import DeviceFile, Precision, Row
from pocketvision.cost.int8 import counted_memory_mb, name_in
from pocketvision.errors import BadArtifact, BadOption
from pocketvision.events import Progress, Timed, Work, mapped
from pocketvision.model.fake_quant import untrained_int8
from pocketvision.model.graph import Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve_again
from pocketvision.run.device import this_device
from pocketvision.run.engines import DEFAULT, OnnxRuntime
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import read_bytes
from pocketvision.run.record import record_of
from pocketvision.run.timing import Call, Open, Timing, time_interleaved

SECONDS = 60.0  # at most, for all networks together


@dataclass(frozen=True)
class ModelFile:
    """One network to time.

    Attributes:
        path: of its ONNX file.
        graph: what it is.
        precision: of the file.
    """

    path: Path
    graph: Graph
    precision: Precision = "fp32"


def probe(
    graphs: Iterable[Graph],
    threads: int = 1,
    seconds: float = SECONDS,
    footprints: bool = True,
    precisions: Sequence[Precision] = ("fp32",),
) -> Work[DeviceFile]:
    """Measure untrained networks on this machine, each in every one of the precisions.

    Args, events, result and errors: see `probe_each`.
    """
    return (yield from probe_each(list(product(graphs, precisions)), threads, seconds, footprints))


def probe_each(
    networks: Sequence[tuple[Graph, Precision]], threads: int = 1, seconds: float = SECONDS, footprints: bool = True
) -> Work[DeviceFile]:
    """Measure untrained networks on this machine.

    Args:
        networks: each in a precision.
        threads: of the engine, for one call.
        seconds: no further round of timing starts after these; each network has two rounds at least.
        footprints: also measure load time and memory, each network in a process of its own.

    Yields:
        Progress while files are written and memory is measured; Timed for each round of each network.

    Returns:
        What was measured, in the order of the networks.

    Raises:
        BadOption: threads < 1, seconds <= 0, or no networks.
    """
    _check(networks, threads, seconds)
    with tempfile.TemporaryDirectory(prefix="pocketvision-probe-") as folder:
        files: dict[str, ModelFile] = {}
        for i, (graph, precision) in enumerate(networks):
            path = Path(folder, f"{i}.onnx")
            path.write_bytes(untrained(graph, precision))
            files[name_in(precision, graph.name)] = ModelFile(path, graph, precision)
            yield Progress("writing networks", i + 1, len(networks))
        return (yield from _probe(files, threads, seconds, footprints))


def untrained(graph: Graph, precision: Precision) -> bytes:
    """Return the file of a network with initial weights; the scales of an int8 one are of the usual size."""
    if precision == "int8":
        return write_onnx(*untrained_int8(graph))
    return write_onnx(graph, initial_arrays(graph, seed=0))


def probe_files(paths: Iterable[Path], threads: int = 1, seconds: float = SECONDS) -> Work[DeviceFile]:
    """Measure finished model files on this machine, as `probe` does untrained networks.

    Raises:
        BadArtifact: one of them is not a model file, or does not state its network.
    """
    files, paths = {}, list(paths)
    _check(paths, threads, seconds)
    for path in paths:
        model = record_of(read_bytes(path)).model
        try:
            precision: Precision = "int8" if model.get("precision") == "int8" else "fp32"
            files[str(path)] = ModelFile(path, resolve_again(model), precision)
        except KeyError as error:
            raise BadArtifact(
                f"the record of {str(path)!r} does not state its network's {error.args[0]}.",
                "a file that pocketvision fit wrote",
            ) from error
    return (yield from _probe(files, threads, seconds, footprints=True))


def _probe(files: Mapping[str, ModelFile], threads: int, seconds: float, footprints: bool) -> Work[DeviceFile]:
    timings = yield from measure_latencies({name: file.path for name, file in files.items()}, threads, seconds)
    sizes: dict[str, dict[str, float]] = {name: {} for name in files}
    if footprints:
        for i, (name, file) in enumerate(files.items()):
            sizes[name] = measure_footprint(file.path, threads)
            yield Progress("measuring load time and memory", i + 1, len(files))
    empty = [found["process_mb"] for found in sizes.values() if found]
    return DeviceFile(
        device=this_device(),
        engine=OnnxRuntime.name,
        engine_version=OnnxRuntime.version,
        threads=threads,
        date=datetime.now(UTC).date().isoformat(),
        process_mb=min(empty, default=None),
        rows=tuple(_row(name, file, timings[name], sizes[name]) for name, file in files.items()),
    )


def _row(name: str, file: ModelFile, timing: Timing, footprint: Mapping[str, float]) -> Row:
    return Row(
        name=name,
        **file.graph.source._asdict(),
        precision=file.precision,
        latency_ms=timing.median_ms,
        p95_ms=timing.p95_ms,
        noise_ms=timing.noise_ms,
        rounds=timing.rounds,
        load_ms=footprint.get("load_ms"),
        rss_mb=footprint.get("rss_mb"),
        size_mb=round(file.path.stat().st_size / 1e6, 6),
        macs=count(file.graph).macs,
        memory_mb=round(counted_memory_mb(file.graph, file.precision), 3),
    )


def measure_latencies(files: Mapping[str, Path], threads: int, seconds: float) -> Work[dict[str, Timing]]:
    """Time model files side by side: one call on one ready uint8 image.

    Each round reads a file anew and drops it again, so that many networks need no more memory than one.
    """
    return (yield from time_calls({name: partial(_open, path, threads) for name, path in files.items()}, seconds))


def time_calls(contestants: Mapping[str, Open], seconds: float) -> Work[dict[str, Timing]]:
    """Time calls as `time_interleaved` does; each round is an event."""

    def to_event(known: tuple[str, Timing]) -> Timed:
        name, timing = known
        return Timed(name, timing.median_ms, timing.p95_ms, timing.noise_ms, timing.rounds)

    return (yield from mapped(time_interleaved(contestants, seconds), to_event))


def _open(path: Path, threads: int) -> Call:
    engine = OnnxRuntime(read_bytes(path), threads)
    _, side, _, channels = engine.image_shape
    return partial(engine.run, golden_images(1, side, channels))


def measure_footprint(path: Path, threads: int, engine: str = DEFAULT) -> dict[str, float]:
    """Return load_ms, first_ms, rss_mb and process_mb of a process with only this network; empty if none can be started."""
    model, words = read_bytes(path), [sys.executable, "-m", "pocketvision.run.footprint", str(threads), engine]
    try:
        done = subprocess.run(words, input=model, capture_output=True)
    except OSError:
        return {}
    content: dict[str, float] = json.loads(done.stdout) if done.returncode == 0 else {}
    return content


def _check(networks: Sized, threads: int, seconds: float) -> None:
    if not len(networks):
        raise BadOption("there is no network to probe.", "pocketvision probe mobilenet_v1")
    if threads < 1:
        raise BadOption(f"threads must be 1 or more; got {threads}.", "--threads 1")
    if not seconds > 0:
        raise BadOption(f"seconds must be above 0; got {seconds:g}.", f"--seconds {SECONDS:g}")
