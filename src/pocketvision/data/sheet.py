"""The contact sheet: one picture of the images that were found, each with the kind of finding and its name."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from pocketvision.data.check import Checked
from pocketvision.data.dataset import Dataset
from pocketvision.data.findings import Finding
from pocketvision.errors import BadImage, BadOption
from pocketvision.files import check_out_path, write_atomically
from pocketvision.run.examine import examine_image

COLUMNS = 8
SIDE = 160  # pixels, of a thumbnail's square
LINES = 3  # of text below each
LINE_HEIGHT = 14
GAP = 10
MOST = 32  # thumbnails of one kind of finding: a sheet is looked at by people
COPIES = 3  # shown of one image
PAPER, INK, BOX, PALE = (255, 255, 255), (20, 20, 20), (200, 200, 200), (110, 110, 110)


@dataclass(frozen=True)
class _Cell:
    """One thumbnail with its words: what was found, the image's name, and why it is only a grey box."""

    index: int
    kind: str
    name: str
    reason: str


def check_sheet_path(path: Path) -> None:
    """Refuse a path that a sheet cannot be written to, before any work is done.

    Raises:
        BadOption: it is a folder, does not end in .png, or lies in no folder.
    """
    if path.suffix.lower() != ".png" or path.is_dir():
        raise BadOption(f"--sheet writes one PNG picture; got {str(path)!r}.", "--sheet findings.png")
    check_out_path(path, "--sheet")


def write_sheet(checked: Checked, path: Path) -> int:
    """Draw the images of all findings, at most 32 of a kind, and write the picture as PNG.

    Broken images are grey boxes with the reason. Nothing is written where no finding is about an image.

    Returns:
        How many thumbnails it holds.
    """
    cells = _cells(checked.source, checked.findings)
    if not cells:
        return 0
    stream = io.BytesIO()
    _draw(checked.source, cells).save(stream, "PNG")
    write_atomically(path, stream.getvalue())
    return len(cells)


def _cells(dataset: Dataset, findings: Sequence[Finding]) -> list[_Cell]:
    """Return what is to be drawn: for each finding its image, and the copies or look-alikes beside it."""
    place = {sample.key: index for index, sample in enumerate(dataset.samples)}
    cells: list[_Cell] = []
    for _, group in groupby(findings, key=lambda finding: finding.kind):
        some = (
            _Cell(place[key], finding.kind, key, finding.sentence if finding.severity == "left out" else "")
            for finding in group
            for key in (finding.key, *finding.others[:COPIES])
            if key in place
        )
        cells += islice(some, MOST)
    return cells


def _draw(dataset: Dataset, cells: Sequence[_Cell]) -> Image.Image:
    """Return the sheet."""
    rows = -(-len(cells) // COLUMNS)
    width = GAP + min(COLUMNS, len(cells)) * (SIDE + GAP)
    height = 2 * GAP + LINE_HEIGHT + rows * (SIDE + LINES * LINE_HEIGHT + GAP)
    sheet = Image.new("RGB", (max(width, 3 * SIDE), height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (GAP, GAP), f"{dataset.name}: images with findings, at most {MOST} of a kind", INK)
    for number, cell in enumerate(cells):
        left = GAP + number % COLUMNS * (SIDE + GAP)
        top = 2 * GAP + LINE_HEIGHT + number // COLUMNS * (SIDE + LINES * LINE_HEIGHT + GAP)
        sheet.paste(_thumbnail(dataset, cell), (left, top))
        _write(draw, (left, top + SIDE + 1), _shortened(cell.kind), INK)
        _write(draw, (left, top + SIDE + 1 + LINE_HEIGHT), _shortened(cell.name), PALE)
    return sheet


def _thumbnail(dataset: Dataset, cell: _Cell) -> Image.Image:
    """Return a square with the image in its middle, or with the reason why there is none."""
    square = Image.new("RGB", (SIDE, SIDE), BOX)
    reason = cell.reason
    if not reason:
        try:
            image = examine_image(dataset.image(cell.index)).image
            scale = SIDE / max(image.size)
            small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
            square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
        except BadImage as error:  # over the usual pixel limit, where the check's own is higher
            reason = error.problem
    draw = ImageDraw.Draw(square)
    for number, line in enumerate(textwrap.wrap(reason, SIDE // 7)[: SIDE // LINE_HEIGHT]):
        _write(draw, (4, 4 + number * LINE_HEIGHT), line, INK)
    return square


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, colour: tuple[int, int, int]) -> None:
    """Write one line in Pillow's own font."""
    draw.text(place, text, colour, ImageFont.load_default(11))


def _shortened(text: str) -> str:
    """Return a text that fits below a thumbnail; of long names the end is kept, and what a font may lack is spelt out.

    >>> _shortened("train/cat/a_very_long_name_indeed.jpg")
    '...very_long_name_indeed.jpg'
    """
    most = SIDE // 6 + 2
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= most else f"...{text[3 - most :]}"
