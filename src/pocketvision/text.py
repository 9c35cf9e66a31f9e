"""Words that several layers write."""


def plural(number: int, noun: str, nouns: str = "") -> str:
    """Return a number and its noun.

    >>> plural(1, "image"), plural(1200, "image"), plural(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
