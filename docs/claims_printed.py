"""What the papers say and print of the claims that `benchmarks/paper_claims.py` asks again.

Figures are read from choose/published.csv, which tests compare with the references.
"""

import math
from typing import NamedTuple

from pocketvision.choose.figures import Figure, published_figures

V1 = "mobilenet_v1"
PAPER, OSMR = "arXiv:1704.04861", "osmr/imgclsmob gluon/README.md"
OSMR_USUAL = {  # top-1 and parameters of its usual MobileNet, by width
    0.25: (54.22, "470,072"),
    0.5: (66.06, "1,331,592"),
    0.75: (70.15, "2,585,560"),
    1.0: (73.57, "4,231,976"),
}
SEPARABLE = "separable and standard convolution"
THIN = "thin and shallow"
PLAIN = "MobileNetV1 without and with norm and ReLU6 in the middle"
NO_NUMBERS = "The paper shows curves and prints no number: only the direction can be compared."
CLAIMS = {  # what is compared -> what was claimed, in words of our own
    SEPARABLE: f"MobileNets (Howard et al. 2017, {PAPER}, Table 4): with a depthwise and a pointwise convolution in place of "
    "each standard one, most of the multiply-adds go and little of the accuracy. It is a trade: what counts is what is lost and "
    "what is saved.",
    THIN: "MobileNets (Table 5): a network that is to cost less had better be thinner than shallower. The shallow twin lacks the "
    "five layers of 512 channels; the thin one has three quarters of its width, here as in the paper, and costs about as much.",
    "linear and ReLU6 bottleneck": "MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381, section 6.4 and Figure 6a): an "
    f"activation in the narrow tensors destroys information, so they are left linear. {NO_NUMBERS}",
    "shortcut between bottlenecks and between expansions": "MobileNetV2 (section 6.4 and Figure 6b): shortcuts join the narrow "
    f"tensors, not the wide ones as in residual networks, and that is better. {NO_NUMBERS}",
    "shortcut between bottlenecks and none": f"MobileNetV2 (Figure 6b): without shortcuts it is worse still. {NO_NUMBERS}",
    "Xception without and with ReLU in the middle": "Xception (Chollet 2017, arXiv:1610.02357, section 4.7 and Figure 10): "
    "with nothing between the depthwise and the pointwise convolution it learns faster and ends better than with ReLU or ELU "
    f"there. {NO_NUMBERS}",
    PLAIN: "Xception's observation, asked of MobileNetV1, which has batch norm and an activation there. The MobileNet papers do "
    "not make this claim; osmr/imgclsmob has trained MobileNets both ways.",
    "MobileNetV1, depthwise filters without and with decay": "MobileNets (section 3.2): it was important to put little or no "
    "weight decay on depthwise filters, as they have so few parameters. No number is printed. Here the first has none on them, "
    "the second what all other filters have.",
    "MobileNetV1, depthwise filters without and with ten times the decay": "The same, with ten times that decay.",
    "MobileNetV2, depthwise filters without and with ten times the decay": "The same advice, tried on MobileNetV2.",
}


class Printed(NamedTuple):
    """What a source prints of both networks, at 224 pixels."""

    one: Figure
    other: Figure

    @property
    def points(self) -> float:
        """By how much the first is better."""
        return round(self.one.top1 - self.other.top1, 2)


def printed(name: str) -> Printed | None:
    """Return what was published of a comparison; None: no number was."""
    if name == SEPARABLE:
        return Printed(figure(V1, 1.0, f"{PAPER} Table 6"), figure("mobilenet_v1_standard", 1.0, f"{PAPER} Table 4"))
    if name == THIN:
        return Printed(figure(V1, 0.75, f"{PAPER} Table 6"), figure("mobilenet_v1_shallow", 1.0, f"{PAPER} Table 5"))
    return osmr(0.5) if name == PLAIN else None


def osmr(width: float) -> Printed:
    """Return osmr's network without norm and activation in the middle, and the usual one; its costs count more than ours."""
    plain = figure("mobilenet_v1_plain", width, OSMR)._replace(macs="")
    top1, params = OSMR_USUAL[width]
    return Printed(plain, plain._replace(family=V1, top1=top1, params=params))


def figure(family: str, width: float, source: str) -> Figure:
    """Return what a source prints of a network at 224 pixels."""
    size = (width, 224, source)
    return next(each for each in published_figures()[family] if (each.width, each.resolution, each.source) == size)


def in_millions(text: str) -> str:
    """Return a printed cost as a number of millions.

    >>> in_millions("4.2 million"), in_millions("1,326,632"), in_millions("")
    ('4.2', '1.33', '')
    """
    if not text or text.endswith(" million"):
        return text.removesuffix(" million")
    return f"{int(text.replace(',', '')) / 1e6:.2f}"


def points_per_doubling(narrow: float, wide: float) -> float:
    """Return what a doubling of multiply-adds is worth between two widths in MobileNetV1's Table 6, in points of top-1."""
    low, high = (figure(V1, width, f"{PAPER} Table 6") for width in (narrow, wide))
    return (high.top1 - low.top1) / math.log2(float(in_millions(high.macs)) / float(in_millions(low.macs)))
