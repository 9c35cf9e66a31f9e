"""Tables of images: a .csv or .tsv file that names each image and its label."""

import os
from collections.abc import Iterator
from pathlib import Path

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.parts import PART_NAMES, Part, named_part
from pocketvision.data.spreadsheet import read_rows
from pocketvision.errors import BadData, UnknownData, nearest

ALIASES = {
    "path": (
        "filename",
        "file_name",
        "file",
        "filepath",
        "file_path",
        "image",
        "image_path",
        "image_name",
        "img",
        "img_path",
    ),
    "label": ("class", "class_name", "category", "category_name", "label_name"),
}
"""What exporters call the two columns that a table needs; one of these counts where the column itself is not there."""
OPTIONAL = ("group", "split")
YES_OR_NO = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


def read_table(path: str | Path) -> Dataset:
    """Read a table with the columns path and label, and where they are present group and split.

    The first row names the columns, in any order; others are ignored. Other names for the two are understood where they are
    certain (`ALIASES`). In place of label there may be a column of 0 and 1 for each class, as exporters write them. Paths are
    relative to the table's own folder, and may be written as on Windows. `split` is train, val or test (or other words for
    them), or empty in all rows. Rows are numbered as in a spreadsheet: the header is row 1.

    Args:
        path: see `spreadsheet.read_rows` for encodings and separators.

    Raises:
        UnknownData: there is no such file.
        BadData: it is no such table, a column is missing or there twice, it names fewer than two classes, or a row has too
            many or too few fields, an empty path or label, several labels, a file that does not exist or was listed before, or
            an unknown split.
    """
    table = Path(path)
    if not table.is_file():
        raise UnknownData(f"no file '{table}'; a table with the columns path and label is right.", "another path")
    rows = read_rows(table)
    columns = _columns(table, rows)
    records = list(_records(table, rows[1:], columns))
    seen: dict[str, int] = {}
    for number, record in records:
        if (first := seen.setdefault(record["path"], number)) != number:
            raise BadData(
                f"{table.name}, row {number}: '{record['path']}' was listed before, in row {first}; each image has one row.",
                "remove one of the two",
            )
    classes = sorted({record["label"] for _, record in records})
    if len(classes) < 2:
        named = f"only one class, '{classes[0]}'" if classes else "no image"
        raise BadData(f"{table.name} names {named}; telling classes apart needs images of two.", "another table")
    label_of = {name: label for label, name in enumerate(classes)}
    samples = tuple(
        Sample(record["path"], label_of[record["label"]], _part(table, number, record), record.get("group") or None)
        for number, record in records
    )
    return Dataset(table.stem, tuple(classes), samples, tuple(table.parent / sample.key for sample in samples))


def _columns(table: Path, rows: list[tuple[int, list[str]]]) -> list[str]:
    """Return what each column is: path, label, group, split, "is NAME" for a class of its own, or empty for others.

    Raises:
        BadData: path or label is missing, there twice, or could be several columns.
    """
    header = [name.strip() for name in rows[0][1]] if rows else []
    while header and not header[-1]:
        header.pop()
    names = [name.lower() for name in header]
    found = [name if name in (*ALIASES, *OPTIONAL) else "" for name in names]
    for needed, aliases in ALIASES.items():
        if found.count(needed) > 1:
            raise BadData(
                f"{table.name} has {found.count(needed)} columns '{needed}'; one is right.", "rename the others"
            )
        others = [place for place, name in enumerate(names) if name in aliases]
        if needed not in found and len(others) > 1:
            both = " and ".join(f"'{header[place]}'" for place in others)
            raise BadData(
                f"{table.name} has no column '{needed}', but {both}; one is right.",
                f"rename the right one to '{needed}'",
            )
        if needed not in found and others:
            found[others[0]] = needed
    if "label" not in found and "path" in found:
        found = _one_column_a_class(header, found, rows[1:])
    for needed in ALIASES:
        if needed not in found and not (needed == "label" and any(what.startswith("is ") for what in found)):
            raise _no_column(table, needed, header, found)
    return found


def _one_column_a_class(header: list[str], found: list[str], rows: list[tuple[int, list[str]]]) -> list[str]:
    """Return the columns with "is NAME" for those that hold only 0 and 1, if these are all that are left, and several."""
    free = [place for place, what in enumerate(found) if not what and header[place]]
    is_so = len(free) > 1 and rows and all(_yes_or_no(row, place) is not None for _, row in rows for place in free)
    return [f"is {header[place]}" if is_so and place in free else what for place, what in enumerate(found)]


