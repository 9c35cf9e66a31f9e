"""Folders of images: one folder for each class, either directly inside or inside train/, val/ and test/."""

from collections.abc import Iterator
from pathlib import Path

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.findings import printable
from pocketvision.data.parts import Part, named_part, part_of
from pocketvision.errors import BadData, UnknownData
from pocketvision.run.image_files import is_image, is_skipped
from pocketvision.run.images import FORMATS

RUN_FILES = ("plan.json", "manifest.json")  # a folder with both is a run's
RIGHT = "one folder for each class is right, such as photos/cat/1.jpg and photos/dog/1.jpg"


def read_folder(path: str | Path) -> Dataset:
    """Read the images below a folder; their classes are the names of the folders they are in.

    Classes are folders directly inside, or inside train/, val/ and test/, by these or other names that mean them
    (`parts.part_of`). They are sorted by name over all parts together, so a part that lacks a class does not shift the
    others. Folders inside a class folder belong to the class. A folder that only wraps all others is passed through where
    that is certain (`unwrapped`). Hidden files and folders, droppings of systems and runs are skipped; links are followed,
    but not in circles. Class folders without any image, and images outside of class folders, are left out;
    `pocketvision.data.check` names them.

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
            f"{root} has {', '.join(top.name + '/' for _, top in tops(root))} but no image to train on; "
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
    found = [(part, unwrapped(top)) for part, top in tops(root)]
    for _, top in found:
        _refuse_loose_images(top)
    return [(part, folder) for part, top in found for folder in visible_folders(top)]


def unwrapped(root: Path) -> Path:
    """Return the folder inside that an unpacked archive put around everything; the root itself where there is none.

    A folder is passed through where it is certain that it is no class: it holds all images, none of them directly, and either
    has the root's own name (`pets/pets/cat`) or parts inside (`download/pets/train/cat`).
    """
    full = [folder for folder in visible_folders(root) if any(visible_images(folder))]
    if len(full) != 1 or any(map(is_image, root.iterdir())) or any(map(is_image, full[0].iterdir())):
        return root
    holds_parts = any(named_part(inner.name) == "train" for inner in visible_folders(full[0]))
    is_named_alike = full[0].name.casefold() == root.resolve().name.casefold()
    is_part = named_part(full[0].name) is not None and not is_named_alike
    return unwrapped(full[0]) if (is_named_alike or holds_parts) and not is_part else root


def tops(root: Path) -> list[tuple[Part | None, Path]]:
    """Return the folders that hold class folders, with their parts: one alone, or train/, val/ and test/.

    A folder "train" beside "bus" and "car" is a class of vehicles, unless it holds class folders itself: then nobody
    can tell which was meant.

    Raises:
        BadData: two folders mean one part, or class folders lie beside the parts.
    """
    root = unwrapped(root)
    named = _part_folders(root)
    others = [folder for folder in visible_folders(root) if folder not in named and any(visible_images(folder))]
    nested = [folder for folder in named if _has_class_folders(folder)]
    if nested and others:
        raise BadData(
            f"{root} holds '{nested[0].name}' with class folders inside, and '{others[0].name}' with images beside it; "
            "either all classes are directly inside, or all are inside train/, val/ and test/.",
            f"move '{others[0].name}' into '{nested[0].name}', or elsewhere",
        )
    if not named or others:
        return [(None, root)]
    taken: dict[Part, Path] = {}
    for folder, part in named.items():
        if part in taken:
            raise BadData(
                f"{root} holds '{taken[part].name}' and '{folder.name}', which both mean {part}; one of them is right.",
                f"move what is in '{folder.name}' into '{taken[part].name}'",
            )
        taken[part] = folder
    return list(taken.items())


def _part_folders(root: Path) -> dict[Path, Part]:
    """Return the folders that are parts by their names, and which.

    With other words in it ("seg_train", "seg_test") a name counts where these words name at least two parts, train among them,
    and all of these hold class folders.
    """
    meant = {folder: part_of(folder.name) for folder in visible_folders(root)}
    found = {folder: part for folder, (part, others) in ((f, m) for f, m in meant.items() if m) if not others}
    for shared in {others for _, others in filter(None, meant.values()) if others}:
        some = {folder: m[0] for folder, m in meant.items() if m and m[1] == shared}
        if len(some) > 1 and "train" in some.values() and all(map(_has_class_folders, some)):
            found |= some
    return found


def _has_class_folders(folder: Path) -> bool:
    return any(any(visible_images(inner)) for inner in visible_folders(folder))


def _refuse_loose_images(top: Path) -> None:
    """Raise BadData where images lie in no class folder at all."""
    loose = sum(is_image(entry) for entry in top.iterdir())
    if loose and not visible_folders(top):
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
        below = next((folder for folder in visible_folders(root) if any(visible_images(folder))), root)
        is_around = below != root and not any(map(is_image, below.iterdir())) and len(visible_folders(below)) > 1
        return BadData(
            f"{root} holds {holds}; telling classes apart needs two: {RIGHT}.",
            f"{below}, if the folders in it are the classes"
            if is_around
            else "the folder above, or one more class folder",
        )
    names = ", ".join(f"'{folder.name}'" for folder in empty[:3]) + (" ..." if len(empty) > 3 else "")
    suffixes = sorted({file.suffix for folder in empty for file in _files(folder) if file.suffix})
    return BadData(
        f"{root} holds {holds}; telling classes apart needs two. No image is in {names} "
        f"({FORMATS} are read; found {', '.join(suffixes) or 'nothing'}).",
        "put images of a known format into it",
    )


def visible_folders(folder: Path) -> list[Path]:
    """Return the folders directly inside that are entered, sorted by name."""
    return sorted(
        entry for entry in folder.iterdir() if not is_skipped(entry.name) and entry.is_dir() and not is_run(entry)
    )


def is_run(folder: Path) -> bool:
    """Tell whether a folder is a run of `fit`: its charts are no photographs."""
    return all((folder / name).is_file() for name in RUN_FILES)


def visible_images(folder: Path) -> Iterator[Path]:
    """Yield the visible images inside a folder, at any depth, unsorted."""
    return (file for file in _files(folder) if is_image(file))


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
        if is_skipped(entry.name) or is_run(entry):
            continue
        if entry.is_dir():
            yield from _files(entry, above | {real, *real.parents})
        else:
            yield entry
