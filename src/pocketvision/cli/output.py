"""Results on stdout: a table for people, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def print_json(content: Any, indent: int | None = 1) -> None:
    """Write a JSON document; without indent on one line."""
    print_line(json.dumps(content, ensure_ascii=False, indent=indent))


def print_line(text: str) -> None:
    """Write one line."""
    sys.stdout.write(f"{text}\n")


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> None:
    """Write a table in plain text: the first `left` columns flush left, the others flush right."""
    for line in table_lines(header, rows, left):
        print_line(line)


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """Return the lines of a table.

    >>> table_lines(("layer", "MACs"), [("stem", "27,648"), ("total", "27,648")])
    ['layer    MACs', 'stem   27,648', 'total  27,648']
    """
    content = [tuple(header), *map(tuple, rows)]
    widths = [max(len(row[column]) for row in content) for column in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in content
    ]
