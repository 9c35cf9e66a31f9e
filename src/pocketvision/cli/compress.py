"""pocketvision compress: an int8 file from a finished fp32 file."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.budget import Threads
from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line
from pocketvision.files import check_out_path


def compress(
    file: Annotated[Path, Argument(help="An fp32 file that pocketvision wrote.")],
    data: Annotated[
        str, Option(help="The images it was trained on, or others of the same classes, as `fit` takes them.")
    ],
    out: Annotated[Path, Option("--out", "-o", help="File to write.")],
    max_drop: Annotated[
        float,
        Option(
            help="Points of top-1 that may be lost on the validation images; with more than 1, more labels may change, too."
        ),
    ] = 1.0,
    threads: Threads = 1,
    json: Annotated[bool, Option("--json", help="Write what was done as JSON.")] = False,
) -> None:
    """Make an int8 file from an fp32 file: a quarter of the size, if it is as good and no slower."""
    check_out_path(out)
    with loading():
        from pocketvision.cli.progress import watch
        from pocketvision.jobs.compress import compress_file

    found: Any = watch(compress_file(file, data, out, max_drop, threads))
    if json:
        print_json(found.to_json())
        return
    verdict = found.climbed.verdict
    print_line(
        f"{out}: rung {found.climbed.rung}, {verdict.drop:+.2f} +- {100 * verdict.standard_error:.2f} points of top-1 lost on "
        f"{verdict.images:,} validation images; {found.score.part} top-1 {found.score.top1:.4f} +- "
        f"{found.score.standard_error:.4f}; here {found.latency.median_ms:.3f} ms (fp32 {found.float_latency.median_ms:.3f}), "
        f"{found.size_bytes / 1e6:.2f} MB (fp32 {found.float_bytes / 1e6:.2f})"
    )
    print_line(f"Next: pocketvision predict {out} IMAGE")
