"""The pictures of blocks: what is in them, and that nothing overlaps, sticks out or ends nowhere."""

from itertools import pairwise
from xml.etree import ElementTree

import pytest
from draw import DARK, LIGHT, Drawing, draw
from family_pages import PAGES, family_picture
from labels import TIMES, label
from layout import IN, OUT, lay_out

from pocketvision.model.resolve import resolve

SVG = "{http://www.w3.org/2000/svg}"


def picture(*blocks):
    return ElementTree.fromstring(draw("Blocks", [Drawing(*block) for block in blocks]))


def plain(text):
    return text.replace(TIMES, "x")


def touches(box, x, y):
    """Whether a point is inside of a box, its edges not counted."""
    return abs(x - box.x) < box.width / 2 - 0.1 and box.y + 0.1 < y < box.bottom - 0.1


def is_on_edge(box, x, y):
    beside = abs(abs(x - box.x) - box.width / 2) < 0.1 and box.y <= y <= box.bottom
    return beside or (abs(x - box.x) <= box.width / 2 and min(abs(y - box.y), abs(y - box.bottom)) < 0.1)


def test_every_block_of_every_structure_is_laid_out(family):
    graph = resolve(family)
    for block in dict.fromkeys(op.origin.block for op in graph.ops if op.origin.block.startswith("block")):
        layout = lay_out(graph, block)
        check_boxes(layout)
        check_arrows(layout)


def check_boxes(layout):
    """Boxes are inside of the picture, wide enough for their words, and apart."""
    boxes = list(layout.boxes.values())
    for number, box in enumerate(boxes):
        assert box.x - box.width / 2 >= 0 and box.x + box.width / 2 <= layout.width
        assert box.y >= 0 and box.bottom <= layout.height
        assert 7.5 * len(box.label.what) <= box.width
        for other in boxes[number + 1 :]:
            apart = abs(box.x - other.x) >= (box.width + other.width) / 2
            assert apart or box.bottom < other.y or other.bottom < box.y, (box, other)


def check_arrows(layout):
    """Arrows begin and end at boxes, run along the axes, and cross no box."""
    boxes = list(layout.boxes.values())
    for arrow in layout.arrows:
        assert any(is_on_edge(box, *arrow[0]) for box in boxes)
        assert any(is_on_edge(box, *arrow[-1]) for box in boxes)
        for (x1, y1), (x2, y2) in pairwise(arrow):
            assert x1 == x2 or y1 == y2
            for step in range(21):
                x, y = x1 + (x2 - x1) * step / 20, y1 + (y2 - y1) * step / 20
                assert not any(touches(box, x, y) for box in boxes), (arrow, x, y)


def test_each_op_has_a_box_and_each_input_an_arrow():
    graph = resolve("mobilenet_v3_large")
    ops = [op for op in graph.ops if op.origin.block == "block5"]
    layout = lay_out(graph, "block5")
    assert set(layout.boxes) == {IN, OUT, *(op.name for op in ops)}
    assert len(layout.arrows) == sum(len(op.inputs) for op in ops) + 1


def test_pictures_have_words_for_those_who_cannot_see_and_hold_nothing_from_outside():
    allowed = {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "text", "g"}
    for page in PAGES.values():
        text = family_picture(page)
        root = ElementTree.fromstring(text)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
        assert text.count("http") == 1, "the namespace"
        assert root.get("role") == "img" and root.find(f"{SVG}title").text and root.find(f"{SVG}desc").text


def brightness(colour):
    """Relative luminance. Source: WCAG 2.1, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((brightness(one), brightness(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_text_and_lines_stand_out_in_both_modes(palette):
    assert contrast(palette.faint, palette.paper) > 4.5
    assert contrast(palette.line, palette.paper) > 3
    for fill, stroke in palette.kinds.values():
        assert contrast(palette.text, fill) > 7
        assert contrast(stroke, palette.paper) > 3


def test_a_block_that_is_not_there():
    with pytest.raises(ValueError, match=r"'block9'"):
        lay_out(resolve("effnet"), "block9")


def test_an_op_that_is_in_no_block():
    with pytest.raises(ValueError, match="'classifier'"):
        label(resolve("effnet")["classifier"])
