"""Rows of a text file as spreadsheets and exporters write it, whatever its encoding and separator."""

import codecs
import csv
import io
from pathlib import Path

from pocketvision.errors import BadData

SEPARATORS = (",", ";", "\t", "|")
_MARKS = (  # longest first: UTF-32's begins as UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_rows(table: Path) -> list[tuple[int, list[str]]]:
    """Return the rows of a table that are not empty, the header first, each with its number.

    Rows are counted as a spreadsheet counts them: the header is 1, empty rows count, and so does a field of several lines once. A
    first line `sep=;`, which tells Excel the separator, is no row.

    Args:
        table: UTF-8, or with a byte-order mark UTF-16 or UTF-32; separated by comma, semicolon, tab or bar.

    Raises:
        BadData: another encoding, or a quote that is not closed.
    """
    separator, text = _separator(_decode(table))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(number, row) for number, row in enumerate(lines, start=1) if any(map(str.strip, row))]
    except csv.Error as error:
        raise BadData(
            f"{table.name}, line {lines.line_num}: {error}; fields separated by '{separator}' are right.",
            "look for a quote that is not closed",
        ) from error


def _decode(table: Path) -> str:
    """Return the text of a file. Encodings of one byte a letter are not guessed: most would give some text, and a wrong one."""
    content = table.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and content[1:4:2] == b"\0\0":
        encoding = "utf-16-le"  # a mark is missing, and no other text has a zero behind each letter
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        raise BadData(
            f"{table.name} is not {name}: byte {content[error.start]:#04x} at offset {error.start}; an older program may have "
            "written it in the encoding of its country.",
            f"save it as 'CSV UTF-8' in the spreadsheet, or in western Europe: iconv -f cp1252 -t utf-8 {table.name} > utf8.csv",
        ) from error


def _separator(text: str) -> tuple[str, str]:
    """Return what separates the fields, and the text from its header on; the header decides, or a line `sep=` before it.

    >>> _separator("sep=;\\na;b"), _separator("a\\tb,c\\td")
    ((';', 'a;b'), ('\\t', 'a\\tb,c\\td'))
    """
    first, _, rest = text.lstrip("\r\n").partition("\n")
    told = first.strip("\r\n\"'")
    if len(told) == 5 and told.lower().startswith("sep="):
        return told[4], rest
    unquoted = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=unquoted.count), text