def _yes_or_no(row: list[str], place: int) -> bool | None:
    return YES_OR_NO.get(row[place].strip().lower()) if place < len(row) else None


def _no_column(table: Path, needed: str, header: list[str], found: list[str]) -> BadData:
    """Return the error for a column that is missing, with a hint that is right."""
    names = ", ".join(header) or "nothing"
    problem = f"{table.name} has no column '{needed}'; its first row must name path and label, and names {names}."
    if any(name and _file(table, name) for name in header):
        return BadData(problem, "write a row above it that names the columns: path,label")
    if needed == "label" and found.count("") > 1:
        return BadData(
            f"{problem} Columns of 0 and 1, one for each class, would be right, too.",
            f"rename the column that holds the class to '{needed}'",
        )
    free = [name for name, what in zip(header, found, strict=True) if not what]
    hint = f"rename '{nearest(needed, free)}' to '{needed}'" if free else f"add a column '{needed}'"
    return BadData(problem, hint)


def _records(
    table: Path, rows: list[tuple[int, list[str]]], columns: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's number and {column: value}, after checking its path and label."""
    for number, row in rows:
        where = f"{table.name}, row {number}"
        fields = [field.strip() for field in row]
        while len(fields) > len(columns) and not fields[-1]:
            fields.pop()
        if len(fields) != len(columns):
            raise BadData(
                f"{where}: {len(fields)} fields, but the first row names {len(columns)} columns; a field each is right.",
                "put quotes around a field that contains the separator",
            )
        record = {
            what: field for what, field in zip(columns, fields, strict=True) if what and not what.startswith("is ")
        }
        if "label" not in columns:
            record["label"] = _only_label(where, columns, fields)
        for name in ALIASES:
            if not record[name]:
                raise BadData(
                    f"{where}: empty {name}; every image needs a path and a label.", "fill it, or remove the row"
                )
        file = _file(table, record["path"])
        if not file:
            raise _no_file(table, where, record["path"])
        yield number, record | {"path": file}


def _only_label(where: str, columns: list[str], fields: list[str]) -> str:
    """Return the class whose column holds 1.

    Raises:
        BadData: there is none, or there are several.
    """
    names = [
        what[3:] for what, field in zip(columns, fields, strict=True) if what[:3] == "is " and YES_OR_NO[field.lower()]
    ]
    if len(names) != 1:
        said = ", ".join(f"'{name}'" for name in names) or "none"
        raise BadData(f"{where}: {said} of its classes are 1; one is right.", "keep the images of one class each")
    return names[0]


def _file(table: Path, path: str) -> str:
    """Return a path as this system writes it, if there is such a file; empty if not."""
    for written in (path, path.replace("\\", "/")):
        try:
            if (table.parent / written).is_file():
                return os.path.normpath(written)
        except OSError:  # too long for a name
            return ""
    return ""


def _no_file(table: Path, where: str, path: str) -> BadData:
    """Return the error for a file that is not there, with what may be meant."""
    problem = f"{where}: no file '{path}' in {table.parent}; paths are relative to the table's own folder."
    asked = table.parent / path.replace("\\", "/")
    beside = list(asked.parent.iterdir()) if asked.parent.is_dir() else []
    same = [file.name for file in beside if asked.name.casefold() in (file.name.casefold(), file.stem.casefold())]
    if same:
        return BadData(problem, f"'{same[0]}', which is there, in place of '{asked.name}'")
    if (table.absolute().parent.parent / path.replace("\\", "/")).is_file():
        return BadData(problem, "the table moved one folder up: from there its paths are right")
    if "\\" in path:
        return BadData(f"{problem} With / for \\ there is none, either.", "correct the path, or remove the row")
    return BadData(problem, "correct the path, or remove the row")


def _part(table: Path, number: int, record: dict[str, str]) -> Part | None:
    """Return the part that the column split assigns, None where it is empty or absent."""
    value = record.get("split", "")
    if not value:
        return None
    part = named_part(value)
    if part is None:
        raise BadData(
            f"{table.name}, row {number}: unknown split '{value}'; train, val or test is right.",
            nearest(value.lower(), list(PART_NAMES)),
        )
    return part
