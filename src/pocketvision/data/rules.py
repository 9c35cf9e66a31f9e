"""What is worth a finding in names, classes, parts, sizes and colours: one function for each question."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from pocketvision.data.dataset import Dataset
from pocketvision.data.findings import Finding
from pocketvision.data.looks import Facts

FORMS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
}
"""What each suffix promises."""
FEW = 10  # images; a class of fewer is tiny
SHORTEST = 8  # pixels; a shorter side shows hardly anything
SIZE_FACTOR = 8  # a short side so many times below or above the median is extreme
SHAPE_FACTOR = 4  # a side so many times the other is extreme
DEEPEST = 65535  # white in 16 bits
LONG_NAME = 200  # bytes


def class_findings(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is worth knowing of the classes: their names, how many images they have, and in which parts."""
    counts = dataset.counts()
    for name, count in counts.items():
        if 0 < count < FEW:
            yield Finding("tiny class", name, f"{count} image{'s' * (count > 1)}; {FEW} or more are better.")
        if name != name.strip():
            yield Finding("space around a class name", name, f"{name!r} begins or ends with white space.")
    alike: dict[str, list[str]] = defaultdict(list)
    for name in dataset.classes:
        alike[" ".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    for names in alike.values():
        if len(names) > 1:
            listed = ", ".join(f"{name!r} ({counts[name]:,} images)" for name in names)
            sentence = f"{listed} differ only in case, white space or Unicode form; they are kept apart."
            yield Finding("similar class names", names[0], sentence, tuple(names[1:]))
    for part in sorted({sample.part for sample in dataset.samples if sample.part}):
        for name, count in dataset.counts(part).items():
            if not count:
                yield Finding("class missing in a part", name, f"has no {part} image.")


def name_findings(dataset: Dataset) -> Iterator[Finding]:
    """Yield the images with names that other systems may not take."""
    for sample in dataset.samples:
        parts = PurePath(sample.key).parts
        if longest := max((len(part.encode()) for part in parts), default=0):
            if longest > LONG_NAME:
                yield Finding("very long name", sample.key, f"{longest} bytes; up to {LONG_NAME} work everywhere.")
            if reason := _oddity(sample.key):
                yield Finding("unusual name", sample.key, f"its name {reason}.")


def _oddity(name: str) -> str:
    """Say what is unusual in a name; letters of any language are not.

    >>> _oddity("cat/naïve.jpg"), _oddity("cat/🐈.jpg")
    ('', 'holds emoji or other rare characters')
    """
    if name.isascii():
        return "is not valid UTF-8" if "\\udc" in name else "holds control characters" if not name.isprintable() else ""
    if not unicodedata.is_normalized("NFC", name):
        return "is not in Unicode's composed form (NFC), so other systems may spell it in other bytes"
    if "\\udc" in name:
        return "is not valid UTF-8"
    if any(unicodedata.category(character) in ("Cc", "Cf") for character in name):
        return "holds control characters"
    if any(unicodedata.category(character) in ("So", "Co", "Cn") for character in name):
        return "holds emoji or other rare characters"
    return ""


def file_findings(dataset: Dataset, facts: Facts) -> Iterator[Finding]:
    """Yield the files whose content differs from what their name or header suggests; arrays have none of that."""
    for sample, look in zip(dataset.samples, facts.looks, strict=bool(facts.looks)):
        suffix = PurePath(sample.key).suffix.lower()
        if FORMS.get(suffix, look.form) != look.form:
            yield Finding("wrong extension", sample.key, f"is {look.form} by its content, not {FORMS[suffix]}.")
        if look.turned:
            yield Finding("turned by EXIF", sample.key, "is stored turned or mirrored, and read upright.")
        if look.conversion:
            yield Finding("converted", sample.key, f"{look.conversion}.")


def pixel_findings(dataset: Dataset, facts: Facts) -> Iterator[Finding]:
    """Yield the images that show nothing, and a word on 16-bit images that all use a part of their range."""
    for sample, look in zip(dataset.samples, facts.looks, strict=bool(facts.looks)):
        if look.flat:
            yield Finding("shows nothing", sample.key, "all of it has one colour, but for noise.")
    deep = [index for index, look in enumerate(facts.looks) if look.highest]
    highest = max((facts.looks[index].highest for index in deep), default=DEEPEST)
    if highest <= DEEPEST // 2:
        sentence = (
            f"the {len(deep):,} 16-bit images use values up to {highest:,} of {DEEPEST:,}, so that they are read as dark as "
            f"{round(highest / 257)} of 255; scaled up to the whole range and saved again, more of them can be seen."
        )
        yield Finding("part of the range", dataset.samples[deep[0]].key, sentence)


def size_findings(dataset: Dataset, facts: Facts) -> Iterator[Finding]:
    """Yield the images of extreme size or shape."""
    short, long = np.minimum(facts.widths, facts.heights), np.maximum(facts.widths, facts.heights)
    median = float(np.median(short))
    is_extreme = (short < SHORTEST) | (short * SIZE_FACTOR <= median) | (short >= median * SIZE_FACTOR)
    if is_extreme.mean() > 0.5:
        is_extreme &= short != int(median)  # what most images are is not extreme
    for index in np.flatnonzero(is_extreme):
        size = f"{facts.widths[index]} x {facts.heights[index]} pixels"
        yield Finding("extreme size", dataset.samples[index].key, f"{size}; the median short side is {median:.0f}.")
    for index in np.flatnonzero(long > SHAPE_FACTOR * short):
        size = f"{facts.widths[index]} x {facts.heights[index]} pixels"
        yield Finding("extreme shape", dataset.samples[index].key, f"{size}; networks read squares.")


def colour_findings(dataset: Dataset, facts: Facts) -> Iterator[Finding]:
    """Yield a word on a mix of grey and colour, and on classes that it tells apart."""
    count = int(facts.grey.sum())
    if count in (0, len(facts)):
        return
    minority = int(np.flatnonzero(facts.grey == (2 * count <= len(facts)))[0])
    greys = f"{count:,} of {len(facts):,} images {'is' if count == 1 else 'are'} grey"
    sentence = f"{greys}, the others have colour; all are read as colour."
    yield Finding("grey and colour", dataset.samples[minority].key, sentence)
    sizes = Counter(dataset.labels.tolist())
    grey_sizes = Counter(dataset.labels[facts.grey].tolist())
    coloured = [name for label, name in enumerate(dataset.classes) if sizes[label] and not grey_sizes[label]]
    for label, name in enumerate(dataset.classes):
        if coloured and sizes[label] and grey_sizes[label] == sizes[label]:
            sentence = f"all of it is grey, while '{coloured[0]}' has colour only; a network may learn just that."
            yield Finding("grey class", name, sentence)
