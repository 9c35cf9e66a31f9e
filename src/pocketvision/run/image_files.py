"""Which files of a folder are images: by their suffix, or, where that says nothing, by how they begin.

Training, the data check and prediction search folders by these rules, so that all three see the same images.
"""

import os
import re
from pathlib import Path

from pocketvision.errors import BadImage
from pocketvision.run.images import FORMATS, READERS

IMAGE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
"""Suffixes of images; a file with one of them that cannot be read is a broken image. Other files are known by how they begin."""

RAW_SUFFIXES = frozenset({
    ".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef", ".nrw", ".orf", ".pef",
    ".raf", ".raw", ".rw2", ".sr2", ".srf", ".srw",
})  # fmt: skip
"""Suffixes of cameras' raw files. Many begin as a TIFF does, with a thumbnail where the picture should be: never read."""

DROPPINGS = frozenset({
    "$recycle.bin", "system volume information", "__macosx", "lost+found",  # Windows, macOS, Linux
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot",  # Synology and QNAP
    "__pycache__", "_gsdata_",
})  # fmt: skip
"""Folders, in lower case, that systems and programs leave beside people's files: thumbnails, deleted files, caches."""

# As in `READERS`, but longer where those are so short that a text may begin with them: BMP's second header, PNM's first number
_STRICT = {
    rb"BM": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0",
    rb"P[1-6]\s": rb"P[1-6]\s+(#|\d+\s+(#|\d))",
}
_STARTS = re.compile(rb"|".join(_STRICT.get(magic, magic) for magic, _ in READERS), re.DOTALL)
_LONGEST_START = 32  # bytes


def is_image(path: Path) -> bool:
    """Tell whether a file of a folder is read: it is there, not hidden, and an image by its suffix or content.

    A name says it where its suffix is an image's; a file that is broken then is missed by nobody. Any other file counts if it
    begins as an image does: `a.jpg?w=300`, `b.jpg.1`, `c` without a suffix.
    """
    if path.name.startswith("."):
        return False
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return path.is_file()
    return suffix not in RAW_SUFFIXES and path.is_file() and _begins_as_an_image(path)


def is_skipped(name: str) -> bool:
    """Tell whether a folder of this name is never entered: it is hidden, or a dropping of some system.

    >>> is_skipped("cat"), is_skipped(".git"), is_skipped("@eaDir")
    (False, True, True)
    """
    return name.startswith(".") or name.lower() in DROPPINGS


def image_files(folder: str | Path) -> list[Path]:
    """Return the images in a folder and its sub-folders, sorted by path; hidden ones and droppings are left out.

    A folder that must not be searched is listed, too, so that reading it raises the reason.

    Raises:
        BadImage: there are none.
    """
    found: list[Path] = []
    refused: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = [name for name in folders if not is_skipped(name)]
        found += [path for name in names if _may_be_image(path := Path(place, name))]
    found += [Path(error.filename) for error in refused]
    if not found:
        raise BadImage(f"no images in {str(folder)!r}; looked for {FORMATS}, by their content.", "another folder")
    return sorted(found)


def _may_be_image(path: Path) -> bool:
    """Whether it is an image, or a file that cannot be examined; not a pipe, a device or a broken link."""
    try:
        return is_image(path)
    except OSError:
        return not path.name.startswith(".")


def _begins_as_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _STARTS.match(file.read(_LONGEST_START)) is not None
    except OSError:  # may not be read, and its name does not say that it is an image
        return False
