"""pocketvision verify: prove a file again on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pocketvision.cli.output import print_json, print_line, print_table


def verify(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    json: Annotated[bool, Option("--json", help="Write the checks as JSON.")] = False,
) -> None:
    """Check that no part of the file was changed, and that it gives the recorded answers here."""
    from pocketvision.export.verify import verify_file

    checks = verify_file(file)
    if json:
        print_json([asdict(check) for check in checks])
        return
    print_table(("check", "found"), [(check.name, check.detail) for check in checks], left=2)
    print_line(f"{file}: verified")
