"""The page, as text: whole, with every section, and with nothing from the data that became HTML."""

import html
import re
from html.parser import HTMLParser

import pytest

from pocketvision.cost.budget import Budget
from pocketvision.report.facts import Facts, Layer
from pocketvision.report.page import SECTIONS, render
from pocketvision.report.run_sections import example
from reports import COMPRESSED, HOSTILE, made_facts

FINDINGS = [{"kind": "duplicate", "severity": "note", "subject": HOSTILE, "sentence": f"{HOSTILE} is twice."}] * 40
VOID = {"meta", "img", "br", "line", "circle", "rect", "path"}
CASES = {
    "as usual": {},
    "two classes, no test part, one epoch": {"classes": 2, "has_test": False, "trained": 1},
    "120 classes": {"classes": 120, "each": 4, "trained": 30},
    "300 classes": {"classes": 300, "each": 2},
    "a budget, trials, findings": {"budget": Budget(latency_ms=0.2), "trials": True, "findings": FINDINGS},
    "elastic": {"budget": Budget(latency_ms=0.2), "elastic": True},
    "elastic, nothing timed": {"elastic": True},
    "nothing found, another device": {"findings": [], "budget": Budget(latency_ms=0.2), "is_here": False},
    "all right, grey": {"skill": 60.0, "channels": 1},
    "nothing trained": {"trained": 0},
    "in integers": {"compressed": COMPRESSED},
    "integers not good enough": {"compressed": {**COMPRESSED, "kept": "fp32", "problem": "top-1 drops by <3> points"}},
}


class Page(HTMLParser):
    """Elements in order, text by section, and whether every element is closed."""

    def __init__(self, source):
        super().__init__()
        self.open, self.elements, self.words, self.section = [], [], {}, ""
        self.feed(source)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = dict(attributes)["id"]

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID or self.open[-1] == tag:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words[self.section] = self.words.get(self.section, "") + data


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def facts(request) -> Facts:
    return made_facts(**request.param)


def test_every_section_is_there_and_has_words(facts):
    page = Page(render(facts))
    left_out = {key for key, content in (("sizes", facts.front), ("precision", facts.precision)) if content is None}
    expected = {key: heading for key, heading, _ in SECTIONS if key not in left_out}
    assert [attributes["id"] for tag, attributes in page.elements if tag == "section"] == list(expected)
    for key, heading in expected.items():
        assert page.words[key].startswith(heading) and len(page.words[key]) > len(heading) + 30, key


def test_the_ladder_is_told_step_by_step():
    page = Page(render(made_facts(compressed=COMPRESSED)))
    told = page.words["precision"]
    assert "The file is int8: +0.42" in told.replace("\n", " ") or "int8" not in told
    assert "static ranges, largest" in told and "98% are <needed>" in told and "passes" in told
    assert "Layers that stay fp32: block3.<depthwise>" in told
    kept = Page(render(made_facts(compressed={**COMPRESSED, "problem": "top-1 drops by <3> points"})))
    assert "The file is fp32: top-1 drops by <3> points" in kept.words["precision"]


def test_nothing_from_the_data_becomes_html_and_it_is_all_shown(facts):
    source = render(facts)
    page = Page(source)
    assert HOSTILE not in source and "<b>&amp;" not in source
    for key in ("confusion", "classes", "pictures", "data", "provenance"):
        assert HOSTILE in page.words[key], key


def test_pictures_and_charts_have_words_and_nothing_is_fetched(facts):
    page = Page(render(facts))
    for tag, attributes in page.elements:
        assert tag not in ("script", "link", "iframe", "object")
        if tag == "img":
            assert len(attributes["alt"]) > 10 and attributes["src"].startswith("data:image/")
        if tag == "svg":
            assert attributes["role"] == "img" and len(attributes["aria-label"]) > 10
        assert attributes.get("href", "#").startswith("#")
    shown = "".join(words for key, words in page.words.items() if key != "use")  # the example indexes with None
    assert not re.search(r"\b(nan|inf|None)\b", shown)


