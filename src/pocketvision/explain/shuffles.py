"""ShuffleNet's units: groups and a shuffle; and V2's, of which half passes."""

from dataclasses import replace
from math import prod, sqrt

from pocketvision.explain.page import Comparison, Equation, Lesson, Letter, Section, Table
from pocketvision.explain.subject import AREA, KERNEL, Subject, put_in, times
from pocketvision.model import rows
from pocketvision.model.builder import Builder
from pocketvision.model.graph import ChannelShuffle, Shape

V1, V2 = "arXiv:1707.01083", "arXiv:1807.11164"
SHOWN = 9  # channels of a shuffle
UNEVEN = (1, 4, 16)  # channels out over channels in of a 1x1 convolution, at equal multiply-adds


def shuffle_unit(subject: Subject, row: rows.ShuffleUnit) -> Lesson:
    """Grouped 1x1 convolutions, and the shuffle between them. Source: arXiv:1707.01083, section 3.1 and 3.2."""
    assert row.hidden_channels is not None
    letters = (
        Letter("D_K", row.kernel, "side of the kernel"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("B", row.hidden_channels, "channels of the bottleneck"),
        Letter("N", subject.leaving.channels, "channels out"),
        Letter("g", row.groups, "groups"),
        *subject.sides,
    )
    symbols = {
        "reduce": f"M * B{' / g' * (row.first_groups > 1)} * {subject.area_in}",
        "depthwise": f"{KERNEL} * B * {AREA}",
        "restore": f"B * {'(N - M)' if row.joins else 'N'}{' / g' * (row.groups > 1)} * {AREA}",
    }
    size = f"{row.kernel}x{row.kernel}"
    ungrouped = subject.compare("without groups (g = 1)", replace(row, groups=1, first_groups=1))
    bottleneck = subject.compare(f"with a standard {size} inside, too", lambda b, x: _bottleneck(b, x, row))
    words = (
        "A 1x1 convolution makes few channels, each of these is filtered alone, and a 1x1 convolution makes many again.",
        "What comes in is pooled and put beside the result, so that only N - M channels have to be made."
        if row.joins
        else "The result is added to what comes in.",
    )
    cost = Section("What it costs", f"{V1}, section 3.2", words, subject.steps(letters, symbols))
    sections = (cost, _groups(subject, row, ungrouped, bottleneck), *_shuffle(subject))
    return Lesson(letters, sections, (*(ungrouped,) * (row.groups > 1), bottleneck))


def _groups(subject: Subject, row: rows.ShuffleUnit, ungrouped: Comparison, bottleneck: Comparison) -> Section:
    words = ["With g = 1 each 1x1 convolution sees all channels, and nothing has to be shuffled."]
    if row.groups > 1:
        first = " The very first one, of few channels, is left whole." * (row.first_groups == 1)
        words = [
            f"In {row.groups} groups each channel that goes out sums the channels of its own group alone: that divides the 1x1 "
            f"convolutions' multiply-adds and weights by g.{first}",
            f"The same unit with g = 1 costs {ungrouped.macs:,}, {times(ungrouped.macs, subject.macs)} times as much; the "
            "network spends what it saves on more channels.",
        ]
    standard = (
        f"With a standard {row.kernel}x{row.kernel} convolution in the middle and no groups, ResNet's bottleneck, it would cost "
        f"{bottleneck.macs:,}, {times(bottleneck.macs, subject.macs)} times as much."
    )
    return Section("The group convolution", f"{V1}, section 3.1", (*words, standard))


def _bottleneck(builder: Builder, x: str, row: rows.ShuffleUnit) -> str:
    assert row.hidden_channels is not None
    y = builder.conv(x, "reduce", row.hidden_channels)
    y = builder.conv(y, "convolution", row.hidden_channels, kernel=row.kernel, stride=row.stride)
    if not row.joins:
        return builder.add(x, builder.conv(y, "restore", row.out_channels), "add")
    pooled = builder.average_pool(x, "pool", kernel=row.kernel, stride=row.stride)
    return builder.concat((pooled, builder.conv(y, "restore", row.out_channels - builder.shape(x).channels)), "concat")


def _shuffle(subject: Subject) -> tuple[Section, ...]:
    """The shuffle as a permutation of this layer's channels; nothing where there is none."""
    op = next((op for op in subject.ops if isinstance(op, ChannelShuffle)), None)
    if op is None:
        return ()
    groups, channels = op.groups, op.shape.channels
    each = channels // groups
    sources = [i % groups * each + i // groups for i in range(channels)]
    words = (
        f"Channels as a table of {groups} rows of n = {each}, read column by column: channel i reads channel "
        f"(i mod {groups}) * {each} + floor(i / {groups}). No multiply-adds, no weights.",
        f"The first {each} of the {channels} then come from all {groups} rows."
        if each >= groups
        else f"The first {groups} of the {channels} come from all {groups} rows.",
    )
    header = ("channel", *map(str, range(min(SHOWN, channels))), "last")
    table = Table(header, (("reads", *sources[:SHOWN], sources[-1]),))
    return (Section("The shuffle", f"{V1}, section 3.1", words, table=table),)


def split_unit(subject: Subject, row: rows.SplitUnit) -> Lesson:
    """Half passes, half is transformed by equally wide layers. Source: arXiv:1807.11164, section 2 (G1) and 3.2."""
    letters = _letters_of_halves(subject, row)
    made = {letter.symbol for letter in letters}
    symbols = {
        "shortcut.depthwise": f"{KERNEL} * M * {AREA}",
        "shortcut.pointwise": f"M * {'P' if 'P' in made else 'C'} * {AREA}",
        "pointwise1": f"{'M' if row.joins else 'C'} * C * {subject.area_in}",
        "depthwise": f"{KERNEL} * C * {AREA}",
        "pointwise2": f"C * {'Q' if 'Q' in made else 'C'} * {AREA}",
    }
    whole = subject.compare("all N channels transformed, none passes", lambda b, x: _transform(b, x, row))
    if row.joins:
        before = "Where the map shrinks all M channels go both ways: two branches, joined to N channels at the end."
        after: tuple[str, ...] = ()
    else:
        before = "Half of the M channels pass untouched; the other half goes through 1x1, depthwise and 1x1; both are joined."
        ratio = times(whole.macs, subject.macs)
        after = (
            f"Transforming all N channels the same way would cost {whole.macs:,} multiply-adds, {ratio} times as many.",
        )
    cost = Section("What it costs", f"{V2}, section 3.2", (before,), subject.steps(letters, symbols), after)
    sections = (cost, _equal_channels(subject), *_shuffle(subject))
    return Lesson(letters, sections, () if row.joins else (whole,))


def _letters_of_halves(subject: Subject, row: rows.SplitUnit) -> tuple[Letter, ...]:
    half = subject.filters("pointwise1").out_channels
    found = [
        Letter("D_K", row.kernel, "side of the kernel"),
        Letter("M", subject.entering.channels, "channels in"),
        Letter("C", half, "channels of the branch, half of those that go out"),
        Letter("N", subject.leaving.channels, "channels out"),
    ]
    if row.joins and subject.filters("shortcut.pointwise").out_channels != half:
        found.append(Letter("P", subject.filters("shortcut.pointwise").out_channels, "channels of the shortcut"))
        found.append(Letter("Q", subject.filters("pointwise2").out_channels, "channels that the branch adds to them"))
    return (*found, *subject.sides)


def _transform(builder: Builder, x: str, row: rows.SplitUnit) -> str:
    x = builder.conv(x, "pointwise1", row.out_channels)
    x = builder.depthwise(x, "depthwise", kernel=row.kernel, stride=row.stride)
    return builder.conv(x, "pointwise2", row.out_channels)


def _equal_channels(subject: Subject) -> Section:
    """Guideline G1 with the numbers of the first 1x1 convolution: reads and writes, and the least there can be."""
    op, cost = subject.filters("pointwise1"), subject.costs["pointwise1"]
    _, height, width = op.shape
    values = {"c1": op.in_channels, "c2": op.out_channels, "h": height, "w": width, "B": cost.macs}
    letters = [Letter(symbol, value, "") for symbol, value in values.items()]
    moved, least = "h * w * (c1 + c2) + c1 * c2", "2 * sqrt(h * w * B) + B / (h * w)"
    entering, area = Shape(op.in_channels, height, width), height * width
    bound = 2 * sqrt(area * cost.macs) + cost.macs / area
    numbers = prod(entering) + prod(op.shape) + cost.weights
    return Section(
        "Why as many channels out as in",
        f"{V2}, section 2, guideline G1; B: multiply-adds",
        (
            "Multiply-adds are not all: a 1x1 convolution also reads its input and weights and writes its output. pointwise1:",
        ),
        (
            Equation("moved", moved, put_in(moved, letters), numbers, "numbers"),
            Equation("at least", least, put_in(least, letters), bound, "numbers"),
        ),
        ("The least is reached where c1 = c2. The same multiply-adds with uneven channels move more:",),
        _uneven(subject, entering, op.out_channels, bound),
    )


def _uneven(subject: Subject, entering: Shape, out: int, bound: float) -> Table:
    """Return what 1x1 convolutions of as many multiply-adds move, the more uneven their channels are."""
    found = []
    for ratio in UNEVEN:
        apart = int(sqrt(ratio))
        if entering.channels % apart:
            continue
        narrow = entering._replace(channels=entering.channels // apart)
        other = subject.compare("", rows.Conv(out_channels=out * apart, kernel=1), narrow)
        moved = prod(other.entering) + prod(other.leaving) + other.weights
        found.append((f"{narrow.channels} to {out * apart}", other.macs, moved, moved / bound))
    return Table(("channels", "multiply-adds", "numbers moved", "of the least"), tuple(found))
