"""The page: one self-contained HTML file, made of the facts alone; no script, no network, no torch."""

from collections.abc import Callable
from importlib.resources import files

from pocketvision.report import image_sections, run_sections
from pocketvision.report.facts import Facts
from pocketvision.report.html import name, text

SECTIONS: tuple[tuple[str, str, Callable[[Facts], str]], ...] = (
    ("result", "The result", run_sections.result),
    ("choice", "The choice", run_sections.choice),
    ("sizes", "All sizes from one training", run_sections.sizes),
    ("training", "The training", run_sections.training),
    ("precision", "Precision", run_sections.precision),
    ("confusion", "What is taken for what", image_sections.confusion),
    ("classes", "Class by class", image_sections.classes),
    ("calibration", "How far to trust a probability", image_sections.calibration),
    ("pictures", "Mistakes and doubts", image_sections.pictures),
    ("data", "The data", image_sections.findings),
    ("cost", "What it costs, layer by layer", run_sections.cost),
    ("use", "How to use the file", run_sections.use),
    ("provenance", "Where it comes from", run_sections.provenance),
)
# Whatever the data contain, nothing is fetched or run
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(facts: Facts) -> str:
    """Return report.html."""
    style = (files("pocketvision.report") / "page.css").read_text(encoding="utf-8")
    made = [(key, heading, content) for key, heading, make in SECTIONS if (content := make(facts))]
    sections = "".join(
        f'<section id="{key}" aria-labelledby="{key}-heading"><h2 id="{key}-heading">{heading}</h2>{content}</section>\n'
        for key, heading, content in made
    )
    links = "".join(f'<a href="#{key}">{heading}</a>' for key, heading, _ in made)
    date = text(facts.provenance.get("date", facts.measured.date))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(facts.network)} on {text(facts.data.name)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><p>pocketvision, {date}</p><h1>{name(facts.data.name)}</h1><p>{name(facts.network)}</p></header>\n"
        f'<nav aria-label="Sections">{links}</nav>\n<main>\n{sections}</main>\n'
        "<footer><p>This page holds small copies of some of the images. It needs no network and runs no script.</p></footer>\n"
        "</body>\n</html>\n"
    )
