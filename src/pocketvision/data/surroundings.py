"""What lies in a folder of images beside the images that are read: hidden files, links, empty classes, loose images."""

import errno
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pocketvision.data.findings import Finding, printable
from pocketvision.data.folders import class_folders, is_run, tops, unwrapped, visible_folders, visible_images
from pocketvision.data.parts import PART_NAMES
from pocketvision.run.image_files import RAW_SUFFIXES, is_image, is_skipped
from pocketvision.run.images import FORMATS

OTHER_FORMATS = RAW_SUFFIXES | {
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".tga", ".eps", ".pdf", ".exr", ".hdr",
    ".dcm", ".npy",
}  # fmt: skip
"""Suffixes of pictures that are not read."""
SYSTEM_FILES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "folder.ini"})
"""Files, in lower case, that systems leave in every folder."""


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
    found += _understood(root)
    found += _same_inside(folders)
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
    others: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(folder.iterdir()):
        key = _key(root, entry)
        if entry.name.startswith("."):
            kind = "folder" if entry.is_dir() else "file"
            yield Finding("hidden file", key, f"a hidden {kind}; its name begins with a dot.")
        elif is_skipped(entry.name):
            yield Finding("left by a system", key, "thumbnails, deleted files or caches of a system; not entered.")
        elif entry.is_dir() and is_run(entry):
            yield Finding("run folder", key, "a run of pocketvision; not entered.")
        elif entry.is_dir():
            yield from _look_into(root, entry, above | {real, *real.parents})
        elif not entry.exists():
            yield _broken_link(entry, key)
        elif entry.suffix.lower() in OTHER_FORMATS:
            if not is_image(entry):  # whatever it is called, it may be a JPEG
                yield Finding("other format", key, f"{entry.suffix} is not read; {FORMATS} are.")
        elif not is_image(entry) and entry.name.lower() not in SYSTEM_FILES:
            others[entry.suffix.lower()].append(key)
    for suffix, keys in others.items():
        count = f"{len(keys):,} file{'s' * (len(keys) > 1)} {suffix or 'without a suffix'}"
        yield Finding("no image", keys[0], f"{count} in this folder: no image by the content, so not read.")


def _understood(root: Path) -> Iterator[Finding]:
    """Yield how folders were understood that have other names than the usual ones, or only wrap the others."""
    inner = unwrapped(root)
    if inner != root:
        yield Finding("folder around all others", _key(root, inner), "holds all the others; it is passed through.")
    for part, top in tops(root):
        if part and top.name.lower() not in PART_NAMES:
            yield Finding("part by its name", _key(root, top), f"its images are the part {part}.")


def _same_inside(folders: list[Path]) -> Iterator[Finding]:
    """Yield a finding if all class folders hold images only in folders of the same names: these may be the classes."""
    inside = [{inner.name for inner in visible_folders(folder)} for folder in folders]
    shared = sorted(set.intersection(*inside)) if len(inside) > 1 else []
    if len(shared) > 1 and not any(is_image(entry) for folder in folders for entry in folder.iterdir()):
        names = ", ".join(f"'{printable(name)}'" for name in shared[:3])
        sentence = f"this class and all others hold the same folders ({names}): if these are the classes, turn them inside out."
        yield Finding("same folders in all classes", printable(folders[0].name), sentence)


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
