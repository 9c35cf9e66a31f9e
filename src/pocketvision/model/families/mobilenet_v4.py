"""MobileNetV4: Universal Models for the Mobile Ecosystem. Qin et al. 2024, arXiv:2404.10518.

One block for all: V2's inverted residual with two depthwise convolutions, before and after the expansion, either of
which may be missing. Depending on which are there it is V2's block, a ConvNeXt-like one (only before), a plain
feed-forward one (none), or one that sees more at little cost (both). A search over their mixtures, for many devices
at once, found these three networks; the first layers are standard convolutions again, which accelerators like, the
activation is ReLU, and there are no gates.

That is the point of it: MobileNetV3 was found for the processor of one phone, and others run its gates and hard-swish
slowly. What is left in V4 runs well on processors, on graphics units and on int8 accelerators. The
paper's hybrids, with attention, are not here. Part of its lead is training: 500 epochs and more; its authors trained
V1 anew as well, and got 74.0 %.

Only one width is published besides 1, timm's small at 0.5; neither its stem nor, as in V3, its head is thinned.

Misprints: the paper prints 9.2 and 31 million parameters for medium and large; the published layer lists give 9.72
and 32.59, as timm's do. timm's multiply-adds are rounded to ten millions and some percent high.
"""

from pocketvision.model.rows import (
    Claim,
    Classifier,
    Conv,
    Dense,
    Dropout,
    Family,
    FusedBottleneck,
    GlobalPool,
    Row,
    UniversalBottleneck,
    divisible_by_8,
)

RE = "relu"


def conv(k: int, c: int, s: int = 1) -> Conv:
    """Standard convolution: kernel, channels, stride."""
    return Conv(kernel=k, out_channels=c, stride=s, activation=RE)


def stem(c: int) -> Conv:
    """The first convolution, which timm does not thin either."""
    return Conv(kernel=3, out_channels=c, stride=2, activation=RE, scales="above 1")


def fused(k: int, e: int, c: int, s: int) -> FusedBottleneck:
    """FusedIB: kernel, expansion, channels, stride."""
    return FusedBottleneck(kernel=k, expand=e, out_channels=c, stride=s, activation=RE)


def uib(start: int, k: int, e: int, c: int, s: int = 1, n: int = 1) -> UniversalBottleneck:
    """UIB: kernels before and after the expansion (0: none), expansion, channels, stride, how many."""
    return UniversalBottleneck(
        start_kernel=start, kernel=k, expand=e, out_channels=c, stride=s, repeat=n, activation=RE
    )


def mobilenet_v4(size: str, resolution: int, rows: tuple[Row, ...], *claims: Claim) -> Family:
    """Return one of the three networks: its rows, and the end that all have."""
    return Family(
        name=f"mobilenet_v4_conv_{size}",
        title="MobileNetV4: Universal Models for the Mobile Ecosystem. Qin et al. 2024",
        source="arXiv:2404.10518, appendix; timm's lists",
        rounding=divisible_by_8,
        resolution=resolution,
        rows=(
            *rows,
            conv(k=1, c=960),
            GlobalPool(),
            Dense(out_channels=1280, batch_norm=True, activation=RE, scales="never"),
            Dropout(rate=0.2),
            Classifier(),
        ),
        claims=claims,
    )


FAMILIES = (
    mobilenet_v4(
        "small",
        224,
        (
            stem(c=32),
            conv(k=3, c=32, s=2),
            conv(k=1, c=32),
            conv(k=3, c=96, s=2),
            conv(k=1, c=64),
            uib(start=5, k=5, e=3, c=96, s=2),
            uib(start=0, k=3, e=2, c=96, n=4),
            uib(start=3, k=0, e=4, c=96),
            uib(start=3, k=3, e=6, c=128, s=2),
            uib(start=5, k=5, e=4, c=128),
            uib(start=0, k=5, e=4, c=128),
            uib(start=0, k=5, e=3, c=128),
            uib(start=0, k=3, e=4, c=128, n=2),
        ),
        Claim(params=3_774_024, macs=186_005_568, source="the paper: 3.8 million, 0.2 billion; timm: 3.77 million"),
        Claim(width=0.5, params=2_238_952, macs=64_741_408, source="timm: 2.24 million, 70 million"),
    ),
    mobilenet_v4(
        "medium",
        256,
        (
            stem(c=32),
            fused(k=3, e=4, c=48, s=2),
            uib(start=3, k=5, e=4, c=80, s=2),
            uib(start=3, k=3, e=2, c=80),
            uib(start=3, k=5, e=6, c=160, s=2),
            uib(start=3, k=3, e=4, c=160, n=2),
            uib(start=3, k=5, e=4, c=160),
            uib(start=3, k=3, e=4, c=160),
            uib(start=3, k=0, e=4, c=160),
            uib(start=0, k=0, e=2, c=160),
            uib(start=3, k=0, e=4, c=160),
            uib(start=5, k=5, e=6, c=256, s=2),
            uib(start=5, k=5, e=4, c=256),
            uib(start=3, k=5, e=4, c=256, n=2),
            uib(start=0, k=0, e=4, c=256),
            uib(start=3, k=0, e=4, c=256),
            uib(start=3, k=5, e=2, c=256),
            uib(start=5, k=5, e=4, c=256),
            uib(start=0, k=0, e=4, c=256, n=2),
            uib(start=5, k=0, e=2, c=256),
        ),
        Claim(
            resolution=256,
            params=9_715_512,
            macs=1_080_244_224,
            source="the paper: 9.2 million (a misprint), 1 billion; timm: 9.72 million",
        ),
    ),
    mobilenet_v4(
        "large",
        384,
        (
            stem(c=24),
            fused(k=3, e=4, c=48, s=2),
            uib(start=3, k=5, e=4, c=96, s=2),
            uib(start=3, k=3, e=4, c=96),
            uib(start=3, k=5, e=4, c=192, s=2),
            uib(start=3, k=3, e=4, c=192, n=3),
            uib(start=3, k=5, e=4, c=192),
            uib(start=5, k=3, e=4, c=192, n=5),
            uib(start=3, k=0, e=4, c=192),
            uib(start=5, k=5, e=4, c=512, s=2, n=4),
            uib(start=5, k=0, e=4, c=512),
            uib(start=5, k=3, e=4, c=512),
            uib(start=5, k=0, e=4, c=512, n=2),
            uib(start=5, k=3, e=4, c=512),
            uib(start=5, k=5, e=4, c=512),
            uib(start=5, k=0, e=4, c=512, n=3),
        ),
        Claim(
            resolution=384,
            params=32_590_864,
            macs=6_376_220_672,
            source="the paper: 31 million (a misprint), 5.9 billion; timm: 32.59 million",
        ),
    ),
)
