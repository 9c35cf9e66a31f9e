"""Folders of images: one folder for each class, either directly inside or inside train/, val/ and test/."""

from collections.abc import Iterator
from pathlib import Path

from pocketvision.data.dataset import PART_NAMES, Dataset, Part, Sample
from pocketvision.data.findings import printable
from pocketvision.errors import BadData, UnknownData
from pocketvision.run.images import IMAGE_SUFFIXES

RIGHT = "one folder for each class is right, such as photos/cat/1.jpg and photos/dog/1.jpg"


def read_folder(path: str | Path) -> Dataset:
    """Read the images below a folder; their classes are the names of the folders they are in.

    Classes are folders directly inside, or inside train/, val/ (also valid/, validation/) and test/. They are sorted by
    name over all parts together, so a part that lacks a class does not shift the others. Folders inside a class folder
    belong to the class. Hidden files and folders are skipped; links are followed, but not in circles. Class folders
    without any image, and images outside of class folders, are left out; `pocketvision.data.check` names them.

    Args:
        path: the folder.

    Raises:
        UnknownData: there is no such folder.
        BadData: it is empty, has images but no class folders, images of only one class, no image to train on, two folders
            for one part, or class folders beside the parts.
    """
    root = Path(path)
    if not root.is_dir():
        raise UnknownData(f"no folder '{root}'; {RIGHT}.", "another path")
    folders = class_folders(root)
    found = [(part, folder.name, file) for part, folder in folders for file in sorted(visible_images(folder))]
    classes = sorted({name for _, name, _ in found})
    if len(classes) < 2:
        raise _too_few_classes(root, classes, [folder for _, folder in folders if folder.name not in classes])
    if all(part in ("validation", "test") for part, _, _ in found):
        raise BadData(
            f"{root} has {', '.join(top.name + '/' for _, top in _tops(root))} but no image to train on; "
            "train/ must hold a folder of images for each class.",
            "fill train/, or put the class folders directly inside and let pocketvision split",
        )
    labels = {name: label for label, name in enumerate(classes)}
    samples = tuple(
        Sample(printable(file.relative_to(root).as_posix()), labels[name], part) for part, name, file in found
    )
    name = printable(root.resolve().name)
    return Dataset(name, tuple(map(printable, classes)), samples, tuple(file for _, _, file in found))


def class_folders(root: Path) -> list[tuple[Part | None, Path]]:
    """Return the folders of the classes with their parts, those without images too.

    Raises:
        BadData: two folders mean one part, class folders lie beside the parts, or images lie in no class folder at all.
    """
    tops = _tops(root)
    for _, top in tops:
        _refuse_loose_images(top)
    return [(part, folder) for part, top in tops for folder in _folders(top)]


def _tops(root: Path) -> list[tuple[Part | None, Path]]:
    """Return the folders that hold class folders, with their parts: the root alone, or train/, val/ and test/.

    A folder "train" beside "bus" and "car" is a class of vehicles, unless it holds class folders itself: then nobody
    can tell which was meant.
    """
    named = [folder for folder in _folders(root) if folder.name.lower() in PART_NAMES]
    others = [folder for folder in _folders(root) if folder not in named and any(visible_images(folder))]
    nested = [folder for folder in named if any(any(visible_images(inner)) for inner in _folders(folder))]
    if nested and others:
        raise BadData(
            f"{root} holds '{nested[0].name}' with class folders inside, and '{others[0].name}' with images beside it; "
            "either all classes are directly inside, or all are inside train/, val/ and test/.",
            f"move '{others[0].name}' into '{nested[0].name}', or elsewhere",
        )
    if not named or others:
        return [(None, root)]
    taken: dict[Part, Path] = {}
    for folder in named:
        part = PART_NAMES[folder.name.lower()]
        if part in taken:
            raise BadData(
                f"{root} holds '{taken[part].name}' and '{folder.name}', which both mean {part}; one of them is right.",
                f"move what is in '{folder.name}' into '{taken[part].name}'",
            )
        taken[part] = folder
    return list(taken.items())


def _refuse_loose_images(top: Path) -> None:
    """Raise BadData where images lie in no class folder at all."""
    loose = sum(is_image(entry) for entry in top.iterdir())
    if loose and not _folders(top):
        raise BadData(
            f"{top} holds images ({loose}) but no class folders; {RIGHT}.",
            "sort the images into folders named after their classes, or list them in a .csv with columns path, label",
        )


def _too_few_classes(root: Path, classes: list[str], empty: list[Path]) -> BadData:
    """Return the error for a folder with images of one class or none, saying what lies in its empty class folders."""
    if not classes and not empty:
        return BadData(f"{root} holds no class folders and no images; {RIGHT}.", "another path")
    holds = f"images of only one class, '{classes[0]}'" if classes else "class folders but no image in them"
    if not empty:
        return BadData(
            f"{root} holds {holds}; telling classes apart needs two: {RIGHT}.",
            "the folder above, or one more class folder",
        )
    names = ", ".join(f"'{folder.name}'" for folder in empty[:3]) + (" ..." if len(empty) > 3 else "")
    suffixes = sorted({file.suffix for folder in empty for file in _files(folder) if file.suffix})
    return BadData(
        f"{root} holds {holds}; telling classes apart needs two. No image is in {names} "
        f"(looked for {', '.join(sorted(IMAGE_SUFFIXES))}; found {', '.join(suffixes) or 'nothing'}).",
        "put images of a known format into it",
    )


def _folders(folder: Path) -> list[Path]:
    """Return the visible folders directly inside, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def visible_images(folder: Path) -> Iterator[Path]:
    """Yield the visible images inside a folder, at any depth, unsorted."""
    return (file for file in _files(folder) if is_image(file))


def is_image(path: Path) -> bool:
    """Tell whether a file is read: it is there, visible, and named like an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _files(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the visible files inside a folder, at any depth, unsorted.

    Args:
        folder: where to look.
        above: the real places of the folders that led here. A link back to one of them is not entered.
    """
    real = folder.resolve()
    home = folder.parent.resolve()
    above |= {home, *home.parents}
    if real in above:
        return
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry, above | {real, *real.parents})
        else:
            yield entry
