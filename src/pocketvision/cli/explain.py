"""pocketvision explain: one layer, with its paper's equations and its own numbers."""

from dataclasses import asdict
from textwrap import wrap
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.output import print_json, print_line, table_lines

WIDTH = 100  # of a line of equations, without the unit


def explain(
    family: Annotated[str, Argument(help="Family of networks; see `pocketvision models`.")],
    layer: Annotated[
        int | None,
        Option(help="Number in the layer's name: 7 is block7, 0 the stem. [default: the most typical block]"),
    ] = None,
    width: Annotated[float, Option(help="Width multiplier.")] = 1.0,
    resolution: Annotated[int | None, Option(help="Input side in pixels. [default: the paper's]")] = None,
    json: Annotated[bool, Option("--json", help="Write the same as JSON.")] = False,
) -> None:
    """Explain one layer: its cost by the paper's equations, alternatives to it, and the effect of width and resolution."""
    from pocketvision.explain import explain as explained

    explanation = explained(family, layer, width, resolution)
    if json:
        print_json(asdict(explanation))
        return
    for line in explanation_lines(explanation):
        print_line(line)


def explanation_lines(explanation: Any) -> list[str]:
    """Return an explanation as text."""
    entering, leaving = explanation.entering, explanation.leaving
    lines = [
        f"{explanation.block} of {explanation.network}: {explanation.kind}, {entering} to {leaving}",
        "",
        *_letters(explanation.letters),
    ]
    for section in explanation.sections:
        lines += ["", *_section(section)]
    known = f"Layers of {explanation.family}: {explanation.layers}."
    return [*lines, "", *_wrapped(known)]


def _letters(letters: Any) -> list[str]:
    values = max(len(str(letter.value)) for letter in letters)
    symbols = max(len(letter.symbol) for letter in letters)
    return [f"  {each.symbol:{symbols}} = {each.value:>{values}}  {each.meaning}" for each in letters]


def _section(section: Any) -> list[str]:
    lines = [f"{section.title} ({section.source})" if section.source else section.title]
    for sentence in section.before:
        lines += _wrapped(sentence)
    lines += [f"    {line}" for line in _equations(section.equations)]
    for sentence in section.after:
        lines += _wrapped(sentence)
    if section.table is not None:
        rows = [tuple(map(_cell, row)) for row in section.table.rows]
        lines += [f"    {line}" for line in table_lines(section.table.header, rows)]
    return lines


def _equations(equations: Any) -> list[str]:
    """Return one line for each equation; if that is too long, one with the letters and one with the numbers."""
    if not equations:
        return []
    cells: list[tuple[str, ...]] = [
        (each.what, each.symbols, f"= {each.numbers}" * bool(each.numbers), "=", _cell(each.result))
        for each in equations
    ]
    lines = table_lines(cells[0], cells[1:], left=4)
    if max(map(len, lines)) > WIDTH:
        cells = [row for each in cells for row in ((each[0], each[1], "", ""), ("", each[2], "=", each[4]))]
        lines = table_lines(cells[0], cells[1:], left=3)
        return [f"{line}  {equations[i // 2].unit}" if i % 2 else line for i, line in enumerate(lines)]
    return [f"{line}  {equation.unit}" for line, equation in zip(lines, equations, strict=True)]


def _cell(value: Any) -> str:
    """Return a count with thousands separators, a ratio with three digits, words unchanged."""
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 1000 else f"{value:.3f}"


def _wrapped(sentence: str) -> list[str]:
    return wrap(sentence, 100, initial_indent="  ", subsequent_indent="  ")
