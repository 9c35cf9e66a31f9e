"""Searching for MobileNetV3. Howard et al. 2019, arXiv:1905.02244.

V2's blocks, their sizes found by search on a phone; a squeeze-excite gate in some, hard-swish in the deeper half, and
a cheap end: the pool comes before the last layers.

One search found the blocks for the wanted latency, a second trimmed them layer by layer. What people added is as
telling. The layers behind the last block were among the most expensive, at 7x7; behind the pool they cost a
forty-ninth. Swish makes small networks better but needs an exponential: hard-swish, x relu6(x + 3) / 6, is nearly the
same, made of parts that int8 can compute, and is used where maps are small, as it costs more than ReLU; with it 16
channels are enough for the first layer. The gate looks at the whole map and weighs each channel, for few
multiply-adds.

The sizes below width 1 are not in the paper; decisions/0012-v3-below-width-1.md says which rule the published figures
need. Both versions of the paper are families here: a head of 1024 channels in V3-Small (2.5 million parameters, as
all weights have it), and of 1280 (`mobilenet_v3_small_head1280`, 2.9 million). The `_tv` families thin as torchvision
does, the `_minimalistic` ones are TF-slim's for simple hardware: no gates, no hard-swish, 3x3 alone.

Misprints: Table 2 marks a gate on the last 1x1 convolution; no code has it. V3-Small's 66 million multiply-adds, in
the first version and in TF-slim's list, are explained by neither head: 56.5 million with 1024, 56.9 with 1280;
version 5 prints 56. TF-slim's 65 for the minimalistic one are 52.3. The "dropout of 0.8" is the share that is kept.
Keras's docstring has 75.6 and 68.1 % where TF-slim has 75.2 and 67.5.
"""

from dataclasses import replace

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dense,
    Dropout,
    Family,
    GlobalPool,
    InvertedResidual,
    Row,
    Wide,
    changed,
    divisible_by_8,
)

RE, HS = "relu", "hard_swish"


def bneck(kernel: int, exp: int, out: int, se: bool, nl: str, s: int) -> InvertedResidual:
    """One line of Tables 1 and 2: kernel, exp size, output channels, squeeze-excite, activation, stride."""
    return InvertedResidual(
        kernel=kernel, hidden_channels=exp, out_channels=out, squeeze=0.25 if se else None, activation=nl, stride=s
    )


def tail(last: int, head: int) -> tuple[Row, ...]:
    """The last lines of both tables: a 1x1 convolution, the pool, a layer without batch norm, the classifier."""
    return (
        Conv(out_channels=last, kernel=1, activation=HS),
        GlobalPool(),
        Dense(out_channels=head, activation=HS, scales="never"),
        Dropout(rate=0.2),  # the paper's 0.8 is the share that is kept
        Classifier(),
    )


MOBILENET_V3_LARGE = Family(
    name="mobilenet_v3_large",
    title="Searching for MobileNetV3. Howard et al. 2019",
    source="arXiv:1905.02244, Table 1",
    rounding=divisible_by_8,
    rows=(
        Conv(out_channels=16, kernel=3, stride=2, activation=HS),
        bneck(kernel=3, exp=16, out=16, se=False, nl=RE, s=1),
        bneck(kernel=3, exp=64, out=24, se=False, nl=RE, s=2),
        bneck(kernel=3, exp=72, out=24, se=False, nl=RE, s=1),
        bneck(kernel=5, exp=72, out=40, se=True, nl=RE, s=2),
        bneck(kernel=5, exp=120, out=40, se=True, nl=RE, s=1),
        bneck(kernel=5, exp=120, out=40, se=True, nl=RE, s=1),
        bneck(kernel=3, exp=240, out=80, se=False, nl=HS, s=2),
        bneck(kernel=3, exp=200, out=80, se=False, nl=HS, s=1),
        bneck(kernel=3, exp=184, out=80, se=False, nl=HS, s=1),
        bneck(kernel=3, exp=184, out=80, se=False, nl=HS, s=1),
        bneck(kernel=3, exp=480, out=112, se=True, nl=HS, s=1),
        bneck(kernel=3, exp=672, out=112, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=672, out=160, se=True, nl=HS, s=2),
        bneck(kernel=5, exp=960, out=160, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=960, out=160, se=True, nl=HS, s=1),
        *tail(last=960, head=1280),
    ),
    claims=(
        Claim(params=5_483_032, macs=216_589_760, source="TF-slim: 5.4 million, 217 million (Table 3: 219 million)"),
        Claim(width=0.75, params=3_993_528, macs=154_560_624, source="Table 3: 4.0 million, 155 million"),
    ),
)

MOBILENET_V3_SMALL = Family(
    name="mobilenet_v3_small",
    title=MOBILENET_V3_LARGE.title,
    source="arXiv:1905.02244v5, Table 2",
    rounding=divisible_by_8,
    rows=(
        Conv(out_channels=16, kernel=3, stride=2, activation=HS),
        bneck(kernel=3, exp=16, out=16, se=True, nl=RE, s=2),
        bneck(kernel=3, exp=72, out=24, se=False, nl=RE, s=2),
        bneck(kernel=3, exp=88, out=24, se=False, nl=RE, s=1),
        bneck(kernel=5, exp=96, out=40, se=True, nl=HS, s=2),
        bneck(kernel=5, exp=240, out=40, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=240, out=40, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=120, out=48, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=144, out=48, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=288, out=96, se=True, nl=HS, s=2),
        bneck(kernel=5, exp=576, out=96, se=True, nl=HS, s=1),
        bneck(kernel=5, exp=576, out=96, se=True, nl=HS, s=1),
        *tail(last=576, head=1024),
    ),
    claims=(
        Claim(params=2_542_856, macs=56_510_400, source="Table 3, version 5: 2.5 million, 56 million"),
        Claim(
            width=0.75, params=2_041_872, macs=43_399_344, source="Table 3: 2.4 million, 44 million (a head of 1280)"
        ),
    ),
)


def head1280(family: Family) -> Family:
    """Return the first version of V3-Small, with a head of 1280 channels."""
    words = "Table 3: 2.9 million, 66 million (not explained by any head)"
    return replace(
        family,
        name=f"{family.name}_head1280",
        source="arXiv:1905.02244v2, Table 2",
        rows=changed(family.rows, Dense, out_channels=1280),
        claims=(Claim(params=2_946_568, macs=56_913_856, source=words),),
    )


def torchvision_rule(family: Family, *claims: Claim) -> Family:
    """Return the twin that torchvision builds: the width multiplies exp sizes and the head, too. Equal at width 1."""
    rows = changed(changed(family.rows, InvertedResidual, hidden_by="width"), Wide, scales="always")
    return replace(family, name=f"{family.name}_tv", source="torchvision", rows=rows, claims=claims)


def minimalistic(family: Family, *claims: Claim) -> Family:
    """Return the twin for simple hardware: ReLU alone, kernels of 3x3 alone, no gates. Source: TF-slim's MobileNetV3."""
    rows = changed(changed(family.rows, InvertedResidual, kernel=3, squeeze=None), Wide, activation=RE)
    name, source = f"{family.name}_minimalistic", "TF-slim's MobileNetV3, minimalistic"
    return replace(family, name=name, source=source, rows=rows, claims=claims)


FAMILIES = (
    MOBILENET_V3_LARGE,
    MOBILENET_V3_SMALL,
    head1280(MOBILENET_V3_SMALL),
    torchvision_rule(
        MOBILENET_V3_LARGE,
        Claim(params=5_483_032, macs=216_589_760, source="torchvision's own parameters: 5,483,032"),
        Claim(width=0.75, params=3_377_576, macs=140_033_816, source="torchvision's class at width 0.75"),
    ),
    torchvision_rule(
        MOBILENET_V3_SMALL,
        Claim(params=2_542_856, macs=56_510_400, source="torchvision's own parameters: 2,542,856"),
        Claim(width=0.75, params=1_653_920, macs=39_115_576, source="torchvision's class at width 0.75"),
    ),
    minimalistic(
        MOBILENET_V3_LARGE,
        Claim(params=3_924_288, macs=209_136_704, source="TF-slim: 3.9 million, 209 million"),
    ),
    minimalistic(
        MOBILENET_V3_SMALL,
        Claim(
            params=2_044_736, macs=52_288_448, source="TF-slim: 2.0 million, 65 million (a misprint, as V3-Small's 66)"
        ),
    ),
)
