"""SqueezeNet's Fire module and EffNet's block: how much is let through on the way."""

from math import prod

from pocketvision.explain.page import Comparison, Equation, Lesson, Letter, Section, Table
from pocketvision.explain.subject import (
    AREA,
    KERNEL,
    Subject,
    area_in,
    as_row,
    compare,
    floats,
    side_letters,
    steps,
    times,
    together,
)
from pocketvision.model import rows
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Shape

SQUEEZENET, EFFNET = "arXiv:1602.07360", "arXiv:1801.06434"


def fire(subject: Subject, row: rows.Fire) -> Lesson:
    """Squeeze and expand, beside a plain 3x3 convolution. Source: arXiv:1602.07360, section 3 and 5."""
    letters = (
        Letter("D_K", row.kernel, "side of the larger kernel"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("S", row.squeeze, "channels squeezed (s1x1)"),
        Letter("E1", row.expand1, "channels out from 1x1 filters (e1x1)"),
        Letter("E3", row.expand3, "channels out from larger filters (e3x3)"),
        *side_letters(subject),
    )
    filters = {"squeeze": "M * S", "expand1": "S * E1", "expand3": f"{KERNEL} * S * E3"}
    parts = steps(subject, letters, {name: f"{symbols} * {AREA}" for name, symbols in filters.items()})
    size = f"{row.kernel}x{row.kernel}"
    plain = compare(f"plain {size} convolution, M to N channels", subject.entering, lambda b, x: _plain(b, x, row))
    words = (
        f"A 1x1 convolution lets few channels through; 1x1 and {size} filters beside each other make many of them, "
        "N = E1 + E3 together."
    )
    cost = Section("Squeeze and expand", f"{SQUEEZENET}, section 3.2", (words,), (*parts, together(parts)))
    return Lesson(letters, (cost, _parameters(subject, parts, plain, size), _ratios(row)), (plain,))


def _parameters(subject: Subject, parts: tuple[Equation, ...], plain: Comparison, size: str) -> Section:
    weights = _weights(subject, parts)
    return Section(
        "Its weights",
        f"{SQUEEZENET}, section 3.1",
        ("A weight makes one multiply-add a pixel. The paper is about the weights, so the same without the map:",),
        (*weights, together(weights)),
        (
            f"A plain {size} convolution has {plain.weights:,}, {times(plain.weights, subject.weights)} times as many: "
            f"its filters are all {size}, and each sees M channels instead of S.",
        ),
    )


def _weights(subject: Subject, parts: tuple[Equation, ...]) -> tuple[Equation, ...]:
    """Return the same equations without the map's area, with count's weights."""
    found = {subject.short(cost): cost.weights for cost in subject.costs}
    height, width = subject.leaving[1:]
    return tuple(
        Equation(
            part.what,
            part.symbols.removesuffix(f" * {AREA}"),
            part.numbers.removesuffix(f" * {height} * {width}"),
            found[part.what],
            "weights",
        )
        for part in parts
    )


def _ratios(row: rows.Fire) -> Section:
    out = row.expand1 + row.expand3
    return Section(
        "Two ratios that make a Fire module",
        f"{SQUEEZENET}, section 5",
        (),
        (
            Equation("squeeze ratio", "S / (E1 + E3)", f"{row.squeeze} / ({row.expand1} + {row.expand3})",
                     row.squeeze / out, "squeezed over expanded"),
            Equation("larger filters", "E3 / (E1 + E3)", f"{row.expand3} / ({row.expand1} + {row.expand3})",
                     row.expand3 / out, "of those that expand"),
        ),
    )  # fmt: skip


def _plain(builder: Builder, x: str, row: rows.Fire) -> str:
    return builder.conv(x, "convolution", row.out_channels, kernel=row.kernel)


def effnet_block(subject: Subject, row: rows.EffNetBlock) -> Lesson:
    """Each side filtered and halved on its own, and the floats behind each step. Source: arXiv:1801.06434, Table 1."""
    assert row.hidden_channels is not None
    letters = (
        Letter("D_K", row.kernel, "length of the kernels"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("H", row.hidden_channels, "channels inside, half of those that go out"),
        Letter("N", subject.leaving.channels, "channels out"),
        *side_letters(subject),
    )
    first = side_letters(subject)[0].symbol
    symbols = {
        "pointwise": f"M * H * {area_in(subject)}",
        "depthwise1": f"D_K * H * {area_in(subject)}",
        "depthwise2": f"D_K * H * D_F * {first}",
        "merge": f"{subject.filters('merge').kernel.width} * H * N * {AREA}",
    }
    parts = steps(subject, letters, symbols)
    separable = rows.SeparableConv(out_channels=row.out_channels, kernel=row.kernel, stride=row.stride)
    other = compare("depthwise separable convolution with the stride", subject.entering, as_row(separable))
    return Lesson(
        letters,
        (
            Section(
                "What it costs",
                f"{EFFNET}, Figure 1",
                (
                    f"The {row.kernel}x{row.kernel} filter of each channel becomes a 1x{row.kernel} and a {row.kernel}x1 filter. "
                    "The map is halved along one side between them, and along the other by the last convolution.",
                ),
                (*parts, together(parts)),
            ),
            _flow(subject, row),
        ),
        (other,),
    )


def _flow(subject: Subject, row: rows.EffNetBlock) -> Section:
    """Floats behind each step, and behind the first step of a separable convolution with a stride."""
    before, found = floats(subject.entering), []
    for op in subject.ops:
        found.append((subject.short(op), str(op.shape), floats(op.shape), floats(op.shape) / before))
        before = floats(op.shape)
    channels, height, width = subject.entering
    strided = prod(Shape(channels, subject.leaving.height, subject.leaving.width))
    least = min(ratio for *_, ratio in found)
    return Section(
        "What is let through",
        f"{EFFNET}, Table 1",
        (
            f"Floats behind each step; {floats(subject.entering):,} come in. None has less than {least:.2f} of those before it. "
            f"The depthwise layer of a separable convolution with stride {row.stride} would keep {strided:,}, "
            f"{strided / (channels * height * width):.2f} of them, in one step.",
        ),
        table=Table(("step", "output", "floats", "of those before"), tuple(found)),
    )
