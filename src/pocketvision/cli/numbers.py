"""Options that hold several numbers."""

from typing import Any

from pocketvision.errors import BadOption


def numbers(option: str, text: str, kind: Any, example: str) -> list[Any]:
    """Return the numbers of an option's text, rising, each once.

    Args:
        option: its name, for the message.
        text: with commas between the numbers.
        kind: int or float.
        example: a valid text.

    Raises:
        BadOption: it holds something else.

    >>> numbers("widths", "1, 0.5,1", float, "0.25,0.5")
    [0.5, 1.0]
    """
    try:
        return sorted({kind(part) for part in text.split(",") if part.strip()})
    except ValueError:
        what = "numbers" if kind is float else "whole numbers"
        raise BadOption(
            f"{option} must be {what} separated by commas; got {text!r}.", f"--{option} {example}"
        ) from None
