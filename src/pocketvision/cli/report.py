"""pocketvision report: the page of a finished run, made again from its facts."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pocketvision.cli.output import print_line


def report(
    run: Annotated[Path, Argument(help="The run folder that `pocketvision fit -o` wrote.")],
    out: Annotated[Path | None, Option("--out", "-o", help="Where the page goes. [default: RUN/report.html]")] = None,
) -> None:
    """Make a finished run's report.html again from its report.json: one page with everything in it."""
    from pocketvision.report.files import remake_report

    print_line(f"report: {remake_report(run, out)}")
