"""The manifest: which images a job used, frozen, so that a changed data set is noticed."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from pocketvision.data.check import Checked
from pocketvision.data.split import Split
from pocketvision.errors import BadData
from pocketvision.files import write_atomically

NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class Row:
    """One image.

    Args:
        key: names the image inside its data set; never an absolute path.
        sha256: of its content, as `Dataset.content_hash` gives it.
        size_bytes: of the file or array.
        label: its class by name.
        group: images of one group are never parted; None where there are no groups.
        part: train, validation or test, as the job used it.
    """

    key: str
    sha256: str
    size_bytes: int
    label: str
    group: str | None
    part: str


@dataclass(frozen=True)
class Manifest:
    """All images of a job, in the order in which they were read.

    Args:
        name: of the data set.
        rows: one for each image.
    """

    name: str
    rows: tuple[Row, ...]

    def fingerprint(self) -> str:
        """Return one SHA-256, in hex, for the contents with their labels, groups and parts; names and order do not count."""
        rows = sorted([row.sha256, row.label, row.group or "", row.part] for row in self.rows)
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": VERSION,
            "name": self.name,
            "fingerprint": self.fingerprint(),
            "images": [asdict(row) for row in self.rows],
        }

    def write(self, folder: Path) -> Path:
        """Write manifest.json into a folder, one image a line; return its path."""
        content = self.to_json()
        images = content.pop("images")
        head = json.dumps(content, ensure_ascii=False, indent=1).removesuffix("\n}")
        lines = ",\n".join(f"  {json.dumps(image, ensure_ascii=False)}" for image in images)
        path = folder / NAME
        write_atomically(path, f'{head},\n "images": [\n{lines}\n ]\n}}\n'.encode())
        return path


def make_manifest(checked: Checked, parts: Split) -> Manifest:
    """Return the manifest of the images that a job uses.

    Args:
        checked: the data set after its check.
        parts: which image went where.

    Raises:
        BadData: nothing usable is left of the data set.
    """
    dataset = checked.dataset
    part_of = {
        int(index): part
        for part, indices in (("train", parts.train), ("validation", parts.validation), ("test", parts.test))
        for index in indices
    }
    keys = _relative([sample.key for sample in dataset.samples])
    return Manifest(
        dataset.name,
        tuple(
            Row(
                key=keys[index],
                sha256=checked.facts.hashes[index],
                size_bytes=int(checked.facts.size_bytes[index]),
                label=dataset.classes[sample.label],
                group=sample.group,
                part=part_of[index],
            )
            for index, sample in enumerate(dataset.samples)
        ),
    )


def _relative(keys: list[str]) -> list[str]:
    """Return the keys, absolute ones (a table may hold them) without the folder that all of these lie in.

    >>> _relative(["a/1.jpg", "/home/ann/b/1.jpg", "/home/ann/b/c/2.jpg"])
    ['a/1.jpg', '1.jpg', 'c/2.jpg']
    """
    folders = [str(PurePath(key).parent) for key in keys if PurePath(key).is_absolute()]
    if not folders:
        return keys
    home = os.path.commonpath(folders)
    return [PurePath(key).relative_to(home).as_posix() if PurePath(key).is_absolute() else key for key in keys]


def read_manifest(folder: Path) -> Manifest:
    """Read manifest.json from a run folder.

    Raises:
        BadData: it is missing, damaged or of another version, or its rows do not give its fingerprint.
    """
    path = folder / NAME
    attempt = "the same command with --restart, to start over"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise BadData(f"{path} has version {content['version']}; this program reads {VERSION}.", attempt)
        manifest = Manifest(content["name"], tuple(Row(**image) for image in content["images"]))
        fingerprint = content["fingerprint"]
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}; a run folder has one.", attempt) from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadData(f"{path} is damaged: {type(error).__name__}: {error}.", attempt) from error
    if manifest.fingerprint() != fingerprint:
        raise BadData(f"{path} was changed: its images do not give its fingerprint.", attempt)
    return manifest


def differences(old: Manifest, new: Manifest) -> list[str]:
    """Say in words what has changed between two manifests; nothing where they hold the same images in the same order.

    Args:
        old: what a job began with.
        new: what the data set is now.
    """
    before, after = ({row.key: row for row in manifest.rows} for manifest in (old, new))
    kept = [key for key in before if key in after]
    gone, come = [key for key in before if key not in after], [key for key in after if key not in before]
    names = {(before[key].sha256, before[key].label): key for key in gone}
    renamed = [key for key in come if (after[key].sha256, after[key].label) in names]
    were = {names[after[key].sha256, after[key].label] for key in renamed}
    found = [
        ("added", [key for key in come if key not in set(renamed)]),
        ("removed", [key for key in gone if key not in were]),
        ("renamed", renamed),
        ("changed in content", [key for key in kept if before[key].sha256 != after[key].sha256]),
        ("relabelled", [key for key in kept if before[key].label != after[key].label]),
        ("in another group", [key for key in kept if before[key].group != after[key].group]),
        ("in another part", [key for key in kept if before[key].part != after[key].part]),
    ]
    said = [_said(keys, what) for what, keys in found if keys]
    if not said and list(before) != list(after):
        said.append("the images come in another order")
    return said


def _said(keys: list[str], what: str) -> str:
    """Return one difference in words.

    >>> _said(["a.jpg", "b.jpg"], "added"), _said(["a.jpg"], "removed")
    ("2 images added, the first 'a.jpg'", "1 image removed: 'a.jpg'")
    """
    if len(keys) == 1:
        return f"1 image {what}: '{keys[0]}'"
    return f"{len(keys):,} images {what}, the first '{keys[0]}'"
