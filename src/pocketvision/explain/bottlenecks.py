"""Blocks that are narrow outside and wide inside: MobileNetV2's, with V3's gates, and MobileNetV4's two."""

from dataclasses import replace
from math import ceil, prod

from pocketvision.cost.memory import FLOAT_BYTES, tensor_bytes
from pocketvision.explain.page import BYTES, Comparison, Equation, Lesson, Letter, Section, Table
from pocketvision.explain.subject import AREA, KERNEL, Subject, put_in, times
from pocketvision.model import rows
from pocketvision.model.graph import Shape

V2, V3, V4 = "arXiv:1801.04381", "arXiv:1905.02244", "arXiv:2404.10518"
SPLITS = (1, 2, 4)  # parts that the inside of a block is worked out in
# Of a universal bottleneck, by whether there is a depthwise convolution before the expansion, and behind it
FORMS = {
    (False, False): "no depthwise (feed-forward)",
    (True, False): "depthwise before expanding (ConvNeXt)",
    (False, True): "depthwise behind expanding (MobileNetV2)",
    (True, True): "depthwise before and behind (extra)",
}
Bottleneck = rows.InvertedResidual | rows.UniversalBottleneck | rows.FusedBottleneck


def inverted_residual(subject: Subject, row: rows.InvertedResidual) -> Lesson:
    """Expand, filter, project; and what is in memory. Source: arXiv:1801.04381, section 3.3 and 5.1."""
    letters = _letters(subject, row, has_both_sides=True)
    if row.squeeze_channels is not None:
        letters = (*letters, Letter("S", row.squeeze_channels, "channels inside of the gate"))
    symbols = {
        "expand": f"M * E * {subject.area_in}",
        "depthwise": f"{KERNEL} * E * {AREA}",
        "reduce": "E * S",
        "excite": "S * E",
        "project": f"E * N * {AREA}",
    }
    size = f"{row.kernel}x{row.kernel}"
    start = "A 1x1 convolution makes many channels, each" if row.has_expansion else "Each channel"
    end = f"with {row.project_activation} behind it" if row.project_activation else "without an activation"
    words = f"{start} is filtered alone with {size} weights, and a 1x1 convolution {end} makes few channels again."
    cost = Section("What it costs", f"{V2}, section 3.3", (words,), subject.steps(letters, symbols))
    wide = subject.entering._replace(channels=subject.filters("depthwise").in_channels)
    standard = subject.compare(
        f"standard {size} convolution, M to N channels",
        rows.Conv(out_channels=row.out_channels, kernel=row.kernel, stride=row.stride),
    )
    separable = subject.compare(
        f"depthwise separable {size}, E to E channels",
        rows.SeparableConv(out_channels=wide.channels, kernel=row.kernel, stride=row.stride),
        wide,
    )
    sections = (cost, *_gate(row), _width_inside(subject, standard, separable), _memory(subject, row, letters))
    return Lesson(letters, sections, (standard, separable))


def _letters(subject: Subject, row: Bottleneck, has_both_sides: bool) -> tuple[Letter, ...]:
    assert row.hidden_channels is not None
    return (
        *(Letter("D_K", row.kernel, "side of the kernel"),) * bool(row.kernel),
        Letter("M", subject.entering.channels, "channels in, narrow"),
        Letter("E", row.hidden_channels, "channels inside, wide"),
        Letter("N", subject.leaving.channels, "channels out, narrow"),
        *(subject.sides if has_both_sides else subject.sides[-1:]),
    )


def _gate(row: rows.InvertedResidual) -> tuple[Section, ...]:
    if row.squeeze_channels is None:
        return ()
    words = (
        "reduce and excite work on one number a channel, its mean over the map: hardly a multiply-add, but weights. "
        "What comes out of them, between 0 and 1, weighs the channels."
    )
    return (Section("The gate", f"{V3}, section 5.3", (words,)),)


def _width_inside(subject: Subject, standard: Comparison, separable: Comparison) -> Section:
    words = (
        f"A standard convolution between the same narrow tensors costs {standard.macs:,} multiply-adds, "
        f"{times(standard.macs, subject.macs)} times this block's.",
        f"MobileNetV1's layer with as many depthwise filters has E channels at both ends and costs {separable.macs:,}, "
        f"{times(separable.macs, subject.macs)} times this block's.",
    )
    return Section("Beside others", "", words)


def _memory(subject: Subject, row: rows.InvertedResidual, letters: tuple[Letter, ...]) -> Section:
    """Narrow and wide tensors in bytes, and what is alive where the inside is worked out in parts."""
    inner = subject.area_in
    narrow = f"{FLOAT_BYTES} * (M * {inner} + N * {AREA})"
    wide = f"{FLOAT_BYTES} * (E * {inner} + E * {AREA})" if row.has_expansion else f"{FLOAT_BYTES} * E * {AREA}"
    inside = [cost.shape for name, cost in subject.costs.items() if name in ("expand", "depthwise")]
    equations = (
        Equation("outside", narrow, put_in(narrow, letters), _bytes(subject.entering, subject.leaving), BYTES),
        Equation("inside", wide, put_in(wide, letters), _bytes(*inside), BYTES),
    )
    source = f"{V2}, section 5.1; here float32, {FLOAT_BYTES} bytes a number"
    after = (_words_on_parts(row), "Alive while the block runs, with all that waits:")
    return Section("Its memory", source, (_words_on_waiting(row),), equations, after, _parts_table(subject))


