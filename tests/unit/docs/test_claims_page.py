"""The page of the papers' claims: what its numbers may be called, and charts that are whole."""

import re
from xml.etree import ElementTree

import pytest
from charts import Curve, Difference, curves_chart, differences_chart
from claims_page import CLAIMS, SEPARABLE, verdict
from speed import newest


def cell(points, error):
    return {"points": points, "standard_error": error}


@pytest.mark.parametrize(
    ("name", "points", "words"),
    [
        ("thin and shallow", 0.41, "holds"),
        ("thin and shallow", 0.4, "nothing to be seen"),
        ("thin and shallow", -0.4, "nothing to be seen"),
        ("thin and shallow", -0.41, "the other way round"),
        (SEPARABLE, -0.41, "a trade"),
        (SEPARABLE, 0.41, "a gain"),
    ],
)
def test_a_difference_is_one_beyond_two_standard_errors(name, points, words):
    assert verdict(name, cell(points, 0.2)) == words


def test_every_claim_that_was_measured_has_its_words():
    assert list(newest("paper_claims")["summary"]["claims"]) == list(CLAIMS)


def inside(svg):
    """Positions of all that is drawn, and the size of the picture."""
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for element in root.iter():
        for x, y in (("x", "y"), ("cx", "cy")):
            if element.get(x) is not None:
                yield float(element.get(x)), float(element.get(y)), width, height
        for across, up in re.findall(r"([\d.]+) ([\d.]+)", element.get("d", "")):
            yield float(across), float(up), width, height


@pytest.mark.parametrize(
    "svg",
    [
        differences_chart("A & B", [Difference("one <two>", 5.0, 1.0), Difference("three", -0.01, 0.002)], "points"),
        differences_chart("None", [Difference("one", 0.5, 0.1)], "points"),
        curves_chart("Curves", [Curve("a", ((1.0, 81.0), (2.0, 85.5))), Curve("b", ((0.3, 20.0),))], "x", "y", 80.0),
    ],
    ids=["two", "one", "curves"],
)
def test_all_that_is_drawn_lies_in_the_picture(svg):
    found = list(inside(svg))
    assert len(found) > 5
    assert all(0 <= x <= width and 0 <= y <= height for x, y, width, height in found)
