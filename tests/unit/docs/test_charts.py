"""Charts: well-formed, whole, the same each time, and no words on other words."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from charts import Curve, Difference, curves_chart, differences_chart

SVG = "{http://www.w3.org/2000/svg}"
WIDE, HIGH = 0.53, 0.8  # of a letter, in sizes of the font: as a wide font has it
LONGEST = "MobileNetV1, depthwise filters without and with ten times the decay"


def differences(*rows):
    return differences_chart("By how many <points> & more", [Difference(*row) for row in rows], "points")


def curves(*found, least=80.0):
    return curves_chart("Top-1", [Curve(*each) for each in found], "million multiply-adds", "top-1 in percent", least)


V1 = ("MobileNetV1, width", ((0.33, 84.0), (1.1, 85.5), (4.2, 87.1)))
V1_RESOLUTION = ("MobileNetV1, resolution", ((1.05, 82.5), (3.6, 85.4), (4.2, 87.1)), True)
V2 = ("MobileNetV2, width", ((0.76, 82.8), (2.6, 82.9), (3.4, 87.2)))
V2_RESOLUTION = ("MobileNetV2, resolution", ((0.87, 52.6), (3.0, 84.0), (3.4, 87.2)), True)
CHARTS = {
    "many differences": differences(
        ("one & <two>", 5.0, 1.0), ("three", -0.01, 0.002), (LONGEST, 5.4, 2.3), ("four", -2.6, 0.2)
    ),
    "one difference": differences(("one", 0.5, 0.1)),
    "large differences": differences(("one", -60.0, 12.0), ("two", 35.0, 3.0)),
    "four curves": curves(V1, V1_RESOLUTION, V2, V2_RESOLUTION),
    "a curve of one point": curves(("one", ((0.3, 20.0),))),
    "a large range": curves(V2_RESOLUTION, least=10.0),
}


@pytest.fixture(params=CHARTS, ids=str)
def root(request):
    return ElementTree.fromstring(CHARTS[request.param])


def box(text):
    """Left, top, right and bottom of words."""
    size = float(text.get("font-size", "13"))
    wide = WIDE * size * len(text.text)
    left = float(text.get("x")) - {"start": 0, "middle": wide / 2, "end": wide}[text.get("text-anchor", "start")]
    base = float(text.get("y"))
    return left, base - HIGH * size, left + wide, base + 0.2 * size


def places(root):
    """Positions of all that is drawn, by element."""
    for element in root.iter():
        for x, y in (("x", "y"), ("cx", "cy")):
            if element.get(x) is not None:
                yield float(element.get(x)), float(element.get(y))
        for across, up in re.findall(r"([-\d.]+) ([-\d.]+)", element.get("d", "")):
            yield float(across), float(up)


def test_all_that_is_drawn_lies_in_the_picture(root):
    width, height = float(root.get("width")), float(root.get("height"))
    found = list(places(root))
    assert len(found) > 5 and all(0 <= x <= width and 0 <= y <= height for x, y in found)
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = box(text)
        assert left >= 0 and top >= 0 and right <= width and bottom <= height, text.text


def test_no_words_lie_on_others(root):
    for one, other in combinations(root.iter(f"{SVG}text"), 2):
        (left, top, right, bottom), (left2, top2, right2, bottom2) = box(one), box(other)
        assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top, (one.text, other.text)


def test_dots_and_bars_stand_where_the_numbers_are():
    root = ElementTree.fromstring(differences(("better", 2.0, 0.5), ("worse", -2.0, 0.5), ("neither", 1.0, 0.5)))
    ticks = {text.text: float(text.get("x")) for text in root.iter(f"{SVG}text") if re.fullmatch(r"-?\d+", text.text)}
    dots = [(dot.get("class"), float(dot.get("cx"))) for dot in root.iter(f"{SVG}circle")]
    assert dots == [("depthwise", ticks["2"]), ("pool", ticks["-2"]), ("axis", ticks["1"])]
    bars = [path.get("d") for path in root.iter(f"{SVG}path") if path.get("stroke-width") == "2"]
    ends = [tuple(float(x) for x in re.findall(r"[ML]([-\d.]+) ", bar)) for bar in bars]
    assert ends == [(ticks["1"], ticks["3"]), (ticks["-3"], ticks["-1"]), (ticks["0"], ticks["2"])]


def test_doublings_are_as_far_from_each_other():
    root = ElementTree.fromstring(curves(("one", ((0.5, 81.0), (1.0, 82.0), (2.0, 84.0)))))
    (x1, y1), (x2, y2), (x3, y3) = ((float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle"))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2) and y2 - y3 == pytest.approx(2 * (y1 - y2), abs=0.2)


def test_a_point_below_the_axis_is_an_arrow_with_its_value():
    root = ElementTree.fromstring(CHARTS["four curves"])
    assert "52.6" in [text.text for text in root.iter(f"{SVG}text")]
    assert len([path for path in root.iter(f"{SVG}path") if path.get("d").endswith("z")]) == 1
    assert len(list(root.iter(f"{SVG}circle"))) == 11
