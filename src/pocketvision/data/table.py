"""Tables of images: a .csv or .tsv file that names each image and its label."""

import csv
import io
from pathlib import Path

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.parts import PART_NAMES, Part
from pocketvision.errors import BadData, UnknownData, nearest

REQUIRED = ("path", "label")
SEPARATORS = (",", ";", "\t")


def read_table(path: str | Path) -> Dataset:
    """Read a table with the columns path and label, and where they are present group and split.

    The first line names the columns, in any order; others are ignored. Paths are relative to the table's own folder.
    `split` is train, val (also valid, validation) or test, or empty in all records. Records are numbered from 1, the
    first line below the header; empty lines do not count.

    Args:
        path: a file in UTF-8, with or without byte-order mark, separated by comma, semicolon or tab.

    Raises:
        UnknownData: there is no such file.
        BadData: it is not UTF-8, a column is missing or there twice, a quote is not closed, it names fewer than two
            classes, or a record has too many or too few fields, an empty path or label, a file that does not exist or
            was listed before, or an unknown split.
    """
    table = Path(path)
    if not table.is_file():
        raise UnknownData(f"no file '{table}'; a table with the columns path and label is right.", "another path")
    rows = _read_rows(table)
    columns = _columns(table, rows[0] if rows else [])
    records = [_record(table, number, row, columns) for number, row in enumerate(rows[1:], start=1)]
    seen: dict[str, int] = {}
    for number, record in enumerate(records, start=1):
        if (first := seen.setdefault(record["path"], number)) != number:
            raise BadData(
                f"{table.name}, record {number}: '{record['path']}' was listed before, in record {first}; "
                "each image has one record.",
                "remove one of the two",
            )
    classes = sorted({record["label"] for record in records})
    if len(classes) < 2:
        named = f"only one class, '{classes[0]}'" if classes else "no image"
        raise BadData(f"{table.name} names {named}; telling classes apart needs images of two.", "another table")
    samples = tuple(
        Sample(
            record["path"], classes.index(record["label"]), _part(table, number, record), record.get("group") or None
        )
        for number, record in enumerate(records, start=1)
    )
    return Dataset(table.stem, tuple(classes), samples, tuple(table.parent / sample.key for sample in samples))


def _read_rows(table: Path) -> list[list[str]]:
    """Return the fields of all lines but empty ones, the header first; the header decides which separator it is."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(
            f"{table.name} is not UTF-8: byte {error.object[error.start]:#04x} at offset {error.start}.",
            f"iconv -f latin1 -t utf-8 {table.name} > utf8.csv",
        ) from error
    header = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [row for row in lines if any(map(str.strip, row))]
    except csv.Error as error:
        raise BadData(
            f"{table.name}, line {lines.line_num}: {error}; fields separated by '{separator}' are right.",
            "look for a quote that is not closed",
        ) from error


def _columns(table: Path, header: list[str]) -> list[str]:
    """Return the names of the columns in lower case, after checking that the required ones are there."""
    columns = [name.strip().lower() for name in header]
    for name in REQUIRED:
        if name not in columns:
            free = [other for other in columns if other and other not in (*REQUIRED, "group", "split")]
            raise BadData(
                f"{table.name} has no column '{name}'; its first line must name path and label, "
                f"and names {', '.join(columns) or 'nothing'}.",
                f"rename '{nearest(name, free)}' to '{name}'" if free else f"add a column '{name}'",
            )
        if columns.count(name) > 1:
            raise BadData(
                f"{table.name} has {columns.count(name)} columns '{name}'; one is right.", "rename the others"
            )
    return columns


def _record(table: Path, number: int, row: list[str], columns: list[str]) -> dict[str, str]:
    """Return one line as {column: value}, after checking its path and label."""
    where = f"{table.name}, record {number}"
    if len(row) != len(columns):
        raise BadData(
            f"{where}: {len(row)} fields, but the first line names {len(columns)} columns; a field each is right.",
            "put quotes around a field that contains the separator",
        )
    record = dict(zip(columns, map(str.strip, row), strict=True))
    for name in REQUIRED:
        if not record[name]:
            raise BadData(
                f"{where}: empty {name}; every image needs a path and a label.", "fill it, or remove the record"
            )
    if not (table.parent / record["path"]).is_file():
        raise BadData(
            f"{where}: no file '{record['path']}' in {table.parent}; paths are relative to the table's own folder.",
            "correct the path, or remove the record",
        )
    return record


def _part(table: Path, number: int, record: dict[str, str]) -> Part | None:
    """Return the part that the column split assigns, None where it is empty or absent."""
    value = record.get("split", "").lower()
    if value and value not in PART_NAMES:
        raise BadData(
            f"{table.name}, record {number}: unknown split '{record['split']}'; train, val or test is right.",
            nearest(value, list(PART_NAMES)),
        )
    return PART_NAMES[value] if value else None
