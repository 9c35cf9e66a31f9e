"""What lies in a folder of images beside the images that are read: hidden files, links, empty classes, loose images."""

import errno
from collections.abc import Iterator
from pathlib import Path

from pocketvision.data.findings import Finding, printable
from pocketvision.data.folders import class_folders, is_image, visible_images
from pocketvision.run.images import FORMATS

OTHER_FORMATS = frozenset({".heic", ".heif", ".avif", ".jxl", ".jp2", ".jfif", ".svg", ".psd", ".ico", ".tga"}) | {
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".raw", ".eps", ".pdf", ".exr", ".hdr",
}  # fmt: skip
"""Suffixes of pictures that are not read."""


def look_around(root: Path) -> list[Finding]:
    """Return what is worth knowing of the entries of a data folder that `read_folder` does not read.

    Hidden folders are named and not entered.

    Args:
        root: a folder that `read_folder` accepts.
    """
    found = list(_look_into(root, root, frozenset()))
    circles = {finding.key for finding in found if finding.kind == "link in a circle"}
    folders = [folder for _, folder in class_folders(root) if _key(root, folder) not in circles]
    for top in sorted({root, *(folder.parent for folder in folders)}):
        found += [
            Finding("outside of class folders", _key(root, entry), "lies in no class folder, so it has no label.")
            for entry in sorted(top.iterdir())
            if is_image(entry)
        ]
    full = {folder.name for folder in folders if any(visible_images(folder))}
    for name in sorted({folder.name for folder in folders} - full):
        found.append(Finding("empty class", printable(name), "its folder holds no image that is read."))
    return found


def _look_into(root: Path, folder: Path, above: frozenset[Path]) -> Iterator[Finding]:
    """Yield what is found inside a folder, at any depth, following links as `read_folder` does.

    Args:
        root: what keys are relative to.
        folder: where to look.
        above: the real places of the folders that led here.
    """
    real = folder.resolve()
    if real in above:
        yield Finding(
            "link in a circle", _key(root, folder), f"leads back to '{printable(real.name)}', a folder above it."
        )
        return
    for entry in sorted(folder.iterdir()):
        key = _key(root, entry)
        if entry.name.startswith("."):
            kind = "folder" if entry.is_dir() else "file"
            yield Finding("hidden file", key, f"a hidden {kind}; its name begins with a dot.")
        elif entry.is_dir():
            yield from _look_into(root, entry, above | {real, *real.parents})
        elif not entry.exists():
            yield _broken_link(entry, key)
        elif entry.suffix.lower() in OTHER_FORMATS:
            yield Finding("other format", key, f"{entry.suffix} is not read; {FORMATS} are.")


def _broken_link(link: Path, key: str) -> Finding:
    """Return what is wrong with a link that leads to nothing."""
    try:
        link.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return Finding("link in a circle", key, "leads back to itself.")
    return Finding("broken link", key, "leads to a file that does not exist.")


def _key(root: Path, entry: Path) -> str:
    """Return the name of an entry inside the data set."""
    return printable(entry.relative_to(root).as_posix())
