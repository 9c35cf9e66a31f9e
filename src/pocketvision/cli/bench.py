"""pocketvision bench: how fast one file is on this device, by engine, threads and batch."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.numbers import numbers
from pocketvision.cli.output import print_json, print_line, print_table
from pocketvision.errors import BadOption
from pocketvision.files import check_out_path, write_atomically


def bench(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    engine: Annotated[
        str, Option(help="Engines, separated by commas. [default: all that are installed]", show_default=False)
    ] = "",
    threads: Annotated[
        str, Option(help="Threads for one call, separated by commas. [default: 1 and all cores]", show_default=False)
    ] = "",
    batch: Annotated[str, Option(help="Images in one call, separated by commas.")] = "1,32",
    images: Annotated[
        Path | None,
        Option(help="An image or a folder of images, to answer from their bytes. [default: a synthetic JPEG]"),
    ] = None,
    seconds: Annotated[float, Option(help="Time for measuring; no further round starts after it.")] = 20.0,
    sustained: Annotated[
        float | None, Option(help="Run one image after the other for this many minutes: shows throttling.")
    ] = None,
    plot: Annotated[Path | None, Option(help="SVG file to draw the result in.")] = None,
    json: Annotated[bool, Option("--json", help="Write what was measured as JSON.")] = False,
) -> None:
    """Measure a file: latency, throughput, load time, first answer and memory; or, sustained, its latency over minutes."""
    from pocketvision.cli.progress import watch
    from pocketvision.cost import bench as measuring
    from pocketvision.run.device import count_cores

    if plot is not None:
        check_out_path(plot, "--plot", "bench.svg")
    engines = [name.strip() for name in engine.split(",") if name.strip()]
    counts = numbers("threads", threads, int, "1,2") or sorted({1, count_cores()})
    if sustained is not None:
        if len(engines) > 1 or threads.count(","):
            raise BadOption("a sustained run has one engine and one number of threads.", "--engine auto --threads 1")
        found: Any = watch(measuring.sustain(file, sustained, engine or "auto", counts[0]))
    else:
        batches = numbers("batch", batch, int, "1,32")
        found = watch(measuring.bench(file, engines, counts, batches, _files(images), seconds))
    if json:
        print_json(found.to_json())
    elif sustained is not None:
        _print_sustained(found)
    else:
        _print_bench(found)
    if plot is not None:  # last: the result is shown even if the disk is full
        from pocketvision.report.bench_chart import draw_bench, draw_sustained

        drawn = draw_bench(found) if sustained is None else draw_sustained(found)
        write_atomically(plot, drawn.encode())


def _files(images: Path | None) -> list[Path]:
    from pocketvision.run.image_files import image_files
    from pocketvision.run.predictor import is_folder

    if images is None:
        return []
    return image_files(images) if is_folder(images) else [images]


def _print_bench(found: Any) -> None:
    print_table(
        ("engine", "threads", "batch", "p50 ms", "+-", "p95 ms", "images/s"),
        [
            (
                cell.engine,
                str(cell.threads),
                str(cell.batch),
                f"{cell.median_ms:.3f}",
                f"{cell.noise_ms:.3f}",
                f"{cell.p95_ms:.3f}",
                f"{cell.images_per_second:,.0f}",
            )
            for cell in found.cells
        ],
    )
    print_line("")
    print_table(
        ("engine", "threads", "load ms", "first ms", "process MB", "images/s from bytes"),
        [
            (
                start.engine,
                str(start.threads),
                *("" if value is None else f"{value:.1f}" for value in (start.load_ms, start.first_ms, start.rss_mb)),
                f"{start.images_per_second:,.0f}",
            )
            for start in found.starts
        ],
    )
    engines = ", ".join(f"{name} {version}" for name, version in found.engines.items())
    print_line(f"{found.network}, {found.size_mb:.2f} MB; {found.device}; {engines}; from bytes: {found.images}")


def _print_sustained(found: Any) -> None:
    shown = found.windows[:: max(1, len(found.windows) // 12)]
    print_table(
        ("seconds", "p50 ms", "p95 ms", "Celsius", "MHz"),
        [
            (
                f"{window.seconds:.0f}",
                f"{window.median_ms:.3f}",
                f"{window.p95_ms:.3f}",
                *("" if value is None else f"{value:.0f}" for value in (window.celsius, window.mhz)),
            )
            for window in shown
        ],
        left=0,
    )
    change = "slower" if found.slowdown > 0 else "faster"
    print_line(
        f"{found.network} on {found.device} with {found.engine}: a call is {abs(found.slowdown):.0%} {change} in the last "
        "tenth of the time than in the first."
    )
