"""The parts of the page: escaped text, tables and boxes. Everything from the user's data goes through `text` or `name`."""

import html
from collections.abc import Iterable, Sequence

LONG = 40  # characters; only longer names are broken into lines


def text(value: object) -> str:
    """Return a value as text that cannot be taken for HTML, inside elements and attributes.

    >>> text('<b>&"')
    '&lt;b&gt;&amp;&quot;'
    """
    return html.escape(str(value), quote=True)


def name(value: object) -> str:
    """Return a name from the user's data; its writing direction does not affect the sentence around it."""
    kind = ' class="long"' if len(str(value)) > LONG else ""
    return f"<bdi{kind}>{text(value)}</bdi>"


def fact(key: str, value: str) -> str:
    """Return a figure with a key by which programs (tests) find it on the page."""
    return f'<span data-fact="{text(key)}">{value}</span>'


def percent(share: float | None, digits: int = 2) -> str:
    """Return a share of 1 as people read it.

    >>> percent(0.93123), percent(None)
    ('93.12 %', '-')
    """
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def table(
    label: str, header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, kind: str = "", foot: int = 0
) -> str:
    """Return a table in a box of its own, which scrolls sideways on a narrow page.

    Args:
        label: what it shows, for screen readers.
        header: column titles, as HTML.
        rows: cells, as HTML; the first one heads its row.
        left: number of columns with words, flush left; the others are figures, flush right.
        kind: classes of the table.
        foot: number of last rows that are sums.
    """

    def cell(column: int, content: str) -> str:
        side = "" if column < left else ' class="n"'
        return f'<th scope="row">{content}</th>' if column == 0 else f"<td{side}>{content}</td>"

    head = "".join(f'<th scope="col"{"" if i < left else chr(32) + "class=n"}>{h}</th>' for i, h in enumerate(header))
    lines = ["<tr>" + "".join(cell(i, c) for i, c in enumerate(row)) + "</tr>" for row in rows]
    body, feet = (lines[:-foot], lines[-foot:]) if foot else (lines, [])
    tail = f"<tfoot>{''.join(feet)}</tfoot>" if feet else ""
    return box(
        label,
        f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody>{tail}</table>',
    )


def box(label: str, content: str) -> str:
    """Return content that may be wider than the page, in a box that scrolls (also by keyboard)."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{text(label)}">{content}</div>'


def details(summary: str, content: str) -> str:
    """Return content that is hidden until it is opened."""
    return f"<details><summary>{summary}</summary>{content}</details>"


def figure(content: str, caption: str = "", kind: str = "") -> str:
    """Return a picture with its caption."""
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure class="{kind}">{content}{below}</figure>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Return (class of the mark, words) as one line below a chart."""
    items = "".join(
        "<li>" + (f'<i class="{kind}" aria-hidden="true"></i>' if kind else "") + f"{words}</li>"
        for kind, words in entries
    )
    return f'<ul class="legend">{items}</ul>'
