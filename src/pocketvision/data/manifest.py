"""The manifest: which images a job used, frozen, so that a changed data set is noticed and an unchanged one not decoded again."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketvision.data.check import Checked
from pocketvision.data.looks import SMALL_SHAPE, Look
from pocketvision.data.split import Split
from pocketvision.errors import BadData
from pocketvision.files import write_atomically

NAME = "manifest.json"
VERSION = 2
# Of a row in manifest.json, and of its look, whose small picture is in base64.
OWN = ("key", "sha256", "size_bytes", "label", "group", "part")
SEEN = ("mtime_ns", "width", "height", "grey", "form", "turned", "conversion", "flat", "highest")
LATER = {"flat", "highest"}  # an older release did not look for these: such files are looked at again


@dataclass(frozen=True)
class Row:
    """One image.

    Args:
        key: names the image inside its data set, as `Dataset.keys`; never an absolute path.
        sha256: of its content, as `Dataset.content_hash` gives it.
        size_bytes: of the file or array.
        label: its class by name.
        group: images of one group are never parted; None where there are no groups.
        part: train, validation or test, as the job used it.
        look: what was seen of a file; None for arrays, which are quickly looked at again.
    """

    key: str
    sha256: str
    size_bytes: int
    label: str
    group: str | None
    part: str
    look: Look | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, all on one level."""
        own = {name: getattr(self, name) for name in OWN}
        if self.look is None:
            return own
        return own | {name: getattr(self.look, name) for name in SEEN} | {"small": b64encode(self.look.small).decode()}


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

    def looks(self) -> dict[str, Look]:
        """Return what was seen of the files, by key: what `check` need not look at again."""
        return {row.key: row.look for row in self.rows if row.look is not None}

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": VERSION,
            "name": self.name,
            "fingerprint": self.fingerprint(),
            "images": [row.to_json() for row in self.rows],
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
    dataset, facts, part_of = checked.dataset, checked.facts, parts.part_of()
    return Manifest(
        dataset.name,
        tuple(
            Row(
                key=checked.source.keys[place],
                sha256=facts.hashes[index],
                size_bytes=int(facts.size_bytes[index]),
                label=dataset.classes[sample.label],
                group=sample.group,
                part=part_of[index],
                look=facts.looks[index] if facts.looks else None,
            )
            for index, (place, sample) in enumerate(zip(checked.readable, dataset.samples, strict=True))
        ),
    )


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
        manifest = Manifest(content["name"], tuple(map(_row, content["images"])))
        fingerprint = content["fingerprint"]
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}; a run folder has one.", attempt) from error
    except (ValueError, TypeError, KeyError) as error:
        raise BadData(f"{path} is damaged: {type(error).__name__}: {error}.", attempt) from error
    if manifest.fingerprint() != fingerprint:
        raise BadData(f"{path} was changed: its images do not give its fingerprint.", attempt)
    return manifest


def _row(content: dict[str, Any]) -> Row:
    """Return the row that `Row.to_json` gave; raise TypeError, KeyError or ValueError where it cannot be one."""
    own = {name: content[name] for name in OWN}
    if content.keys() == own.keys() or not LATER & content.keys():
        return Row(**own)
    small = b64decode(content["small"], validate=True)
    if len(small) != SMALL_SHAPE[0] * SMALL_SHAPE[1]:
        raise ValueError(f"the small picture of {own['key']} has {len(small)} values")
    seen = {name: content[name] for name in SEEN}
    return Row(**own, look=Look(own["sha256"], own["size_bytes"], small=small, **seen))


def differences(old: Manifest, new: Manifest) -> list[str]:
    """Say in words what has changed between two manifests; nothing where they hold the same images in the same order.

    Args:
        old: what a job began with.
        new: what the data set is now.
    """
    before, after = ({row.key: row for row in manifest.rows} for manifest in (old, new))
    kept = [key for key in before if key in after]
    removed, added, renamed = _moves(before, after)
    found = [
        ("added", added),
        ("removed", removed),
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


def _moves(before: Mapping[str, Row], after: Mapping[str, Row]) -> tuple[list[str], list[str], list[str]]:
    """Return the keys that were removed, added and renamed: a new key for the content and label of one that is gone."""
    gone: dict[tuple[str, str], deque[str]] = defaultdict(deque)
    for key, row in before.items():
        if key not in after:
            gone[row.sha256, row.label].append(key)
    added, renamed = [], []
    for key, row in after.items():
        if key in before:
            continue
        if olds := gone.get((row.sha256, row.label)):
            olds.popleft()
            renamed.append(key)
        else:
            added.append(key)
    left = {key for olds in gone.values() for key in olds}
    return [key for key in before if key in left], added, renamed


def _said(keys: list[str], what: str) -> str:
    """Return one difference in words.

    >>> _said(["a.jpg", "b.jpg"], "added"), _said(["a.jpg"], "removed")
    ("2 images added, the first 'a.jpg'", "1 image removed: 'a.jpg'")
    """
    if len(keys) == 1:
        return f"1 image {what}: '{keys[0]}'"
    return f"{len(keys):,} images {what}, the first '{keys[0]}'"