def _bytes(*shapes: Shape) -> int:
    return FLOAT_BYTES * sum(prod(shape) for shape in shapes)


def _words_on_waiting(row: rows.InvertedResidual) -> str:
    if row.shortcut == "expansions":
        return "The shortcut of this variant joins wide tensors, so that these, too, wait from one block to the next."
    return "From block to block only narrow tensors are kept; the wide ones are read by nobody else."


def _words_on_parts(row: rows.InvertedResidual) -> str:
    whole = "only what the shortcut carries is" if row.shortcut == "expansions" else "no wide tensor is ever"
    words = (
        "Each wide channel is made, filtered and added to the result on its own. So a few channels can go all the way, then "
        f"the next few, and {whole} there as a whole. Two to five parts are worth it: more of them are small and slow."
    )
    gate = " With a gate that takes more time: it must have seen all channels before the first one goes on."
    return words + gate * (row.squeeze_channels is not None)


def _parts_table(subject: Subject) -> Table:
    inside = subject.filters("depthwise").in_channels
    found = [(parts, _alive(subject, parts)) for parts in (*(parts for parts in SPLITS if parts < inside), inside)]
    whole, names = found[0][1], {1: "all at once", inside: "one channel at a time"}
    rows_ = tuple((names.get(parts, f"in {parts} parts"), alive, alive / whole) for parts, alive in found)
    return Table(("the inside is worked out", "bytes alive", "ratio"), rows_)


def _alive(subject: Subject, parts: int) -> int:
    """Return the most bytes alive while the block runs, its inside worked out in parts where that needs less.

    What the block reads and what it makes for others is alive all the while. Source: arXiv:1801.04381, section 5.1.
    """
    graph, places = subject.graph, subject.places
    sizes, last = tensor_bytes(graph), graph.last_reader()
    made = {"image": -1} | {op.name: i for i, op in enumerate(graph.ops)}
    span = {name: range(i, last.get(name, i) + 1) for name, i in made.items()}  # the ops during which it is alive
    alive = [name for name in made if span[name].start <= places[-1] and places[0] < span[name].stop]
    inside = [name for name in alive if places[0] <= made[name] and span[name].stop <= places[-1] + 1]
    most = max(sum(sizes[name] for name in inside if i in span[name]) for i in places)
    in_parts = sum(sizes[name] for name in alive if name not in inside) + ceil(most / parts)
    return min(in_parts, max(cost.live_bytes for cost in subject.costs.values()))


def universal_bottleneck(subject: Subject, row: rows.UniversalBottleneck) -> Lesson:
    """Two depthwise convolutions, each of which may be missing. Source: arXiv:2404.10518, section 3."""
    letters = (
        *(Letter("D_S", row.start_kernel, "side of the first depthwise kernel"),) * bool(row.start_kernel),
        *_letters(subject, row, has_both_sides=bool(row.kernel)),
    )
    symbols = {
        "start": f"D_S * D_S * M * {subject.area_in if row.kernel else AREA}",
        "expand": f"M * E * {subject.area_in if row.kernel else AREA}",
        "depthwise": f"{KERNEL} * E * {AREA}",
        "project": f"E * N * {AREA}",
    }
    own = (bool(row.start_kernel), bool(row.kernel))
    start, middle = row.start_kernel or row.kernel or 3, row.kernel or row.start_kernel or 3
    others = tuple(
        subject.compare(words, replace(row, start_kernel=start * form[0], kernel=middle * form[1]))
        for form, words in FORMS.items()
        if form != own and (row.stride == 1 or any(form))
    )
    before = f"The block has four forms, which differ in their depthwise convolutions. This one: {FORMS[own]}."
    share = sum(subject.costs[name].macs for name in ("expand", "project")) / subject.macs
    after = (
        f"The 1x1 convolutions make {share:.3f} of the multiply-adds: one depthwise convolution more or less "
        "changes what each pixel sees, and hardly the cost. The other forms stand in the table at the end."
    )
    cost = Section("What it costs", f"{V4}, section 3", (before,), subject.steps(letters, symbols), (after,))
    return Lesson(letters, (cost,), others)


def fused_bottleneck(subject: Subject, row: rows.FusedBottleneck) -> Lesson:
    """Expansion and filter in one standard convolution. Source: arXiv:2404.10518; arXiv:2104.00298, Figure 2."""
    letters = _letters(subject, row, has_both_sides=False)
    parts = subject.steps(letters, {"fused": f"{KERNEL} * M * E * {AREA}", "project": f"E * N * {AREA}"})
    apart = rows.InvertedResidual(
        out_channels=row.out_channels, kernel=row.kernel, stride=row.stride, hidden_channels=row.hidden_channels
    )
    unfused = subject.compare("1x1 convolution and depthwise instead of one", apart)
    before = "One standard convolution expands and filters at once, then a 1x1 convolution makes few channels again."
    after = (
        f"Taken apart, as an inverted residual, it costs {unfused.macs:,}: this one has "
        f"{times(subject.macs, unfused.macs)} times as many multiply-adds, in one op less. Hardware made for large "
        "convolutions gets more of them done in a second."
    )
    cost = Section("What it costs", f"{V4}; arXiv:2104.00298, Figure 2", (before,), parts, (after,))
    return Lesson(letters, (cost,), (unfused,))
