"""Generated pages and pictures are what docs/generate.py writes now; paths that pages name exist."""

import re
import runpy
import shutil
from pathlib import Path

import pytest

from pocketvision.model.families import FILES

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "docs" / "models"


@pytest.fixture(scope="module")
def pages():
    """What docs/generate.py writes now, by path."""
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()


def differing(pages, models):
    """The files that are not as they would be written, or that nothing writes; those of families are in `models`."""
    texts = {models / path.name if path.parent == MODELS else path: text for path, text in pages.items()}
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    return sorted(path.name for path in (*stale, *(set(models.iterdir()) - set(texts))))


def test_pages_are_fresh(pages):
    assert differing(pages, MODELS) == [], "make docs"


def test_what_is_stale_missing_or_left_over_is_found(pages, tmp_path):
    models = shutil.copytree(MODELS, tmp_path / "models")
    for name in ("xception.md", "effnet.svg"):
        with (models / name).open("a", encoding="utf-8") as file:
            file.write(" ")
    (models / "squeezenet.svg").unlink()
    (models / "mobilenet_v9.md").write_text("a family that is gone", encoding="utf-8")
    assert differing(pages, models) == ["effnet.svg", "mobilenet_v9.md", "squeezenet.svg", "xception.md"]


def test_every_file_of_families_has_a_page_and_a_picture(pages):
    names = [file.__name__.rpartition(".")[2] for file in FILES]
    assert {path.name for path in pages if path.parent == MODELS} == {
        f"{name}.{ending}" for name in names for ending in ("md", "svg")
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if f"docs/models/{name}.md" not in readme] == []


def test_a_page_says_all_of_its_families(pages):
    for file in FILES:
        name = file.__name__.rpartition(".")[2]
        text = pages[MODELS / f"{name}.md"]
        for part in ("The block", "The rows", "Costs and published figures", "Published weights", "Layer by layer"):
            assert f"\n## {part}\n" in text, name
        assert f"]({name}.svg)" in text
        for family in file.FAMILIES:
            assert f"| `{family.name}` |" in text
            assert all(claim.source in text and f"{claim.macs:,}" in text for claim in family.claims), family.name


def test_links_lead_somewhere():
    for page in ("README.md", "CONTRIBUTING.md", "docs/guide.md", "docs/design.md", *sorted(MODELS.glob("*.md"))):
        text = (ROOT / page).read_text(encoding="utf-8")
        links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text) if "://" not in link]
        assert links, page
        assert [link for link in links if not ((ROOT / page).parent / link).exists()] == [], page
