"""The user's images, read and checked: what every job begins with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pocketvision.data.check import Checked, check
from pocketvision.data.dataset import Dataset
from pocketvision.data.looks import Look
from pocketvision.data.split import Split, split
from pocketvision.data.survey import Survey, survey
from pocketvision.errors import BadData
from pocketvision.events import Note, Work
from pocketvision.jobs.options import FitOptions
from pocketvision.jobs.plan.given import Given
from pocketvision.jobs.plan.latencies import Latencies
from pocketvision.jobs.plan.timetable import Timetable
from pocketvision.train.speed import find_device


@dataclass(frozen=True, eq=False)
class Read:
    """The user's images, read and checked.

    Attributes:
        checked: all usable images, and what the check found.
        parts: which of them train, validate and test.
        seen: their sizes and colours.
    """

    checked: Checked
    parts: Split
    seen: Survey

    @property
    def dataset(self) -> Dataset:
        """All usable images."""
        return self.checked.dataset

    def given(self, options: FitOptions, timetable: Timetable) -> Given:
        """Return all that is given to a job with these images.

        Raises:
            BadOption: the machine has no such accelerator.
            BadDeviceFile: the target's file cannot be read.
        """
        latencies = Latencies.of(options.target, options.threads)
        device = find_device(options.accelerator)
        return Given(self.dataset, self.parts, self.seen, options, device, latencies, timetable)


def read_images(data: str | Path, known: Mapping[str, Look] | None = None) -> Work[Read]:
    """Read the data, check every image that is not `known`, leave out what cannot be used, and split the rest.

    Raises:
        InputError: it cannot be used.
    """
    checked = yield from check(data, known=known)
    dataset = checked.dataset
    parts, seen = split(dataset), survey(checked.facts)
    if not len(parts.validation):
        raise BadData(
            f"{dataset.name} has no validation images, as no class has two images (of different groups, where there are "
            "groups); without them nothing can be calibrated or judged.",
            "more images of a class",
        )
    checked = checked.divided(parts)
    yield Note(
        f"{dataset.name}: {len(dataset):,} {'grey' if seen.grey else 'colour'} images of {len(dataset.classes)} classes, "
        f"short side {seen.short_side_median} pixels (median)."
    )
    counts = f"{len(parts.train):,} to train, {len(parts.validation):,} to validate, {len(parts.test):,} to test"
    yield Note(f"{counts}. {parts.made}")
    for sentence in checked.sentences():
        yield Note(sentence)
    return Read(checked, parts, seen)
