"""The preprocessing record: how an upright image becomes the square that a network reads. It is stored in the file."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from pocketvision.errors import BadArtifact, BadOption

# What a JPEG decoded at a fraction of its size must keep: LARGE times the side needed, and up to SMALL_SIDE SHARP times
SHARP, LARGE, SMALL_SIDE = 4, 3, 448


@dataclass(frozen=True)
class Preprocessing:
    """How an upright image of any shape becomes a square; stored in the model file.

    Args:
        version: of this record's meaning; 1 is the only one.
        mode: "squash" stretches the whole image to the square; "crop" resizes the short side to
            round(resolution / crop_fraction) and takes the centre; "letterbox" keeps the shape and fills the borders.
        crop_fraction: part of the short side that "crop" keeps, 0.1 to 1; 0.875 is the usual 224 of 256.
        interpolation: Pillow's filter of that name, antialiased when it shrinks.
        fill: grey level of the letterbox's borders, 0 to 255.
        draft: a JPEG much larger than the square may be decoded at a fraction of its size: faster, and nearly the same.

    Raises:
        BadOption: a value is invalid.

    >>> Preprocessing(mode="crop").to_json()["crop_fraction"]
    0.875
    >>> Preprocessing.from_json(Preprocessing().to_json()) == Preprocessing()
    True
    """

    version: int = 1
    mode: Literal["squash", "crop", "letterbox"] = "squash"
    crop_fraction: float = 0.875
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    fill: int = 0
    draft: bool = False

    def __post_init__(self) -> None:
        rules = {
            "version": (type(self.version) is int and self.version == 1, "1, the only version that this release reads"),
            "mode": (self.mode in ("squash", "crop", "letterbox"), "squash, crop or letterbox"),
            "crop_fraction": (
                type(self.crop_fraction) in (int, float) and 0.1 <= self.crop_fraction <= 1,
                "a number from 0.1 to 1",
            ),
            "interpolation": (self.interpolation in ("bilinear", "bicubic"), "bilinear or bicubic"),
            "fill": (type(self.fill) is int and 0 <= self.fill <= 255, "a whole number from 0 to 255"),
            "draft": (type(self.draft) is bool, "true or false"),
        }
        for name, (holds, right) in rules.items():
            if not holds:
                raise BadOption(
                    f"preprocessing: {name} is {getattr(self, name)!r}; it must be {right}.",
                    f"{name}={getattr(Preprocessing, name)!r}",
                )

    def draft_side(self, resolution: int) -> int | None:
        """Return the least side that a decoded JPEG must keep for a square of `resolution` pixels; None: its own.

        That is four times the side that it is resized to, or above 112 pixels between three and four times; with less, a few in a
        hundred labels change: docs/log.md.

        >>> [Preprocessing(draft=True).draft_side(side) for side in (96, 128, 224)], Preprocessing().draft_side(224)
        ([384, 448, 672], None)
        """
        if not self.draft:
            return None
        side = round(resolution / self.crop_fraction) if self.mode == "crop" else resolution
        return max(LARGE * side, min(SHARP * side, SMALL_SIDE))

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, every key written out."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Any) -> Self:
        """Read what `to_json` wrote; nothing is guessed.

        Raises:
            BadArtifact: a key is missing or unknown, or a value is not one of version 1.
        """
        if not isinstance(record, dict):
            raise BadArtifact(f"preprocessing record: a JSON object is needed; got {type(record).__name__}.")
        known = {field.name for field in fields(cls)}
        for problem, keys in (("unknown", record.keys() - known), ("missing", known - record.keys())):
            if keys:
                raise BadArtifact(
                    f"preprocessing record: {problem} key {', '.join(sorted(map(repr, keys)))}; "
                    f"version 1 has exactly {', '.join(sorted(known))}.",
                    "the pocketvision release that wrote the file, or a newer one",
                )
        try:
            return cls(**record)
        except BadOption as error:
            raise BadArtifact(
                f"preprocessing record: {error.problem.removeprefix('preprocessing: ')}",
                "the pocketvision release that wrote the file, or a newer one",
            ) from error


FROM_SCRATCH = Preprocessing(draft=True)  # of networks trained from scratch, which are not bound to another one
