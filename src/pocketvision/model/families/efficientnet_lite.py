"""EfficientNet-Lite 0 to 4. Google 2020, tensorflow/tpu, models/official/efficientnet/lite; after Tan and Le, arXiv:1905.11946.

EfficientNet without what phones dislike: no gates, ReLU6 instead of swish; stem and head keep their channels at every
size. Lite 1 to 4 are wider and deeper than Lite 0 by the factors in the last lines; each is a family, on whose rows
`width` works.

The blocks are MobileNetV2's, found by search. EfficientNet's own idea is how to make them larger: more channels, more
layers and more pixels together, in a fixed ratio, as each alone soon gains little. Lite keeps that, and drops the
gates and swish because int8 accelerators had neither; ReLU6 also bounds what is to be quantised. As stem and
head stay, the small ones stay small.

Figures that differ: the published multiply-adds are 3 to 6 % above the exact counts. timm evaluates Lite 3 at 300 and Lite 4 at
380 pixels, the authors at 280 and 300.
"""

from dataclasses import replace
from math import ceil

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dropout,
    Family,
    GlobalPool,
    InvertedResidual,
    Row,
    divisible_by_8,
)


def stage(e: int, n: int, c: int, k: int, s: int) -> InvertedResidual:
    """One stage of Lite 0: expansion e, n times, c output channels, kernel k, the first with stride s."""
    return InvertedResidual(expand=e, repeat=n, out_channels=c, kernel=k, stride=s)


STAGES = (
    stage(e=1, n=1, c=16, k=3, s=1),
    stage(e=6, n=2, c=24, k=3, s=2),
    stage(e=6, n=2, c=40, k=5, s=2),
    stage(e=6, n=3, c=80, k=3, s=2),
    stage(e=6, n=3, c=112, k=5, s=1),
    stage(e=6, n=4, c=192, k=5, s=2),
    stage(e=6, n=1, c=320, k=3, s=1),
)


def lite(number: int, width: float, depth: float, resolution: int, dropout: float, claim: Claim) -> Family:
    """Return one of the five sizes: stages wider and deeper than Lite 0's; the first and last stage are not deeper."""
    last = len(STAGES) - 1

    def scaled(index: int, row: InvertedResidual) -> Row:
        repeat = row.repeat if index in (0, last) else ceil(row.repeat * depth)
        return replace(row, out_channels=divisible_by_8(row.out_channels, width), repeat=repeat)

    return Family(
        name=f"efficientnet_lite{number}",
        title="EfficientNet-Lite. Google 2020; EfficientNet: Rethinking Model Scaling. Tan and Le 2019",
        source="tensorflow/tpu, efficientnet_lite_builder.py",
        rounding=divisible_by_8,
        resolution=resolution,
        rows=(
            Conv(out_channels=32, kernel=3, stride=2),
            *(scaled(index, row) for index, row in enumerate(STAGES)),
            Conv(out_channels=1280, kernel=1, scales="above 1"),
            GlobalPool(),
            Dropout(rate=dropout),
            Classifier(),
        ),
        claims=(claim,),
    )


def published(resolution: int, params: int, macs: int, words: str) -> Claim:
    """What the authors' table says of one size."""
    return Claim(resolution=resolution, params=params, macs=macs, source=f"the authors' table: {words}")


FAMILIES = (
    lite(0, 1.0, 1.0, 224, 0.2, published(224, 4_652_008, 385_187_552, "4.7 million, 407 million")),
    lite(1, 1.0, 1.1, 240, 0.2, published(240, 5_416_680, 600_185_232, "5.4 million, 631 million")),
    lite(2, 1.1, 1.2, 260, 0.3, published(260, 6_092_072, 859_736_272, "6.1 million, 899 million")),
    lite(3, 1.2, 1.4, 280, 0.3, published(280, 8_197_096, 1_383_321_872, "8.2 million, 1.44 billion")),
    lite(4, 1.4, 1.8, 300, 0.3, published(300, 13_006_568, 2_553_034_336, "13.0 million, 2.64 billion")),
)
