"""The cut-out set: photographs of single things on photographed scenes, for benchmarks. Composed here; nothing is shipped.

Cut-outs are Tux Paint's stamps (Debian: tuxpaint-stamps-default), scenes are GCompris's photographs of monuments and landscapes
(Debian: gcompris-qt-data). One cut-out an image, 128 pixels. It is a synthetic composition of real photographs.

    python benchmarks/cutouts.py FOLDER --fold 0      # FOLDER/images.csv: image, label, part, group (the cut-out)
"""

import argparse
import csv
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pocketvision.files import cache_folder

STAMPS, SCENES = "usr/share/tuxpaint/stamps", "usr/share/gcompris-qt/rcc"
PACKAGES = ("tuxpaint-stamps-default", "gcompris-qt-data")
FOLDERS = {  # of the stamps -> class
    "animals/birds": "bird",
    "animals/mammals": "mammal",
    "animals/fish": "sea animal",
    "animals/shellfish": "sea animal",
    "animals/insects": "insect",
    "food/fruit": "fruit or nut",
    "food/nuts": "fruit or nut",
    "food/vegetables": "vegetable",
    "plants/flowers": "flower",
    "hobbies/music": "instrument",
    "household/tools": "tool",
    "symbols/money/euro/coins": "coin",
    "symbols/money/us/coins": "coin",
    "symbols/money/japanese": "coin",
    "symbols/money/canadian/coins": "coin",
    "vehicles": "vehicle",
    "sports": "ball",
    "space/planets": "planet",
    "space/moon": "planet",
}
NO_PHOTOGRAPHS = ("cartoon", "toys", "_mirror")
LEAST_COLOURS = 150  # of a photograph, at 5 bits a channel; drawings have fewer
SIDE, FOLDS, TRAIN_EACH, TEST_EACH = 128, 5, 8, 4


@dataclass(frozen=True, eq=False)
class CutOut:
    """One thing without its background.

    Attributes:
        name: of its file, unique.
        label: its class.
        image: RGBA, cropped to what is visible.
    """

    name: str
    label: str
    image: Image.Image


def find(what: str) -> Path:
    """Return a folder of one of the packages: installed, or unpacked into the cache folder.

    Raises:
        SystemExit: it is nowhere.
    """
    for root in (Path("/"), cache_folder() / "debian"):
        if (root / what).is_dir():
            return root / what
    kept = cache_folder() / "debian"
    raise SystemExit(
        f"{what} is not there. Try: apt-get install {' '.join(PACKAGES)}; or apt-get download them and dpkg-deb -x each {kept}"
    )


def read_cutouts() -> list[CutOut]:
    """Return the photographic stamps of the classes, by class and name."""
    root, found = find(STAMPS), []
    for path in sorted(root.rglob("*.png")):
        inside = path.relative_to(root).as_posix()
        label = next((label for folder, label in FOLDERS.items() if inside.startswith(f"{folder}/")), None)
        if label is None or any(word in inside for word in NO_PHOTOGRAPHS):
            continue
        image = Image.open(path).convert("RGBA")
        box = image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox()
        if box is not None and _colours(image) >= LEAST_COLOURS:
            found.append(CutOut(inside.removesuffix(".png").replace("/", "-"), label, image.crop(box)))
    return sorted(found, key=lambda cutout: (cutout.label, cutout.name))


def _colours(image: Image.Image) -> int:
    pixels = np.asarray(image).reshape(-1, 4)
    return len(np.unique(pixels[pixels[:, 3] > 127, :3] >> 3, axis=0))


def read_scenes() -> list[Image.Image]:
    """Return the photographs that serve as backgrounds, RGB."""
    archive = find(SCENES) / "explore_monuments.rcc"
    files = {name: content for name, content in read_rcc(archive) if name.endswith(".webp")}
    return [Image.open(io.BytesIO(files[name])).convert("RGB") for name in sorted(files)]


