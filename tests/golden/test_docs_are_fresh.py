"""Generated pages are what docs/generate.py writes now; paths that the README names exist."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_pages_are_fresh(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]
    stale = [
        str(path.relative_to(ROOT))
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "make docs"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/guide.md", "docs/design.md"])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
    assert links, page
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []
