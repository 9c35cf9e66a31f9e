"""MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications. Howard et al. 2017, arXiv:1704.04861.

A standard 3x3 convolution filters and combines in one step. V1 does it in two: a depthwise convolution filters each
channel alone, a pointwise (1x1) convolution combines them. That costs 1/N + 1/9 of the multiply-adds (N output
channels). What is left is nearly all in 1x1 convolutions, which are plain products of matrices and run fast
everywhere.

The second half of the paper is two dials for whoever builds with it. The width multiplier (alpha) thins every layer:
cost and parameters fall with about its square. The resolution multiplier (rho) shrinks the image: the cost falls with
its square, parameters stay. Thin beats shallow: `mobilenet_v1_shallow` leaves out five layers instead, costs about as
much as width 0.75 and recognises less (Table 5). `mobilenet_v1_standard` is the twin of standard convolutions, better
by a point at more than eight times the cost (Table 4).

The paper uses ReLU; TF-slim, Keras and all published weights use ReLU6, which is the default here;
`mobilenet_v1_relu` is the paper's. `mobilenet_v1_plain` has nothing between the two halves of a separable
convolution, as Xception, and recognises more (osmr/imgclsmob).

Misprints: Table 1 prints stride 2 for the last depthwise layer; its input and output are both 7x7, so it is stride 1.
Table 2 prints 1.19 % of the multiply-adds for the 3x3 convolution: it is 1.91 %, and only then the column adds up to
100. Table 4's 4866 million leave out the classifier. Table 9 counts SqueezeNet's operations, two for each
multiply-add: the lead is 11 times, not 22. Section 4.4 says 0.58 million multiply-adds for PlaNet: billion is meant.
The baseline for faces has 75 million parameters in the text and 7.5 in Table 12. Table 14 has two rows for 0.75 at
128 pixels; that of 166 million is 0.75 at 160.

Misprints: TF-slim's list is 2.6 % low at width 0.75, and says 34 million for 0.25 at 192 pixels (30.2). Keras's
docstring repeats 529 million for width 1 at every resolution: it is 569, 418, 291 and 186. MobileNetV2's Table 4 says
575 for 569.
"""

from dataclasses import replace

from pocketvision.model.rows import (
    Block,
    Claim,
    Classifier,
    Conv,
    Family,
    GlobalPool,
    Row,
    SeparableConv,
    changed,
    floor_from_8,
)


def row(c: int, n: int, s: int) -> SeparableConv:
    """One line of Table 1: c output channels, n times, the first with stride s."""
    return SeparableConv(out_channels=c, repeat=n, stride=s)


MOBILENET_V1 = Family(
    name="mobilenet_v1",
    title="MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications. Howard et al. 2017",
    source="arXiv:1704.04861, Table 1",
    rounding=floor_from_8,
    rows=(
        Conv(out_channels=32, kernel=3, stride=2),
        row(c=64, n=1, s=1),
        row(c=128, n=1, s=2),
        row(c=128, n=1, s=1),
        row(c=256, n=1, s=2),
        row(c=256, n=1, s=1),
        row(c=512, n=1, s=2),
        row(c=512, n=5, s=1),
        row(c=1024, n=1, s=2),
        row(c=1024, n=1, s=1),
        GlobalPool(),
        Classifier(),
    ),
    claims=(
        Claim(params=4_231_976, macs=568_740_352, source="Table 8: 4.2 million, 569 million; TF-slim's layer table"),
        Claim(width=0.75, params=2_585_560, macs=325_400_448, source="Table 6: 2.6 million, 325 million"),
        Claim(width=0.5, params=1_331_592, macs=149_497_088, source="Table 6: 1.3 million, 149 million"),
        Claim(width=0.25, params=470_072, macs=41_030_272, source="Table 6: 0.5 million, 41 million"),
        Claim(resolution=192, params=4_231_976, macs=418_121_728, source="Table 7: 4.2 million, 418 million"),
        Claim(resolution=160, params=4_231_976, macs=290_675_200, source="Table 7: 4.2 million, 290 million"),
        Claim(resolution=128, params=4_231_976, macs=186_400_768, source="Table 7: 4.2 million, 186 million"),
        Claim(width=0.5, resolution=160, params=1_331_592, macs=76_524_800, source="Table 9: 1.32 million, 76 million"),
    ),
)


def standard(family: Family) -> Family:
    """Return the twin with a standard convolution for every separable one (Table 4)."""

    def twin(row: Row) -> Row:
        if not isinstance(row, SeparableConv):
            return row
        return Conv(out_channels=row.out_channels, stride=row.stride, repeat=row.repeat, activation=row.activation)

    return replace(
        family,
        name=f"{family.name}_standard",
        source="arXiv:1704.04861, Table 4",
        rows=tuple(twin(row) for row in family.rows),
        claims=(
            Claim(
                params=29_294_088,
                macs=4_867_293_184,
                source="Table 4: 29.3 million, 4866 million (the printed figure leaves out the classifier)",
            ),
        ),
    )


def shallow(family: Family) -> Family:
    """Return the twin without the five separable layers of 512 channels on 14x14 (Table 5)."""
    return replace(
        family,
        name=f"{family.name}_shallow",
        source="arXiv:1704.04861, Table 5",
        rows=tuple(row for row in family.rows if not (isinstance(row, Block) and row.repeat == 5)),
        claims=(Claim(params=2_887_976, macs=307_323_392, source="Table 5: 2.9 million, 307 million"),),
    )


def relu(family: Family) -> Family:
    """Return the twin with the paper's own activation, ReLU (section 3.2), at the same cost."""
    return replace(family, name=f"{family.name}_relu", rows=changed(family.rows, Block, activation="relu"))


def plain(family: Family) -> Family:
    """Return the twin with nothing between depthwise and pointwise convolution, as Xception has it, and osmr/imgclsmob.

    Source: Xception, arXiv:1610.02357, section 4.7.
    """
    rows = changed(family.rows, SeparableConv, middle="nothing")
    claim = Claim(params=4_222_056, macs=568_740_352, source="MobileNetV1's multiply-adds; 13 batch norms fewer")
    return replace(family, name=f"{family.name}_plain", rows=rows, claims=(claim,))


FAMILIES = (
    MOBILENET_V1,
    standard(MOBILENET_V1),
    shallow(MOBILENET_V1),
    relu(MOBILENET_V1),
    plain(MOBILENET_V1),
)
