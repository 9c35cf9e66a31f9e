"""Standard and depthwise separable convolutions, and Xception's modules of the latter."""

from itertools import pairwise

from pocketvision.explain.page import Equation, Lesson, Letter, Section
from pocketvision.explain.subject import AREA, KERNEL, Subject, put_in, times, with_sum
from pocketvision.model import rows
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Conv

V1 = "arXiv:1704.04861"
STANDARD = f"{KERNEL} * M * N * {AREA}"
DEPTHWISE = f"{KERNEL} * M * {AREA}"
POINTWISE = f"M * N * {AREA}"


def conv(subject: Subject, row: rows.Conv) -> Lesson:
    """What it costs, and what a depthwise separable convolution in its place would. Source: arXiv:1704.04861, eq. 2 and 5."""
    found = subject.filters()
    letters = _letters(subject, found)
    if row.kernel == 1:
        return Lesson(letters, (_pointwise(subject, letters),))
    words = f"Each number that goes out sums {row.kernel}x{row.kernel} pixels of all {found.in_channels} channels."
    cost = Section("What it costs", f"{V1}, eq. 2", (words,), subject.steps(letters, {"convolution": STANDARD}))
    depthwise = subject.compare("depthwise", lambda b, x: _depthwise(b, x, found))
    narrow = rows.Conv(out_channels=found.out_channels, kernel=1)
    pointwise = subject.compare("pointwise", narrow, depthwise.leaving)
    parts = with_sum(
        Equation(part.what, symbols, put_in(symbols, letters), part.macs)
        for part, symbols in ((depthwise, DEPTHWISE), (pointwise, POINTWISE))
    )
    words = "One filter for each channel that comes in, then a 1x1 convolution that combines them."
    apart = Section("As a depthwise separable convolution", f"{V1}, eq. 5", (words,), parts)
    separable = subject.compare(
        "depthwise separable convolution",
        lambda b, x: b.conv(_depthwise(b, x, found), "pointwise", found.out_channels),
    )
    return Lesson(letters, (cost, apart, _reduction(subject, row.kernel, separable.macs, subject.macs)), (separable,))


def _pointwise(subject: Subject, letters: tuple[Letter, ...]) -> Section:
    return Section(
        "What it costs",
        f"{V1}, section 3.1",
        ("Each number that goes out sums one pixel of all channels.",),
        subject.steps(letters, {"convolution": POINTWISE}),
        (
            "A 1x1 kernel is what a depthwise separable convolution ends with: nothing is left to take apart. "
            "ShuffleNet (arXiv:1707.01083) makes such layers cheaper by groups.",
        ),
    )


def separable_conv(subject: Subject, row: rows.SeparableConv) -> Lesson:
    """Standard, depthwise and pointwise, and the ratio of the two. Source: arXiv:1704.04861, eq. 2 to 5 and Table 3."""
    letters = _letters(subject, subject.filters("depthwise"))
    whole = rows.Conv(out_channels=row.out_channels, kernel=row.kernel, stride=row.stride)
    standard = subject.compare("standard convolution", whole)
    size = f"{row.kernel}x{row.kernel}"
    words = f"Filters and combines at once: each number that goes out sums {size} pixels of all channels."
    equation = Equation("standard", STANDARD, put_in(STANDARD, letters), standard.macs)
    together = Section("As a standard convolution", f"{V1}, eq. 2", (words,), (equation,))
    words = f"Filters each channel alone with {size} weights, then combines the channels of each pixel."
    parts = subject.steps(letters, {"depthwise": DEPTHWISE, "pointwise": POINTWISE})
    apart = Section("As depthwise and pointwise", f"{V1}, eq. 3 to 5", (words,), parts)
    reduction = _reduction(subject, row.kernel, subject.macs, standard.macs)
    return Lesson(letters, (together, apart, reduction), (standard,))


def sizes_of_separable_conv(subject: Subject, a: float, r: float) -> Equation:
    """Return the cost at another size: `a` is its width over the explained one's, `r` its resolution over that one's.

    Source: arXiv:1704.04861, section 3.3, eq. 6, and section 3.4, eq. 7.
    """
    m, n = ("M", "N") if a == 1 else ("aM", "aN")
    side = "D_F" if r == 1 else "rD_F"
    symbols = f"{KERNEL} * {m} * {side} * {side} + {m} * {n} * {side} * {side}"
    found = subject.filters("depthwise")
    values = {
        "D_K": found.kernel.height,
        m: found.in_channels,
        n: subject.leaving.channels,
        side: subject.leaving.height,
    }
    letters = [Letter(symbol, value, "") for symbol, value in values.items()]
    sizes = [f"{name} = {ratio:.3g}" for name, ratio in (("a", a), ("r", r)) if ratio != 1]
    return Equation(", ".join(sizes), symbols, put_in(symbols, letters), subject.macs)


