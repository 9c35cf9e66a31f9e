"""The data check: what is wrong or odd in a data set, before anything is trained on it. Nothing is ever changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pocketvision.data.dataset import Dataset
from pocketvision.data.duplicates import duplicate_findings
from pocketvision.data.findings import Finding, in_order
from pocketvision.data.idx import is_idx_folder
from pocketvision.data.looks import Facts, Look, look_at
from pocketvision.data.read import read_dataset
from pocketvision.data.rules import (
    class_findings,
    colour_findings,
    file_findings,
    name_findings,
    pixel_findings,
    size_findings,
)
from pocketvision.data.split import Split
from pocketvision.data.surroundings import look_around
from pocketvision.errors import BadData
from pocketvision.events import Work
from pocketvision.run.images import MAX_PIXELS

PART_ORDER = ("all", "train", "validation", "test")
BROKEN = ("unreadable image", "over the pixel limit")
DUPLICATES = ("duplicate", "near-duplicate")
UNDERSTOOD = (
    "part by its name",
    "folder around all others",
)  # how the folders were read: said, though nothing is wrong


@dataclass(frozen=True, eq=False)
class Checked:
    """What the check found, and what of the data set can be used.

    Args:
        source: the data set as it was read.
        readable: indices of its images that can be decoded.
        facts: what was seen of these, in the same order.
        findings: sorted by kind, then by key.
    """

    source: Dataset
    readable: tuple[int, ...]
    facts: Facts
    findings: tuple[Finding, ...]
    _usable: Dataset | None

    @property
    def dataset(self) -> Dataset:
        """The data set without images that cannot be read and classes without images; `facts` are in its order.

        Raises:
            BadData: fewer than two classes are left.
        """
        if self._usable is None:
            broken = [finding for finding in self.findings if finding.kind in BROKEN]
            left = f"{len(self.readable)} of {len(self.source)} images can be read"
            raise BadData(
                f"{self.source.name}: {left}, not enough for two classes; the first that cannot is {broken[0].key}: "
                f"{broken[0].sentence}",
                "another folder, or whole images in place of these",
            )
        return self._usable

    def divided(self, parts: Split) -> "Checked":
        """Return the check with its duplicates and near-duplicates judged by the parts of a split."""
        dataset, part_of = self.dataset, parts.part_of()
        samples = tuple(replace(sample, part=part_of.get(index)) for index, sample in enumerate(dataset.samples))
        again = duplicate_findings(replace(dataset, samples=samples), self.facts)
        others = [finding for finding in self.findings if not finding.kind.startswith(DUPLICATES)]
        return replace(self, findings=tuple(in_order([*others, *again])))

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the readable images of each class by part: {class: {part: images}}, "all" where there are no parts."""
        present = {sample.part or "all" for sample in self.source.samples}
        parts: list[str] = [part for part in PART_ORDER if part in present]
        counts: dict[str, dict[str, int]] = {name: dict.fromkeys(parts, 0) for name in self.source.classes}
        for index in self.readable:
            sample = self.source.samples[index]
            counts[self.source.classes[sample.label]][sample.part or "all"] += 1
        return counts

    def severities(self) -> dict[str, int]:
        """Count the findings by severity."""
        found = [finding.severity for finding in self.findings]
        return {severity: found.count(severity) for severity in ("left out", "warning", "note")}

    def sentences(self) -> list[str]:
        """Say in a few lines what was left out and what is likely wrong, one line for each kind, with the first of it."""
        said = []
        for kind, group in groupby(self.findings, key=lambda finding: finding.kind):
            some = list(group)
            if some[0].severity != "note" or kind in UNDERSTOOD:
                more = f" And {len(some) - 1:,} more." if len(some) > 1 else ""
                said.append(f"{some[0].severity.capitalize()}: {kind}: {some[0].key}: {some[0].sentence}{more}")
        if self.findings:
            said.append(f"{len(self.findings):,} findings in all; pocketvision data check lists them.")
        return said

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.source.name,
            "images": len(self.readable),
            "classes": self.counts(),
            "severities": self.severities(),
            "findings": [finding.to_json() for finding in self.findings],
        }


def check(source: str | Path, max_pixels: int = MAX_PIXELS, known: Mapping[str, Look] | None = None) -> Work[Checked]:
    """Read a data set, decode every image once, and say what is wrong or odd.

    Args:
        source: as `read_dataset` takes it.
        max_pixels: larger images are left out.
        known: what an earlier check saw, see `Manifest.looks`: only other, changed and new files are decoded.

    Yields:
        How far it got.

    Returns:
        The findings, and the data set without what cannot be used.

    Raises:
        UnknownData, BadData: as `read_dataset`.
    """
    dataset = read_dataset(source)
    path = Path(source)
    around = look_around(path) if path.is_dir() and not is_idx_folder(path) else []
    readable, facts, failures = yield from look_at(dataset, max_pixels, known)
    found = [*around]
    for failure in failures:
        key = dataset.samples[failure.index].key
        found.append(Finding(BROKEN[failure.is_too_large], key, failure.reason))
    present = {dataset.samples[index].label for index in readable}
    for label, name in enumerate(dataset.classes):
        if label not in present:
            found.append(Finding("empty class", name, "it holds no image that can be read."))
    usable = _select(dataset, readable) if len(present) > 1 else None
    found += name_findings(dataset)
    if usable is not None:
        found += class_findings(usable)
        found += file_findings(usable, facts)
        found += pixel_findings(usable, facts)
        found += size_findings(usable, facts)
        found += colour_findings(usable, facts)
        found += duplicate_findings(usable, facts)
    return Checked(dataset, tuple(readable), facts, in_order(found), usable)


def _select(dataset: Dataset, readable: list[int]) -> Dataset:
    """Return the data set with only these images, and only the classes that they are of; hashes are kept."""
    labels = sorted({dataset.samples[index].label for index in readable})
    if len(readable) == len(dataset) and len(labels) == len(dataset.classes):
        return dataset
    place = {label: new for new, label in enumerate(labels)}
    samples = tuple(replace(dataset.samples[index], label=place[dataset.samples[index].label]) for index in readable)
    is_whole = len(readable) == len(dataset)
    images = dataset.images if is_whole else tuple(Path(str(dataset.image(index))) for index in readable)
    chosen = Dataset(dataset.name, tuple(dataset.classes[label] for label in labels), samples, images)
    chosen.know_hashes({new: dataset.content_hash(index) for new, index in enumerate(readable)})
    return chosen
