"""Xception: Deep Learning with Depthwise Separable Convolutions. Chollet 2017, arXiv:1610.02357.

The story starts with Inception (Szegedy et al. 2014, arXiv:1409.4842), the winner of ImageNet's contest of that year:
modules of several branches, 1x1 convolutions in front of 3x3 and 5x5 ones, all joined again. The 1x1 convolutions
look for correlations between channels and leave a few, the others for correlations in space, on the hypothesis that
the two can be looked for apart. That made it small for its time. Inception V3 refined the branches.

Xception takes it to its end: as many branches as channels. That is a depthwise separable convolution, here in a
network with the size of Inception V3 (23.6 million parameters), all modules alike, and shortcuts around every two or
three convolutions. It is the better of the two on ImageNet, 79.0 to 78.2 % (Table 1), and more so on larger data.
MobileNet took the same convolution the other way, to networks as small as can be.

Two things differ from MobileNet's separable convolution. There is no activation between its two halves: section 4.7
found that one (ReLU or ELU) makes learning slower and the result worse, the contrary of what helps in Inception
modules. `xception_activated` is the variant with ReLU there. And the map shrinks by max pools, not by strides.

Figures that differ: Keras counts the running statistics of batch norm as parameters, too: 22,910,480.
"""

from dataclasses import replace

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dropout,
    Family,
    GlobalPool,
    SeparableConv,
    XceptionModule,
    changed,
    divisible_by_8,
)

RE = "relu"


def module(*filters: int, s: int, n: int = 1, relu_first: bool = True) -> XceptionModule:
    """One box of Figure 5: channels of its separable convolutions, stride of its pool, how many follow each other."""
    return XceptionModule(
        out_channels=filters[-1],
        filters=filters,
        stride=s,
        repeat=n,
        starts_with_activation=relu_first,
        activation=RE,
    )


def sepconv(c: int) -> SeparableConv:
    """A separable convolution of the exit flow to c channels, ReLU behind it."""
    return SeparableConv(out_channels=c, middle="nothing", activation=RE)


XCEPTION = Family(
    name="xception",
    title="Xception: Deep Learning with Depthwise Separable Convolutions. Chollet 2017",
    source="arXiv:1610.02357, Figure 5",
    rounding=divisible_by_8,
    resolution=299,
    rows=(
        # entry flow
        Conv(out_channels=32, kernel=3, stride=2, padding="valid", activation=RE),
        Conv(out_channels=64, kernel=3, padding="valid", activation=RE),
        module(128, 128, s=2, relu_first=False),
        module(256, 256, s=2),
        module(728, 728, s=2),
        # middle flow
        module(728, 728, 728, s=1, n=8),
        # exit flow
        module(728, 1024, s=2),
        sepconv(1536),
        sepconv(2048),
        GlobalPool(),
        Dropout(rate=0.5),
        Classifier(),
    ),
    claims=(
        Claim(
            resolution=299,
            params=22_855_952,
            macs=8_357_403_496,
            source="Table 3: 22,855,952 parameters; timm: 8.4 billion multiply-adds",
        ),
    ),
)


def activated(family: Family) -> Family:
    """Return the variant with an activation between the depthwise and the pointwise convolution (section 4.7)."""
    claim = replace(family.claims[0], source="the cost of Xception, which it keeps; none is printed")
    return replace(
        family,
        name=f"{family.name}_activated",
        source="arXiv:1610.02357, section 4.7",
        rows=changed(family.rows, SeparableConv | XceptionModule, middle="activation"),
        claims=(claim,),
    )


FAMILIES = (XCEPTION, activated(XCEPTION))
