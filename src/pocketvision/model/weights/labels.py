"""The names of ImageNet's classes."""


def imagenet_labels(has_background: bool = False) -> tuple[str, ...]:
    """Return the names of ImageNet's 1000 classes in their usual order, as torchvision has them."""
    from torchvision.models import MobileNet_V2_Weights

    named: list[str] = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    return (*(("background",) if has_background else ()), *_distinct(named))


def _distinct(labels: list[str]) -> list[str]:
    """Number names that two classes share: ImageNet has two cranes and two maillots.

    >>> _distinct(["crane", "egret", "crane"])
    ['crane', 'egret', 'crane (2)']
    """
    seen: dict[str, int] = {}
    found = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found
