"""pocketvision data: checks of images before training."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from pocketvision.cli.output import print_json, print_line, print_table
from pocketvision.text import plural

if TYPE_CHECKING:
    from pocketvision.data.check import Checked

EXAMPLES = 5  # of each kind of finding, for people; --json has all
LONGEST = 100  # characters of a key, for people

data = typer.Typer(help="Look at images before training.", add_completion=False, rich_markup_mode=None)


@data.callback()
def common() -> None:
    """Look at images before training."""


@data.command()
def check(
    path: Annotated[str, Argument(help="Folder of class folders, CSV file, IDX folder, or a name: fashion-mnist.")],
    max_pixels: Annotated[
        int | None, Option(help="Leave out images of more pixels. [default: 178,956,970]", min=1)
    ] = None,
    sheet: Annotated[Path | None, Option(help="Write a PNG picture of the images with findings.")] = None,
    json: Annotated[bool, Option("--json", help="Write all findings as JSON.")] = False,
) -> None:
    """Decode every image once and report what is wrong or odd. Nothing is changed. Exit code 1 if there are findings."""
    from pocketvision.cli.progress import watch
    from pocketvision.data.check import check as check_data
    from pocketvision.data.sheet import check_sheet_path, write_sheet
    from pocketvision.run.images import MAX_PIXELS

    if sheet is not None:
        check_sheet_path(sheet)
    checked = watch(check_data(path, max_pixels or MAX_PIXELS))
    drawn = write_sheet(checked, sheet) if sheet is not None else 0
    if json:
        print_json(checked.to_json())
    else:
        _print(checked)
        if sheet is not None:
            print_line(
                f"{sheet}: {plural(drawn, 'thumbnail')}"
                if drawn
                else f"no finding is about an image; {sheet} not written"
            )
    _ = checked.dataset  # raises if nothing usable is left
    if checked.findings:
        raise typer.Exit(1)


def _print(checked: "Checked") -> None:
    """Write the classes as a table, then the findings by kind."""
    counts = checked.counts()
    parts = list(next(iter(counts.values())))
    header = ("class", *("images" if part == "all" else part for part in parts))
    print_table(header, [(_shown(name), *(f"{count:,}" for count in row.values())) for name, row in counts.items()])
    for kind, group in groupby(checked.findings, key=lambda finding: finding.kind):
        findings = list(group)
        print_line(f"\n{findings[0].severity}: {kind} ({len(findings):,})")
        for finding in findings[:EXAMPLES]:
            print_line(f"  {_shown(finding.key)}: {finding.sentence}")
        if len(findings) > EXAMPLES:
            print_line(f"  and {len(findings) - EXAMPLES:,} more; --json has all")
    severities = checked.severities()
    images, classes = plural(len(checked.readable), "image"), plural(len(counts), "class", "classes")
    warnings, notes = plural(severities["warning"], "warning"), plural(severities["note"], "note")
    left_out = f"{severities['left out']:,} left out"
    print_line(f"\n{checked.source.name}: {images} of {classes}; {left_out}, {warnings}, {notes}")


def _shown(key: str) -> str:
    """Return a key in visible form: spaces at its ends in quotes, control characters escaped, a long middle left out.

    >>> _shown("cat/1.jpg"), _shown("cat ")
    ('cat/1.jpg', "'cat '")
    """
    if len(key) > LONGEST:
        key = f"{key[: LONGEST // 2]}...{key[-LONGEST // 2 :]}"
    return key if key.isprintable() and key == key.strip() else repr(key)