def xception_module(subject: Subject, row: rows.XceptionModule) -> Lesson:
    """Separable convolutions behind each other, beside standard ones. Source: arXiv:1610.02357, Figure 5 and section 4.7."""
    area = subject.area_in
    names = ["M", *(f"F{i}" for i in range(1, len(row.filters) + 1))]
    channels = [subject.entering.channels, *row.filters]
    meanings = ["channels in", *(f"channels behind separable convolution {i}" for i in range(1, len(channels)))]
    letters = (
        Letter("D_K", row.kernel, "side of the kernel"),
        *(Letter(*each) for each in zip(names, channels, meanings, strict=True)),
        *subject.sides,
    )
    symbols = {"shortcut": f"M * {names[-1]} * {AREA}"}
    for i, (m, n) in enumerate(pairwise(names), start=1):
        symbols |= {f"filter{i}.depthwise": f"{KERNEL} * {m} * {area}", f"filter{i}.pointwise": f"{m} * {n} * {area}"}
    standard = subject.compare("with standard convolutions", lambda b, x: _standards(b, x, row))
    shortcut = subject.costs["shortcut"].macs if row.has_projection else 0
    after = (
        f"With standard {row.kernel}x{row.kernel} convolutions it would cost {standard.macs:,}: "
        f"{times(standard.macs - shortcut, subject.macs - shortcut)} times as much, the shortcut aside."
    )
    parts = subject.steps(letters, symbols)
    cost = Section("What it costs", "arXiv:1610.02357, Figure 5", _words_on_xception(row), parts, (after,))
    return Lesson(letters, (cost,), (standard,))


def _words_on_xception(row: rows.XceptionModule) -> tuple[str, ...]:
    middle = {
        "nothing": "Nothing stands between the two halves of each (section 4.7), unlike in MobileNet.",
        "activation": "An activation stands between the two halves of each, which section 4.7 advises against.",
        "norm and activation": "Batch norm and activation stand between the two halves of each, as in MobileNet.",
    }[row.middle]
    around = "a 1x1 convolution, as the shape changes" if row.has_projection else "what comes in as it is"
    pool = ", and a max pool behind them halves the map" * (row.stride > 1)
    return (
        f"{len(row.filters)} depthwise separable convolutions follow each other{pool}; the shortcut around them is {around}.",
        middle,
    )


def _letters(subject: Subject, found: Conv) -> tuple[Letter, ...]:
    kernel = (Letter("D_K", found.kernel.height, "side of the kernel"),) * (found.kernel.height > 1)
    return (
        *kernel,
        Letter("M", found.in_channels, "channels in"),
        Letter("N", subject.leaving.channels, "channels out"),
        subject.sides[-1],
    )


def _reduction(subject: Subject, kernel: int, separable: int, standard: int) -> Section:
    """Return the ratio 1/N + 1/D_K^2, and between which whole numbers its inverse lies for many channels."""
    channels, taps = subject.leaving.channels, kernel**2
    numbers = f"1/{channels} + 1/{kernel}^2"
    equation = Equation("ratio", "1/N + 1/D_K^2", numbers, separable / standard, "of the multiply-adds")
    after = (
        f"Depthwise separable, it costs {times(standard, separable)} times less. With {kernel}x{kernel} filters it is "
        f"between {taps - 1} and {taps} times wherever N is above {taps * (taps - 1)}; D_K^2 = {taps} is the limit for many "
        "channels."
    )
    return Section("The reduction", f"{V1}, section 3.1", (), (equation,), (after,))


def _depthwise(builder: Builder, x: str, like: Conv) -> str:
    return builder.depthwise(x, "depthwise", kernel=like.kernel, stride=like.stride, padding=like.padding)


def _standards(builder: Builder, x: str, row: rows.XceptionModule) -> str:
    y = x
    for number, channels in enumerate(row.filters):
        y = builder.conv(y, f"convolution{number}", channels, kernel=row.kernel)
    if row.stride > 1:
        y = builder.max_pool(y, "max_pool", kernel=row.kernel, stride=row.stride)
    if row.has_projection:
        x = builder.conv(x, "shortcut", row.out_channels, stride=row.stride)
    return builder.add(x, y, "add")
