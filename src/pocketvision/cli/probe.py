"""pocketvision probe: how fast networks run on this device."""

from pathlib import Path
from typing import Annotated, Any, get_args

from typer import Argument, Option

from pocketvision.cli.numbers import numbers
from pocketvision.cli.output import print_line, print_table
from pocketvision.errors import BadOption
from pocketvision.files import check_out_path
from pocketvision.text import plural

WIDTHS = (0.25, 0.5, 0.75, 1.0)


def probe(
    what: Annotated[
        list[str] | None, Argument(help="Families, or model files. [default: mobilenet_v1]", show_default=False)
    ] = None,
    out: Annotated[Path | None, Option("--out", "-o", help="Device file to write, for fit --target.")] = None,
    widths: Annotated[
        str | None,
        Option(
            help="Width multipliers, separated by commas. [default: 0.25,0.5,0.75,1, or the only ones of the family]"
        ),
    ] = None,
    resolutions: Annotated[str, Option(help="Input sides in pixels, separated by commas.")] = "96,128,160,192,224",
    output_stride: Annotated[
        int | None, Option(help="Input side over last map's side. [default: the family's]")
    ] = None,
    classes: Annotated[int, Option(help="Outputs of the classifier.")] = 1000,
    precisions: Annotated[
        str | None,
        Option(help="Of the networks: fp32, int8, or both with a comma. [default: both; files have their own]"),
    ] = None,
    in_channels: Annotated[int, Option(help="3 for RGB, 1 for grey.")] = 3,
    threads: Annotated[int, Option(help="Threads for one call.")] = 1,
    seconds: Annotated[float, Option(help="Time for measuring; no further round starts after it.")] = 60.0,
    json: Annotated[bool, Option("--json", help="Write what was measured as JSON.")] = False,
) -> None:
    """Measure latency, load time and memory of untrained networks on this device, before anything is trained."""
    from pocketvision.cli.progress import watch
    from pocketvision.cost.probe import probe as probe_graphs
    from pocketvision.cost.probe import probe_files
    from pocketvision.model.families import find_family
    from pocketvision.model.resolve import resolve

    names = what or ["mobilenet_v1"]
    files = [Path(name) for name in names if name.endswith(".onnx") or Path(name).is_file()]
    if files and len(files) < len(names):
        raise BadOption("families and model files cannot be probed in one run.", "one run for each")
    graphs = [
        resolve(name, width, resolution, classes, in_channels, output_stride)
        for name in ([] if files else names)
        for width in (
            numbers("widths", widths, float, "0.25,0.5") if widths is not None else find_family(name).widths or WIDTHS
        )
        for resolution in numbers("resolutions", resolutions, int, "128,224")
    ]
    if out is not None:
        check_out_path(out, example="pi.json")
    if files and precisions is not None:
        raise BadOption("model files have a precision of their own.", "no --precisions")
    chosen = _precisions(precisions or "fp32,int8")
    if files:
        measured = watch(probe_files(files, threads, seconds))
    else:
        measured = watch(probe_graphs(graphs, threads, seconds, precisions=chosen))
    if out is not None:
        measured.write(out)
    if json:
        print_line(measured.model_dump_json(indent=1))
        return
    _print_table(measured)
    if out is not None:
        print_line(f"Next: pocketvision fit IMAGES --target {out} --latency-ms MS -o run")


def _precisions(text: str) -> list[Any]:
    """Return the precisions of an option's text, in its order, each once."""
    from pocketvision.cost.device_file import Precision

    known = get_args(Precision)
    found = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not found or not set(found) <= set(known):
        raise BadOption(
            f"precisions must be {' or '.join(known)}, or both with a comma; got {text!r}.", "--precisions fp32,int8"
        )
    return found


def _print_table(measured: Any) -> None:
    header = ("network", "latency ms", "+-", "p95", "load ms", "process MB", "file MB", "M MACs")
    rows = [
        (
            row.name,
            f"{row.latency_ms:.3f}",
            f"{row.noise_ms:.3f}",
            f"{row.p95_ms:.3f}",
            "" if row.load_ms is None else f"{row.load_ms:.1f}",
            "" if row.rss_mb is None else f"{row.rss_mb:.0f}",
            f"{row.size_mb:.2f}",
            f"{row.macs / 1e6:.1f}",
        )
        for row in measured.rows
    ]
    print_table(header, rows)
    engine = f"{measured.engine} {measured.engine_version}"
    print_line(f"{measured.device}, {engine}, {plural(measured.threads, 'thread')}, {measured.date}")
