"""All families, by the name that users type. To add one: a file beside this one, and its line here."""

from pocketvision.errors import UnknownFamily, nearest
from pocketvision.model.families import (
    efficientnet_lite,
    effnet,
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_v4,
    shufflenet_v1,
    shufflenet_v2,
    squeezenet,
    xception,
)
from pocketvision.model.rows import Family

FILES = (
    mobilenet_v1,
    mobilenet_v2,
    mobilenet_v3,
    mobilenet_v4,
    efficientnet_lite,
    xception,
    shufflenet_v1,
    shufflenet_v2,
    effnet,
    squeezenet,
)
FAMILIES: dict[str, Family] = {family.name: family for file in FILES for family in file.FAMILIES}


def find_family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        UnknownFamily: there is none.
    """
    if name not in FAMILIES:
        known = list(FAMILIES)
        raise UnknownFamily(f"no family {name!r}. Known: {', '.join(known)}.", nearest(name, known))
    return FAMILIES[name]
