"""Words that several layers write."""

import shlex


def command(verb: str, *words: object) -> str:
    """Return a command of this program as one that can be pasted into a shell, whatever is in its words; None is left out.

    >>> command("predict", "my run/model.onnx", "IMAGE"), command("front", "run", None)
    ("pocketvision predict 'my run/model.onnx' IMAGE", 'pocketvision front run')
    """
    return f"pocketvision {verb} {shlex.join(str(word) for word in words if word is not None)}".rstrip()


def plural(number: int, noun: str, nouns: str = "") -> str:
    """Return a number and its noun.

    >>> plural(1, "image"), plural(1200, "image"), plural(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