def test_coordinates_stay_in_their_chart(facts):
    for box, content in re.findall(r'<svg [^>]*viewBox="0 0 ([0-9. ]+)"[^>]*>(.*?)</svg>', render(facts)):
        width, height = map(float, box.split())
        for x, y in re.findall(r'cx="([-0-9.]+)" cy="([-0-9.]+)"', content):
            assert 0 <= float(x) <= width and 0 <= float(y) <= height


def words(section, **options):
    return Page(render(made_facts(**options))).words[section]


def test_the_budget_is_kept_or_not_or_not_known():
    assert "No budget was set" in words("result")
    assert "The budget is kept." in words("result", budget=Budget(latency_ms=0.2, macs=1e9))
    missed = words("result", budget=Budget(latency_ms=0.2, size_mb=0.5))
    assert "The budget is not kept." in missed and "over by 90.0 %" in missed
    elsewhere = words("result", budget=Budget(latency_ms=0.2), is_here=False)
    assert "not known here" in elsewhere and "pocketvision probe model.onnx" in elsewhere


def test_the_choice_says_what_is_out_and_why():
    shown = words("choice", budget=Budget(latency_ms=0.2), trials=True)
    assert "0.4 > 0.2 ms" in shown and "0.260*" in shown and "pick" in shown and "budget 0.2 ms" in shown
    assert "81.00 %" in shown and "after 400 steps" in shown
    assert "multiply-adds for one image" in words("choice")  # no latency is known


def test_data_that_nobody_checked_are_not_called_fine():
    assert "not checked" in words("data")
    assert "data check found nothing" in words("data", findings=[])
    found = words("data", findings=FINDINGS)
    assert "40 findings" in found and "10 more" in found and f"{HOSTILE} is twice." in found


def test_many_classes_are_a_map_then_a_list():
    for classes, has_map in ((25, False), (26, True), (251, False)):
        source = render(made_facts(classes=classes, each=2))
        assert ('class="chart heat"' in source, "too many for a picture" in source) == (has_map, classes > 250)
    shown = words("confusion", classes=120, each=4)
    assert "the first 15 of" in shown


def test_dead_filters_are_summed_and_their_lack_is_said():
    facts = made_facts()
    layers = [Layer(name="a", kind="Conv DW 3x3", output="8x4x4", params=1, macs=1, dead=3, filters=8)]
    dead = Page(render(facts.model_copy(update={"layers": tuple(layers)}))).words["cost"]
    assert "3 of 8 depthwise filters are dead" in dead and "a narrower network" in dead
    none = [layer.model_copy(update={"dead": None, "filters": None}) for layer in facts.layers]
    assert "no depthwise filters" in Page(render(facts.model_copy(update={"layers": tuple(none)}))).words["cost"]


def test_five_lines_of_python():
    assert len(list(example(made_facts()))) == 5
    for facts in (made_facts(), made_facts(channels=1), made_facts(classes=120, each=2)):
        compile("\n".join(example(facts)), "report", "exec")
    assert html.escape(repr(HOSTILE), quote=True) in render(made_facts())


def test_an_image_that_needs_more_than_resizing_is_left_to_pocketvision():
    source = render(made_facts().model_copy(update={"is_squashed": False}))
    assert "InferenceSession" not in source and "pocketvision predict" in source


def test_the_sizes_of_an_elastic_run():
    facts = made_facts(budget=Budget(latency_ms=0.2), elastic=True)
    source = render(facts)
    page, front = Page(source), facts.front
    words = page.words["sizes"]
    assert (
        "4 sizes of" in words
        and f"The pick is {front.pick}" in words
        and f"the runner-up is {front.runner_up}" in words
    )
    assert "points are the price of the budget and its margin" in words
    for cut in front.cuts:
        assert f"{cut.name}: validation {100 * cut.top1:.1f} %" in source, "hovering shows each cut"
    assert "over the budget" in words


def test_without_a_budget_nothing_was_lost():
    words = Page(render(made_facts(elastic=True))).words["sizes"]
    assert "cost" not in words.split("The pick is")[1].split("better than")[0]
