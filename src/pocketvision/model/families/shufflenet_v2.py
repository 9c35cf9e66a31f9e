"""ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design. Ma et al. 2018, arXiv:1807.11164.

The paper measures instead of counting: of two networks with the same multiply-adds one can be half as fast. It finds
four rules: equal channels in and out cost the least memory traffic, many groups cost much of it, branches keep
processors idle, and so do adds and activations. Groups go, and so do the adds: each unit splits the channels, lets
one half pass, transforms the other, and shuffles both, so that all channels take their turn.

Channels are listed for four widths and are no multiples of each other; there are no widths between them.

The unit that halves the map is published in two ways. In `shufflenet_v2`, torchvision's, both of its branches end
with half of the channels (145, 296 and 583 million multiply-adds at 1.0, 1.5 and 2.0). In `shufflenet_v2_authors` the
shortcut keeps as many as come in, the other branch makes the rest, and units begin with the shuffle instead of ending
with it; that is what the paper's 146, 299 and 591 million count. Its classifier has no bias.

Figures that differ: the paper gives 39.7 % error for 0.5x, the authors' repository 38.9. torchvision's 1.5 and 2.0 were trained
longer than its 0.5 and 1.0, and than the paper's: the gap between them is not the network's alone.
"""

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dropout,
    Family,
    GlobalPool,
    MaxPool,
    SplitUnit,
    divisible_by_8,
    listed,
)

WIDTHS = (0.5, 1.0, 1.5, 2.0)


def claims(source: str, *costs: tuple[int, int, str]) -> tuple[Claim, ...]:
    """One published cost for each width."""
    return tuple(
        Claim(width=width, params=params, macs=macs, source=f"{source}: {words}")
        for width, (params, macs, words) in zip(WIDTHS, costs, strict=True)
    )


def shufflenet_v2(name: str, is_authors: bool, found: tuple[Claim, ...]) -> Family:
    """Return the table with one of the two units that halve the map."""

    def stage(x0_5: int, x1: int, x1_5: int, x2: int, n: int) -> SplitUnit:
        rounding = listed(x0_5=x0_5, x1=x1, x1_5=x1_5, x2=x2)
        return SplitUnit(
            out_channels=x1, rounding=rounding, stride=2, repeat=n, is_authors=is_authors, activation="relu"
        )

    return Family(
        name=name,
        title="ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design. Ma et al. 2018",
        source="arXiv:1807.11164, Table 5",
        rounding=divisible_by_8,
        widths=WIDTHS,
        rows=(
            Conv(
                out_channels=24, kernel=3, stride=2, activation="relu", rounding=listed(x0_5=24, x1=24, x1_5=24, x2=24)
            ),
            MaxPool(kernel=3, stride=2),
            stage(x0_5=48, x1=116, x1_5=176, x2=244, n=4),
            stage(x0_5=96, x1=232, x1_5=352, x2=488, n=8),
            stage(x0_5=192, x1=464, x1_5=704, x2=976, n=4),
            Conv(
                out_channels=1024, kernel=1, activation="relu", rounding=listed(x0_5=1024, x1=1024, x1_5=1024, x2=2048)
            ),
            GlobalPool(),
            *((Dropout(rate=0.2),) if is_authors else ()),
            Classifier(bias=not is_authors),
        ),
        claims=found,
    )


FAMILIES = (
    shufflenet_v2(
        "shufflenet_v2",
        False,
        claims(
            "torchvision's own figures",
            (1_366_792, 40_476_448, "1,366,792 parameters, 40 million"),
            (2_278_604, 144_907_992, "2,278,604 parameters, 145 million"),
            (3_503_624, 295_759_392, "3,503,624 parameters, 296 million"),
            (7_393_996, 583_253_464, "7,393,996 parameters, 583 million"),
        ),
    ),
    shufflenet_v2(
        "shufflenet_v2_authors",
        True,
        claims(
            "Table 5",
            (1_365_792, 40_476_448, "1.4 million, 41 million"),
            (2_278_760, 145_814_296, "2.3 million, 146 million"),
            (3_506_720, 298_970_656, "3.5 million, 299 million"),
            (7_402_600, 590_783_000, "7.4 million, 591 million"),
        ),
    ),
)
