"""The charts of `pocketvision bench`, as SVG files of their own."""

from pocketvision.cost.bench import Bench, Sustained
from pocketvision.report.html import text
from pocketvision.report.svg import Frame, Scale, dot, padded, path, svg
from pocketvision.text import plural

WIDTH = 720.0
LABELS, VALUES = 250.0, 70.0  # pixels left and right of the bars
BAR, GAP = 16.0, 8.0
TOP, BOTTOM = 50.0, 60.0
STYLE = """<style>
svg { font: 12px system-ui, sans-serif; background: #fff; } text { fill: #333; } .title { font-size: 15px; font-weight: 600; }
.bar { fill: #2a78d6; } .grid { stroke: #e4e4e4; } .base, .mark { stroke: #888; } .tick { fill: #666; font-size: 11px; }
.line { fill: none; stroke: #2a78d6; stroke-width: 1.5; } .dot { fill: #2a78d6; }
</style>"""


def draw_bench(found: Bench) -> str:
    """Return bars of images per second for each setting, from arrays and from files."""
    rows = [
        (f"{cell.engine}, {plural(cell.threads, 'thread')}, batch {cell.batch}", cell.images_per_second)
        for cell in found.cells
    ]
    rows += [
        (f"{start.engine}, {plural(start.threads, 'thread')}, from bytes", start.images_per_second)
        for start in found.starts
    ]
    most = max(value for _, value in rows)
    scale = Scale(0.0, most, LABELS, WIDTH - VALUES)
    parts = [
        f'<text class="title" x="12" y="26">{text(found.network)}: images per second on {text(found.device)}</text>'
    ]
    for i, (name, value) in enumerate(rows):
        y = TOP + i * (BAR + GAP)
        parts.append(f'<text x="{LABELS - 8:g}" y="{y + 12:g}" text-anchor="end">{text(name)}</text>')
        parts.append(
            f'<rect class="bar" x="{LABELS:g}" y="{y:g}" width="{scale(value) - LABELS:.1f}" height="{BAR:g}" rx="2"/>'
        )
        parts.append(f'<text x="{scale(value) + 6:.1f}" y="{y + 12:g}">{value:,.0f}</text>')
    height = TOP + len(rows) * (BAR + GAP) + 12
    return _alone(WIDTH, height, "".join(parts), f"Images per second of {found.network}: {len(rows)} settings.")


def draw_sustained(found: Sustained) -> str:
    """Return the latency of one call over time."""
    height = 360.0
    points = [(window.seconds, window.median_ms) for window in found.windows]
    low, high = padded([0.0, *(value for _, value in points)])
    x = Scale(0.0, max(seconds for seconds, _ in points), 60.0, WIDTH - 20)
    y = Scale(max(0.0, low), high, height - BOTTOM, TOP + 20)
    frame = Frame(x, y, "seconds", "one call, ms", x.ticks(8), y.ticks(6))
    pixels = [(x(seconds), y(value)) for seconds, value in points]
    title = f'<text class="title" x="12" y="26">{text(found.network)} with {text(found.engine)} on {text(found.device)}</text>'
    content = title + frame.draw() + path(pixels, "line") + "".join(dot(*pixel, 2.5, "dot") for pixel in pixels)
    return _alone(WIDTH, height, content, f"Latency over {points[-1][0]:.0f} seconds; slower by {found.slowdown:.0%}.")


def _alone(width: float, height: float, content: str, alternative: str) -> str:
    """Return a picture as a file of its own, with size and style."""
    inline = svg(width, height, STYLE + content, alternative)
    size = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
    return inline.replace("<svg ", size, 1) + "\n"
