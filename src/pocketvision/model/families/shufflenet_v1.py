"""ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices. Zhang et al. 2017, arXiv:1707.01083.

In MobileNets most multiply-adds are in the 1x1 convolutions. ShuffleNet makes these grouped, which divides their cost
by the number of groups; as groups would then never hear of each other, a shuffle deals the channels of each group out
to all others. What is saved is spent on wider maps: Table 1 gives each number of groups as many channels as about 140
million multiply-adds allow. Units that halve the map join the pooled input instead of adding it, which is cheaper
than a projection. The narrower the network, the more it gains by groups; without the shuffle it loses, the more
groups the more (Tables 2 and 3).

The very first 1x1 convolution is not grouped, as there are few channels. Channels are rounded so that each group, and
each group of the bottleneck (a quarter), has equally many, and so that stages stay twice as wide as those before:
groups of channels then meet those of the stage before alike at every width, and one network can be cut out of
another. The shuffle deals out whole channels, though: with 8 groups 0.75 is no cut of 1.0. The stem follows the
authors' code: 24 channels from width 1 on, 48 from 2 on, and below 1 as many as the groups divide; that gives all of
its plans (0.5x to 2.0x with 3 and 8 groups).

Figures that differ: Table 1's figures are rounded down by up to a percent: the rows give 143.1, 140.8, 137.5, 134.3
and 138.4 million. The 13 million of the paper's 0.25x are 10 to 12 here: how channels are rounded so far down is not
published. The authors' repository gives 32.2 % error for 1x with 3 groups, the paper 32.6.
"""

from math import ceil

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Family,
    GlobalPool,
    MaxPool,
    Rounding,
    ShuffleUnit,
    multiple_of,
)


def stem_for(groups: int) -> Rounding:
    """Return the rule for the stem's channels."""
    return lambda channels, width: channels * int(width) if width >= 1 else groups * ceil(channels * width / groups)


def doubling(groups: int, stage2: int) -> Rounding:
    """Return the rule for the stages: stage 2 is rounded for its groups, the others stay twice and four times as wide."""
    return lambda channels, width: channels // stage2 * multiple_of(4 * groups)(stage2, width)


def shufflenet(groups: int, stage2: int, params: int, macs: int, table: str) -> Family:
    """Return one column of Table 1: its groups and the channels of stage 2, which double twice."""

    def stage(c: int, n: int, grouped_start: bool = True) -> ShuffleUnit:
        return ShuffleUnit(
            out_channels=c, groups=groups, stride=2, repeat=n, has_grouped_start=grouped_start, activation="relu"
        )

    return Family(
        name=f"shufflenet_v1_g{groups}",
        title="ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices. Zhang et al. 2017",
        source="arXiv:1707.01083, Table 1",
        rounding=doubling(groups, stage2),
        rows=(
            Conv(out_channels=24, kernel=3, stride=2, activation="relu", rounding=stem_for(groups)),
            MaxPool(kernel=3, stride=2),
            stage(stage2, n=4, grouped_start=False),
            stage(2 * stage2, n=8),
            stage(4 * stage2, n=4),
            GlobalPool(),
            Classifier(),
        ),
        claims=(Claim(params=params, macs=macs, source=f"Table 1: {table}; parameters as in osmr/imgclsmob"),),
    )


FAMILIES = (
    shufflenet(3, stage2=240, params=1_865_728, macs=137_460_672, table="137 million"),
    shufflenet(1, stage2=144, params=1_531_936, macs=143_078_976, table="143 million"),
    shufflenet(2, stage2=200, params=1_733_848, macs=140_836_512, table="140 million"),
    shufflenet(4, stage2=272, params=1_968_344, macs=134_339_776, table="133 million"),
    shufflenet(8, stage2=384, params=2_434_768, macs=138_365_952, table="137 million"),
)
