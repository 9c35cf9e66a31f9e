"""SqueezeNet's Fire module and EffNet's block: how much is let through on the way."""

from math import prod

from pocketvision.explain.page import Comparison, Equation, Lesson, Letter, Section, Table
from pocketvision.explain.subject import AREA, KERNEL, Subject, times, with_sum
from pocketvision.model import rows

SQUEEZENET, EFFNET = "arXiv:1602.07360", "arXiv:1801.06434"


def fire(subject: Subject, row: rows.Fire) -> Lesson:
    """Squeeze and expand, beside a plain 3x3 convolution. Source: arXiv:1602.07360, section 3 and 5."""
    letters = (
        Letter("D_K", row.kernel, "side of the larger kernel"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("S", row.squeeze, "channels squeezed (s1x1)"),
        Letter("E1", row.expand1, "channels out from 1x1 filters (e1x1)"),
        Letter("E3", row.expand3, "channels out from larger filters (e3x3)"),
        *subject.sides,
    )
    filters = {"squeeze": "M * S", "expand1": "S * E1", "expand3": f"{KERNEL} * S * E3"}
    parts = subject.steps(letters, {name: f"{symbols} * {AREA}" for name, symbols in filters.items()})
    size = f"{row.kernel}x{row.kernel}"
    standard = rows.Conv(out_channels=row.out_channels, kernel=row.kernel)
    plain = subject.compare(f"plain {size} convolution, M to N channels", standard)
    words = (
        f"A 1x1 convolution lets few channels through; 1x1 and {size} filters beside each other make many of them, "
        "N = E1 + E3 together."
    )
    cost = Section("Squeeze and expand", f"{SQUEEZENET}, section 3.2", (words,), parts)
    return Lesson(letters, (cost, _parameters(subject, parts[:-1], plain, size), _ratios(row)), (plain,))


def _parameters(subject: Subject, parts: tuple[Equation, ...], plain: Comparison, size: str) -> Section:
    """The same equations without the map's area, with count's weights."""
    height, width = subject.leaving[1:]
    weights = with_sum(
        Equation(
            part.what,
            part.symbols.removesuffix(f" * {AREA}"),
            part.numbers.removesuffix(f" * {height} * {width}"),
            subject.costs[part.what].weights,
            "weights",
        )
        for part in parts
    )
    before = "A weight makes one multiply-add a pixel. The paper is about the weights, so the same without the map:"
    after = (
        f"A plain {size} convolution has {plain.weights:,}, {times(plain.weights, subject.weights)} times as many: "
        f"its filters are all {size}, and each sees M channels instead of S."
    )
    return Section("Its weights", f"{SQUEEZENET}, section 3.1", (before,), weights, (after,))


def _ratios(row: rows.Fire) -> Section:
    out, numbers = row.expand1 + row.expand3, f"({row.expand1} + {row.expand3})"
    ratios = [
        ("squeeze ratio", "S", row.squeeze, "squeezed over expanded"),
        ("larger filters", "E3", row.expand3, "of those that expand"),
    ]
    equations = tuple(
        Equation(what, f"{letter} / (E1 + E3)", f"{part} / {numbers}", part / out, unit)
        for what, letter, part, unit in ratios
    )
    return Section("Two ratios that make a Fire module", f"{SQUEEZENET}, section 5", (), equations)


def effnet_block(subject: Subject, row: rows.EffNetBlock) -> Lesson:
    """Each side filtered and halved on its own, and the floats behind each step. Source: arXiv:1801.06434, Table 1."""
    assert row.hidden_channels is not None
    letters = (
        Letter("D_K", row.kernel, "length of the kernels"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("H", row.hidden_channels, "channels inside, half of those that go out"),
        Letter("N", subject.leaving.channels, "channels out"),
        *subject.sides,
    )
    symbols = {
        "pointwise": f"M * H * {subject.area_in}",
        "depthwise1": f"D_K * H * {subject.area_in}",
        "depthwise2": f"D_K * H * D_F * {subject.sides[0].symbol}",
        "merge": f"{subject.filters('merge').kernel.width} * H * N * {AREA}",
    }
    separable = rows.SeparableConv(out_channels=row.out_channels, kernel=row.kernel, stride=row.stride)
    other = subject.compare("depthwise separable convolution with the stride", separable)
    words = (
        f"The {row.kernel}x{row.kernel} filter of each channel becomes a 1x{row.kernel} and a {row.kernel}x1 filter. "
        "The map is halved along one side between them, and along the other by the last convolution."
    )
    cost = Section("What it costs", f"{EFFNET}, Figure 1", (words,), subject.steps(letters, symbols))
    return Lesson(letters, (cost, _flow(subject, row)), (other,))


def _flow(subject: Subject, row: rows.EffNetBlock) -> Section:
    """Floats behind each step, and behind the first step of a separable convolution with a stride."""
    before, found = prod(subject.entering), []
    for name, cost in subject.costs.items():
        found.append((name, str(cost.shape), prod(cost.shape), prod(cost.shape) / before))
        before = prod(cost.shape)
    strided = subject.entering.channels * subject.leaving.height * subject.leaving.width
    least = min(ratio for *_, ratio in found)
    words = (
        f"Floats behind each step; {prod(subject.entering):,} come in. None has less than {least:.2f} of those before it. "
        f"The depthwise layer of a separable convolution with stride {row.stride} would keep {strided:,}, "
        f"{strided / prod(subject.entering):.2f} of them, in one step."
    )
    table = Table(("step", "output", "floats", "of those before"), tuple(found))
    return Section("What is let through", f"{EFFNET}, Table 1", (words,), table=table)
