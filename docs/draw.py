"""Blocks as SVG, drawn from the Graph: boxes from top to bottom, shapes beside the arrows, shortcuts at the side.

Text stays text. Colours follow the reader's light or dark mode, on a background of the picture's own. The same Graph gives
the same bytes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from layout import IN, OUT, Box, Layout, lay_out

from pocketvision.model.graph import Graph

EDGE, BETWEEN, HEAD = 24.0, 40.0, 62.0  # around the picture, between two drawings, above a drawing for its caption


class Palette(NamedTuple):
    """Colours of one mode: the paper, text and lines on it, and (fill, stroke) of each kind of op; text on fills is `text`."""

    paper: str
    frame: str
    text: str
    faint: str
    line: str
    kinds: dict[str, tuple[str, str]]


LIGHT = Palette(
    paper="#ffffff",
    frame="#d0d7de",
    text="#1f2328",
    faint="#57606a",
    line="#57606a",
    kinds={
        "pointwise": ("#ddf4ff", "#0969da"),
        "depthwise": ("#dafbe1", "#1a7f37"),
        "standard": ("#fbefff", "#8250df"),
        "pool": ("#fff1e5", "#bc4c00"),
        "join": ("#f0f2f4", "#57606a"),
        "order": ("#fff8c5", "#9a6700"),
        "activation": ("#ffeff7", "#bf3989"),
        "end": ("#ffffff", "#57606a"),
    },
)
DARK = Palette(
    paper="#0d1117",
    frame="#30363d",
    text="#f0f6fc",
    faint="#a0a9b4",
    line="#a0a9b4",
    kinds={
        "pointwise": ("#10294b", "#58a6ff"),
        "depthwise": ("#0f2f1a", "#3fb950"),
        "standard": ("#2b1b47", "#bc8cff"),
        "pool": ("#3d2410", "#f0883e"),
        "join": ("#21262d", "#a0a9b4"),
        "order": ("#332801", "#d29922"),
        "activation": ("#3b1730", "#f778ba"),
        "end": ("#0d1117", "#a0a9b4"),
    },
)


class Drawing(NamedTuple):
    """One block and the words above it."""

    caption: str
    graph: Graph
    block: str


def draw(title: str, drawings: Sequence[Drawing]) -> str:
    """Return a picture of blocks, at most three beside each other.

    Args:
        title: what a screen reader says first.
        drawings: the blocks, from left to right.
    """
    layouts = [lay_out(drawing.graph, drawing.block) for drawing in drawings]
    columns = len(drawings) if len(drawings) <= 3 else (len(drawings) + 1) // 2
    body: list[str] = []
    top, right = EDGE, 0.0
    for first in range(0, len(drawings), columns):
        row = list(zip(drawings, layouts, strict=True))[first : first + columns]
        left = EDGE
        for drawing, layout in row:
            wide = max(layout.width, 9.0 * len(drawing.caption), 6.6 * len(_origin(drawing)))
            body += _drawing(drawing, layout, left, top, wide)
            left += wide + BETWEEN
        right = max(right, left - BETWEEN + EDGE)
        top += HEAD + max(layout.height for _, layout in row) + BETWEEN
    height = top - BETWEEN + EDGE
    return "\n".join([*_opening(title, drawings, layouts, right, height), *body, "</svg>", ""])


def _opening(
    title: str, drawings: Sequence[Drawing], layouts: Sequence[Layout], width: float, height: float
) -> Iterator[str]:
    size = f"{_number(width)} {_number(height)}"
    wide, high = size.split()
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{wide}" height="{high}" '
        'role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    words = " ".join(map(_in_words, drawings, layouts))
    yield f'<desc id="desc">{escape(words)}</desc>'
    yield "<style>"
    yield "text { font-family: sans-serif; text-anchor: middle; }"
    yield ".caption { font-size: 15px; font-weight: 600; }"
    yield ".what { font-size: 13px; font-weight: 600; }"
    yield ".how, .origin { font-size: 11px; }"
    yield ".shape { font-size: 11px; text-anchor: start; }"
    yield ".arrow { fill: none; stroke-width: 1.5; }"
    yield from _colours(LIGHT)
    yield "@media (prefers-color-scheme: dark) {"
    yield from _colours(DARK)
    yield "}"
    yield "</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
    )
    yield f'<rect class="paper" x="0.5" y="0.5" width="{_number(width - 1)}" height="{_number(height - 1)}" rx="8"/>'


def _colours(palette: Palette) -> Iterator[str]:
    """Rules of one mode."""
    yield f".paper {{ fill: {palette.paper}; stroke: {palette.frame}; }}"
    yield f".caption, .what, .how {{ fill: {palette.text}; }}"
    yield f".shape, .origin {{ fill: {palette.faint}; }}"
    yield f".arrow {{ stroke: {palette.line}; }}"
    yield f".tip {{ fill: {palette.line}; }}"
    for kind, (fill, stroke) in palette.kinds.items():
        yield f".{kind} {{ fill: {fill}; stroke: {stroke}; }}"


def _drawing(drawing: Drawing, layout: Layout, left: float, top: float, wide: float) -> Iterator[str]:
    """One block under its caption, in the middle of its column."""
    middle = _number(left + wide / 2)
    yield f'<text class="caption" x="{middle}" y="{_number(top + 16)}">{escape(drawing.caption)}</text>'
    yield f'<text class="origin" x="{middle}" y="{_number(top + 36)}">{escape(_origin(drawing))}</text>'
    yield f'<g transform="translate({_number(left + (wide - layout.width) / 2)} {_number(top + HEAD)})">'
    for arrow in layout.arrows:
        corners = " ".join(f"{_number(x)} {_number(y)}" for x, y in arrow)
        yield f'<path class="arrow" marker-end="url(#head)" d="M{corners}"/>'
    for box in layout.boxes.values():
        yield from _box(box)
    yield "</g>"


def _box(box: Box) -> Iterator[str]:
    x, y = _number(box.x), box.y + box.height / 2
    yield (
        f'<rect class="{box.label.kind}" x="{_number(box.x - box.width / 2)}" y="{_number(box.y)}" '
        f'width="{_number(box.width)}" height="{_number(box.height)}" rx="{13 if box.label.kind == "end" else 5}"/>'
    )
    if box.label.how:
        yield f'<text class="what" x="{x}" y="{_number(y - 3)}">{escape(box.label.what)}</text>'
        yield f'<text class="how" x="{x}" y="{_number(y + 13)}">{escape(box.label.how)}</text>'
    else:
        yield f'<text class="what" x="{x}" y="{_number(y + 4.5)}">{escape(box.label.what)}</text>'
    if box.shape:
        yield f'<text class="shape" x="{_number(box.x + 7)}" y="{_number(box.bottom + 16)}">{escape(box.shape)}</text>'


def _origin(drawing: Drawing) -> str:
    return f"{drawing.block} of {drawing.graph.source.family}"


def _in_words(drawing: Drawing, layout: Layout) -> str:
    """The drawing for those who hear it."""
    names = {name: box.label.what for name, box in layout.boxes.items()}
    steps = []
    before = IN
    for name, box in layout.boxes.items():
        if name in (IN, OUT):
            continue
        reads = "" if box.inputs == [before] else f" of {' and '.join(names[each] for each in box.inputs)}"
        how = f" ({box.label.how})" if box.label.how else ""
        steps.append(f"{box.label.what}{how}{reads} gives {box.shape}")
        before = name
    return f"{drawing.caption}, {_origin(drawing)}: in {layout.boxes[IN].shape}; {'; '.join(steps)}."


def _number(value: float) -> str:
    """Return a number without needless digits.

    >>> _number(12.0), _number(0.25)
    ('12', '0.2')
    """
    return f"{value:.1f}".removesuffix(".0")
