"""What the data check can find: each kind of finding, how serious it is, and what it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["left out", "warning", "note"]

KINDS: dict[str, tuple[Severity, str]] = {
    "unreadable image": ("left out", "empty, cut short, damaged, or in a format or depth that is not read"),
    "over the pixel limit": ("left out", "more pixels than `--max-pixels`, by its header; nothing of it is decoded"),
    "empty class": ("left out", "a class without any readable image"),
    "outside of class folders": ("left out", "an image beside the class folders, so without a label"),
    "other format": ("left out", "a picture by its suffix, in a format that is not read, such as .heic"),
    "broken link": ("left out", "a symbolic link that leads nowhere"),
    "link in a circle": ("left out", "a symbolic link back to a folder above it; it is not followed"),
    "tiny class": ("warning", "a class of fewer than 10 images"),
    "similar class names": ("warning", "names that differ only in case, white space or Unicode form; they stay apart"),
    "space around a class name": ("warning", "a class name that begins or ends with white space"),
    "class missing in a part": ("warning", "a class without images in train, validation or test"),
    "same folders in all classes": ("warning", "the classes hold only folders of the same names: which are the classes?"),
    "grey class": ("warning", "a class all in grey, where another class has colour only: a shortcut for the network"),
    "duplicate across classes": ("warning", "the same bytes under different labels"),
    "duplicate across parts": ("warning", "the same bytes in train and test: scores will look too good"),
    "near-duplicate across classes": ("warning", "pictures that look alike under different labels"),
    "near-duplicate across parts": ("warning", "pictures that look alike in train and test"),
    "shows nothing": ("warning", "an image of one colour: a lens cap, a camera that was not ready, an empty page"),
    "part of the range": ("warning", "16-bit images that use a part of their range only, and so are read nearly black"),
    "extreme size": ("warning", "a short side below 8 pixels, or 8 times below or above the median"),
    "extreme shape": ("warning", "a side more than 4 times the other; squeezed to a square, it is hard to recognise"),
    "wrong extension": ("note", "the content is of another format than the suffix says; it is read all the same"),
    "duplicate": ("note", "the same bytes twice in one class and part"),
    "near-duplicate": ("note", "pictures of one class and part that look alike"),
    "grey and colour": ("note", "some images are grey, others have colour"),
    "turned by EXIF": ("note", "stored turned or mirrored; read upright"),
    "converted": ("note", "CMYK, 16 bits, transparency or several frames: what is made of it"),
    "hidden file": ("note", "a name that begins with a dot; it is not read"),
    "unusual name": ("note", "emoji, control characters, bytes that are not UTF-8, or Unicode that is not composed (NFC)"),
    "part by its name": ("note", "a folder that means train, validation or test by another name; it is taken so"),
    "folder around all others": ("note", "a folder that an archive put around the others; it is passed through"),
    "no image": ("note", "files that are no images by their content, such as notes; they are not read"),
    "left by a system": ("note", "thumbnails, deleted files and caches that systems leave behind; they are not entered"),
    "run folder": ("note", "a run of pocketvision among the images; it is not entered"),
    "very long name": ("note", "a name of more than 200 bytes; some file systems take 143, none more than 255"),
}  # fmt: skip
"""Each kind of finding: how serious it is, and its meaning. In the order in which they are shown."""


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed in a data set.

    Args:
        kind: one of `KINDS`.
        key: the image (as in `Sample.key`), file or class that it is about.
        sentence: what it is, for people, without the key.
        others: more images or classes that are part of it, for instance the copies of an image.
    """

    kind: str
    key: str
    sentence: str
    others: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """How serious it is: left out, a warning (likely wrong), or a note."""
        return KINDS[self.kind][0]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "key": self.key,
            "sentence": self.sentence,
            "others": list(self.others),
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by kind, as `KINDS` lists them, then by key."""
    rank = {kind: place for place, kind in enumerate(KINDS)}
    return tuple(sorted(findings, key=lambda finding: (rank[finding.kind], finding.key, finding.others)))


def printable(name: str) -> str:
    r"""Return a file name that can be written as UTF-8: bytes that are not valid UTF-8 become \udcXX.

    >>> printable("caf\udce9.jpg"), printable("café.jpg")
    ('caf\\udce9.jpg', 'café.jpg')
    """
    return name.encode("utf-8", "backslashreplace").decode()
