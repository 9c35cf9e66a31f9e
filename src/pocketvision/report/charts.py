"""The charts of a report: the choice, training curves, calibration, and the confusion of many classes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pocketvision.report.facts import Bin, Candidate, Choice, Front, FrontCut
from pocketvision.report.html import text
from pocketvision.report.svg import Frame, Scale, diamond, dot, log_padded, padded, path, svg, written

WIDE, NARROW = (960.0, 400.0), (350.0, 330.0)  # for a desktop and a phone, with text of one size
SPREAD = 4.0  # largest over smallest value from which an axis is logarithmic
AXES = {  # what the choice is drawn over: a candidate's field, the words for it, and its unit
    "latency_ms": ("latency of one image, ms", "ms"),
    "macs": ("multiply-adds for one image", ""),
    "size_mb": ("file, MB", "MB"),
    "memory_mb": ("memory, MB", "MB"),
}


@dataclass(frozen=True)
class Mark:
    """One network in a chart of cost and accuracy.

    Attributes:
        name: of the network.
        x, y: its values.
        noise: of x; 0: not drawn.
        kind: "pick", "in" or "out".
        title: what hovering over it shows.
        is_predicted, is_tried: drawn as a diamond; with a ring.
    """

    name: str
    x: float
    y: float
    noise: float
    kind: str
    title: str
    is_predicted: bool = False
    is_tried: bool = False


def known_axis(networks: Sequence[Candidate | FrontCut], limits: Sequence[str]) -> str:
    """Return the x axis: the first limit that is known for the networks, else the first known cost."""
    known = [name for name in AXES if any(getattr(one, name) is not None for one in networks)]
    return next((name for name in AXES if name in limits and name in known), known[0])


def choice_charts(choice: Choice, axis: str, budget: float | None, alternative: str) -> str:
    """Return the candidates over the cost that is limited, for a wide and a narrow page."""
    tried = {trial.name for trial in choice.trials}
    marks = [_candidate_mark(one, axis, one.name == choice.pick, one.name in tried) for one in choice.candidates
             if getattr(one, axis) is not None]  # fmt: skip
    return _cost_charts(marks, axis, "expected ImageNet top-1, %", budget, alternative)


def front_charts(front: Front, axis: str, budget: float | None, alternative: str) -> str:
    """Return the sizes of an elastic network over the cost that is limited; a line joins the front."""
    cuts = [cut for cut in front.cuts if getattr(cut, axis) is not None]
    marks = [_cut_mark(cut, axis, cut.name == front.pick) for cut in cuts]
    line = sorted((getattr(cut, axis), 100 * cut.top1) for cut in cuts if cut.is_on_front)
    return _cost_charts(marks, axis, "validation top-1, %", budget, alternative, line)


def _candidate_mark(candidate: Candidate, axis: str, is_pick: bool, is_tried: bool) -> Mark:
    value, expected = getattr(candidate, axis), candidate.expected_imagenet_top1
    verdict = "the pick" if is_pick else candidate.dropped or "within the limits"
    title = f"{candidate.name}: {value:,.4g}, expected {expected:.1f} %, {verdict}"
    is_predicted = axis == "latency_ms" and bool(candidate.is_predicted)
    return Mark(candidate.name, value, expected, *_shape(candidate, axis, is_pick), title, is_predicted, is_tried)


def _cut_mark(cut: FrontCut, axis: str, is_pick: bool) -> Mark:
    words = [f"validation {100 * cut.top1:.1f} %"]
    if cut.latency_ms is not None:
        words.append(f"{cut.latency_ms:.3f} ms")
    words += [f"{cut.size_mb:.2f} MB", f"{cut.macs / 1e6:,.1f} M multiply-adds"]
    words += ["the pick"] if is_pick else [cut.dropped] if cut.dropped else []
    title = f"{cut.name}: {', '.join(words)}"
    return Mark(cut.name, getattr(cut, axis), 100 * cut.top1, *_shape(cut, axis, is_pick), title)


def _shape(network: Candidate | FrontCut, axis: str, is_pick: bool) -> tuple[float, str]:
    """Return the noise and the kind of a mark."""
    noise = (network.noise_ms or 0.0) if axis == "latency_ms" else 0.0
    return noise, "pick" if is_pick else "out" if network.dropped else "in"


def _cost_charts(
    marks: Sequence[Mark],
    axis: str,
    y_name: str,
    budget: float | None,
    alternative: str,
    line: Sequence[tuple[float, float]] = (),
) -> str:
    words, unit = AXES[axis]
    values = [mark.x for mark in marks] + ([budget] if budget else [])
    is_log = max(values) > SPREAD * min(values)
    span, ranks = log_padded(values) if is_log else padded(values), ("out", "in", "pick")

    def content(width: float, height: float) -> str:
        x = Scale(*span, 40, width - 14, is_log)
        y = Scale(*padded([mark.y for mark in marks], 0.12), height - 44, 30)
        parts = [Frame(x, y, words, y_name, x.ticks(10 if width > 500 else 6), y.ticks(6)).draw()]
        if budget:
            name = f"budget {written(budget)} {unit}".strip()
            parts.append(_limit(x, y, budget, name, x(budget) > width / 2))
        if len(line) > 1:
            parts.append(path([(x(one), y(other)) for one, other in line], "curve first"))
        parts += [_draw(mark, x, y) for mark in sorted(marks, key=lambda mark: ranks.index(mark.kind))]
        return "".join(parts)

    return "".join(svg(*size, content(*size), alternative, kind) for size, kind in ((WIDE, "wide"), (NARROW, "narrow")))


def _limit(x: Scale, y: Scale, budget: float, name: str, is_left: bool) -> str:
    """Return what is over the budget as an area, its edge as a line, and the name to the left or right of it."""
    at, (side, step) = x(budget), ("end", -6) if is_left else ("start", 6)
    return (
        f'<rect class="over" x="{at:.1f}" y="{y.end}" width="{x.end - at:.1f}" height="{y.start - y.end}"/>'
        f"{path([(at, y.start), (at, y.end)], 'limit')}"
        f'<text class="limit-name" x="{at + step:.1f}" y="{y.start - 8:.1f}" text-anchor="{side}">{name}</text>'
    )


def _draw(mark: Mark, x: Scale, y: Scale) -> str:
    at, height, is_pick = x(mark.x), y(mark.y), mark.kind == "pick"
    parts = []
    if mark.noise:
        low, high = (max(x.low, min(x.high, mark.x + sign * mark.noise)) for sign in (-1, 1))
        parts.append(path([(x(low), height), (x(high), height)], f"whisker {mark.kind}"))
    shape = diamond if mark.is_predicted else dot
    parts.append(shape(at, height, 6.5 if is_pick else 4.5, f"dot {mark.kind}", mark.title))
    if mark.is_tried:
        parts.append(dot(at, height, 10, "ring"))
    if is_pick:
        length = 6.6 * len(mark.name)
        left = min(max(at - length / 2, x.start + 2), x.end - length)
        parts.append(f'<text class="pick-name" x="{left:.1f}" y="{height - 15:.1f}">{text(mark.name)}</text>')
    return "".join(parts)


@dataclass(frozen=True)
class Line:
    """One curve: (epoch, value) points, and the class that gives its colour."""

    points: Sequence[tuple[float, float]]
    kind: str


def line_chart(lines: Sequence[Line], y_name: str, alternative: str, from_zero: bool = False) -> str:
    """Return curves over epochs."""
    width, height = 340.0, 240.0
    values = [value for line in lines for _, value in line.points]
    epochs = [epoch for line in lines for epoch, _ in line.points]
    low, high = padded([*values, 0.0] if from_zero else values)
    first, last = min(epochs), max(epochs)
    x = Scale(first - (first == last), last + (first == last), 44, width - 12)
    y = Scale(max(0.0, low) if min(values) >= 0 else low, high, height - 42, 30)
    x_ticks = sorted(
        {round(tick) for tick in x.ticks(6) if first <= tick <= last} | ({int(first)} if last < 9 else set())
    )
    parts = [Frame(x, y, "epoch", y_name, x_ticks, y.ticks(5)).draw()]
    for line in lines:
        pixels = [(x(epoch), y(value)) for epoch, value in line.points]
        parts.append(path(pixels, f"curve {line.kind}"))
        shown = pixels if len(pixels) <= 12 else pixels[-1:]
        parts += [dot(*pixel, 2.6 if len(pixels) > 1 else 4, f"dot {line.kind}") for pixel in shown]
    return svg(width, height, "".join(parts), alternative)


def calibration_chart(before: Sequence[Bin], after: Sequence[Bin], alternative: str) -> str:
    """Return accuracy over probability; below it the number of images with that probability."""
    width, height, strip = 380.0, 400.0, 44.0
    x = Scale(0, 1, 44, width - 12)
    y = Scale(0, 1, height - 44 - strip, 30)
    ticks = x.ticks(5)
    base = height - 44
    frame = Frame(x, Scale(0, 1, base, 30), "probability of the answer", "share that is right", ticks, [])
    parts = [frame.draw()]
    for value in ticks:
        at = y(value)
        parts.append(f'<line class="grid" x1="{x.start}" y1="{at:.1f}" x2="{x.end}" y2="{at:.1f}"/>')
        parts.append(f'<text class="tick" x="{x.start - 6}" y="{at + 3.5:.1f}" text-anchor="end">{value:g}</text>')
    parts.append(path([(x(0), y(0)), (x(1), y(1))], "ideal"))
    most = max(found.images for found in after)
    for found in after:
        tall = max(1.0, (strip - 10) * found.images / most)
        parts.append(
            f'<rect class="bar" x="{x(found.confidence) - 5:.1f}" y="{base - tall:.1f}" width="10" height="{tall:.1f}">'
            f"<title>{found.images:,} images at {found.confidence:.2f}</title></rect>"
        )
    for bins, kind in ((before, "second"), (after, "first")):
        parts.append(path([(x(b.confidence), y(b.accuracy)) for b in bins], f"curve {kind}"))
        for found in bins:
            title = f"{found.images:,} images, probability {found.confidence:.3f}, {found.accuracy:.3f} right"
            parts.append(dot(x(found.confidence), y(found.accuracy), 3.4, f"dot {kind}", title))
    return svg(width, height, "".join(parts), alternative)


def confusion_chart(confusion: Sequence[tuple[int, int, int]], rows: Sequence[int], alternative: str) -> str:
    """Return the confusion of many classes as a map: each cell a share of its row, in nine levels.

    Args:
        confusion: (truth, answer, images).
        rows: images of each class.
        alternative: what it shows, in words.
    """
    cells: dict[str, list[str]] = {}
    for truth, answer, images in confusion:
        kind = f"{'right' if truth == answer else 'wrong'} h{level(images / rows[truth])}"
        cells.setdefault(kind, []).append(f"M{answer} {truth}h1v1h-1z")
    content = "".join(f'<path class="cell {kind}" d="{"".join(found)}"/>' for kind, found in sorted(cells.items()))
    side = len(rows)
    return svg(side, side, content, alternative, "heat")


def level(share: float) -> int:
    """Return one of nine shades for a share above 0; by its root, so that small shares can be told apart.

    >>> level(0.001), level(0.05), level(0.5), level(1.0)
    (1, 2, 6, 9)
    """
    return max(1, min(9, round(9 * math.sqrt(share))))
