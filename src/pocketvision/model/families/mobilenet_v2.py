"""MobileNetV2: Inverted Residuals and Linear Bottlenecks. Sandler et al. 2018, arXiv:1801.04381.

V1's blocks turned inside out: the tensors between blocks are narrow and pass a shortcut, the depthwise filters inside
see six times as many channels, and the convolution back to few channels has no activation, which would lose too much
there.

An activation sets part of what passes it to zero. Where there are many channels the others still hold what was lost;
where there are few it is gone. So V2 activates wide tensors only. The shortcuts join the narrow ones: those are what
has to be kept in memory between blocks, and small. Figure 6 compares: `mobilenet_v2_nonlinear` activates the narrow
tensors, too, `mobilenet_v2_wide_shortcut` joins the wide ones, `mobilenet_v2_no_shortcut` joins none; V2 beats all
three.

The last 1x1 convolution is never thinned below 1280 channels (section 6.1: the multiplier is not applied to it below
1), but widened above 1. Published parameters of TF-slim leave batch norm out.

Misprints: Table 4 prints 6.9 million parameters for width 1.4: the code gives 6.11, and 6.06 without batch norm. It
also gives MobileNetV1 575 million multiply-adds, whose own paper says 569. TF-slim cuts multiply-adds off instead of
rounding them: 11 for 0.35 at 96 pixels, which are 11.93. Table 3, of memory, stands in two versions, with the first
layer and without; it pairs the side of what comes into a row with the channels of what goes out, so that some of its
tensors are nowhere in the network: what is alive at 56, 28 and 14 pixels has 24, 32 and 96 channels, not 32, 64 and
160.
"""

from dataclasses import replace

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dropout,
    Family,
    GlobalPool,
    InvertedResidual,
    changed,
    divisible_by_8,
)


def row(t: int, c: int, n: int, s: int) -> InvertedResidual:
    """One line of Table 2: expansion t, c output channels, n times, the first with stride s."""
    return InvertedResidual(expand=t, out_channels=c, repeat=n, stride=s)


SLIM = "TF-slim's list of MobileNetV2"  # research/slim/nets/mobilenet/README.md; multiply-adds are cut off there, not rounded


def claim(width: float, resolution: int, params: int, macs: int, published: str) -> Claim:
    """One line of the published list."""
    return Claim(width=width, resolution=resolution, params=params, macs=macs, source=f"{SLIM}: {published}")


MOBILENET_V2 = Family(
    name="mobilenet_v2",
    title="MobileNetV2: Inverted Residuals and Linear Bottlenecks. Sandler et al. 2018",
    source="arXiv:1801.04381, Table 2",
    rounding=divisible_by_8,
    rows=(
        Conv(out_channels=32, kernel=3, stride=2),
        row(t=1, c=16, n=1, s=1),
        row(t=6, c=24, n=2, s=2),
        row(t=6, c=32, n=3, s=2),
        row(t=6, c=64, n=4, s=2),
        row(t=6, c=96, n=3, s=1),
        row(t=6, c=160, n=3, s=2),
        row(t=6, c=320, n=1, s=1),
        Conv(out_channels=1280, kernel=1, scales="above 1"),
        GlobalPool(),
        Dropout(rate=0.2),
        Classifier(),
    ),
    claims=(
        claim(1.4, 224, 6_108_776, 582_195_824, "6.06 million, 582 million"),
        claim(1.3, 224, 5_386_792, 509_374_560, "5.34 million, 509 million"),
        claim(1.0, 224, 3_504_872, 300_774_272, "3.47 million, 300 million"),
        claim(1.0, 192, 3_504_872, 221_316_608, "3.47 million, 221 million"),
        claim(1.0, 160, 3_504_872, 154_083_200, "3.47 million, 154 million"),
        claim(1.0, 128, 3_504_872, 99_074_048, "3.47 million, 99 million"),
        claim(1.0, 96, 3_504_872, 56_289_152, "3.47 million, 56 million"),
        claim(0.75, 224, 2_636_424, 209_069_792, "2.61 million, 209 million"),
        claim(0.75, 192, 2_636_424, 153_941_888, "2.61 million, 153 million"),
        claim(0.75, 160, 2_636_424, 107_295_200, "2.61 million, 107 million"),
        claim(0.75, 128, 2_636_424, 69_129_728, "2.61 million, 69 million"),
        claim(0.75, 96, 2_636_424, 39_445_472, "2.61 million, 39 million"),
        claim(0.5, 224, 1_968_680, 97_131_840, "1.95 million, 97 million"),
        claim(0.5, 192, 1_968_680, 71_701_760, "1.95 million, 71 million"),
        claim(0.5, 160, 1_968_680, 50_184_000, "1.95 million, 50 million"),
        claim(0.5, 128, 1_968_680, 32_578_560, "1.95 million, 32 million"),
        claim(0.5, 96, 1_968_680, 18_885_440, "1.95 million, 18 million"),
        claim(0.35, 224, 1_677_128, 59_285_808, "1.66 million, 59 million"),
        claim(0.35, 192, 1_677_128, 43_896_512, "1.66 million, 43 million"),
        claim(0.35, 160, 1_677_128, 30_874_800, "1.66 million, 30 million"),
        claim(0.35, 128, 1_677_128, 20_220_672, "1.66 million, 20 million"),
        claim(0.35, 96, 1_677_128, 11_934_128, "1.66 million, 11 million"),
    ),
)


def variant(name: str, source: str, **changes: str) -> Family:
    """Return V2 with other bottlenecks, at the same cost."""
    rows = changed(MOBILENET_V2.rows, InvertedResidual, **changes)
    cost = MOBILENET_V2.claims[2]
    claim = Claim(params=cost.params, macs=cost.macs, source="the cost of MobileNetV2, which it keeps; none is printed")
    return replace(
        MOBILENET_V2, name=f"mobilenet_v2_{name}", source=f"arXiv:1801.04381, {source}", rows=rows, claims=(claim,)
    )


FAMILIES = (
    MOBILENET_V2,
    variant("nonlinear", "Figure 6a: ReLU6 in the bottleneck", project_activation="relu6"),
    variant("wide_shortcut", "Figure 6b: shortcut between expansions", shortcut="expansions"),
    variant("no_shortcut", "Figure 6b: no residual", shortcut="none"),
)