def read_photographs() -> Iterator[Image.Image]:
    """Yield photographs of about 1920 x 1080 and 1024 x 700 pixels, RGB."""
    for archive in ("erase", "explore_monuments"):
        for name, content in sorted(read_rcc(find(SCENES) / f"{archive}.rcc")):
            if name.endswith(".webp"):
                yield Image.open(io.BytesIO(content)).convert("RGB")


def read_rcc(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a Qt resource archive by name.

    The header is "qres", then big-endian numbers: version, offsets of tree, data and names. A tree entry has the offset of its
    name and flags; then, for a folder (2), how many children from which entry on, else a locale and the offset of its data.
    """
    content = path.read_bytes()
    version, tree, data, names = struct.unpack_from(">4I", content, 4)
    entry = 22 if version >= 2 else 14

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", content, names + offset)
        return content[names + offset + 6 : names + offset + 6 + 2 * length].decode("utf-16-be")

    def walk(index: int, above: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
        at = tree + index * entry
        name, flags = struct.unpack_from(">IH", content, at)
        here = (*above, name_at(name)) if index else above
        if flags & 2:
            count, first = struct.unpack_from(">2I", content, at + 6)
            for child in range(first, first + count):
                yield from walk(child, here)
            return
        (offset,) = struct.unpack_from(">I", content, at + 10)
        (length,) = struct.unpack_from(">I", content, data + offset)
        blob = content[data + offset + 4 : data + offset + 4 + length]
        if not flags & 4:  # zstd: none of the photographs
            yield "/".join(here), zlib.decompress(blob[4:]) if flags & 1 else blob

    yield from walk(0, ())


def compose(cutout: CutOut, scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return one image: the cut-out, 60 to 95 % of the side, perhaps mirrored, on a random piece of the scene."""
    piece = int(rng.integers(min(scene.size) // 2, min(scene.size) + 1))
    left, top = (int(rng.integers(0, side - piece + 1)) for side in scene.size)
    image = scene.resize((SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + piece, top + piece))
    scale = SIDE * rng.uniform(0.6, 0.95) / max(cutout.image.size)
    size = tuple(max(1, round(side * scale)) for side in cutout.image.size)
    thing = cutout.image.resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        thing = thing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    place = tuple(int(rng.integers(0, SIDE - side + 1)) for side in thing.size)
    image.paste(thing, place, thing)
    return image


def write_fold(folder: Path, fold: int) -> Path:
    """Compose the images of one fold; return the path of their table. No cut-out and no scene is in both parts."""
    cutouts, scenes = read_cutouts(), read_scenes()
    rng = np.random.default_rng(0)
    fold_of: dict[str, int] = {}
    for label in sorted({cutout.label for cutout in cutouts}):
        names = [cutout.name for cutout in cutouts if cutout.label == label]
        for place, index in enumerate(rng.permutation(len(names))):
            fold_of[names[index]] = place % FOLDS
    scene_fold = rng.permutation(len(scenes)) % FOLDS
    rows = []
    for number, cutout in enumerate(cutouts):
        part = "test" if fold_of[cutout.name] == fold else "train"
        theirs = [scene for scene, of in zip(scenes, scene_fold, strict=True) if (of == fold) == (part == "test")]
        for copy in range(TEST_EACH if part == "test" else TRAIN_EACH):
            draw = np.random.default_rng([number, copy, part == "test"])
            path = folder / part / cutout.label / f"{cutout.name}-{copy}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            compose(cutout, theirs[int(draw.integers(len(theirs)))], draw).save(path)
            rows.append((path.relative_to(folder).as_posix(), cutout.label, part, cutout.name))
    table = folder / "images.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split", "group"), *rows])
    return table


def main() -> None:
    """Write one fold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fold", type=int, default=0, choices=range(FOLDS))
    options = parser.parse_args()
    print(write_fold(options.folder, options.fold))


if __name__ == "__main__":
    main()
