import csv
import math
from pathlib import Path

import pytest

from pocketvision.choose.prior import expected_top1, published
from pocketvision.cost.count import count
from pocketvision.model.families import FAMILIES
from pocketvision.model.resolve import resolve

REFERENCE = Path(__file__).parents[2] / "reference"


def net(family="mobilenet_v1", width=1.0, resolution=224):
    return resolve(family, width, resolution)


def test_published_figures_are_read_with_their_counted_cost():
    rows = published()
    assert (568_740_352, 70.9) in rows["mobilenet_v1"] and len(rows["mobilenet_v1"]) == 16


def test_published_figures_of_the_paper_are_those_of_the_reference():
    text = (REFERENCE / "mobilenet_v1_paper_tables.csv").read_text(encoding="utf-8")
    assert any("65.3" in row.values() for row in csv.DictReader(text.splitlines())), "the shallow one of Table 5"
    assert [top1 for _, top1 in published()["mobilenet_v1_shallow"]] == [65.3]


def test_the_line_is_near_what_was_published():
    for width, resolution, top1 in ((1.0, 224, 70.9), (0.5, 160, 59.1), (0.25, 128, 41.5)):
        assert expected_top1(net(width=width, resolution=resolution), 500) == pytest.approx(top1, abs=3.5)


def test_more_is_better_within_a_family(family):
    sides, widths = (96, 128, 192), FAMILIES[family].widths or (0.25, 0.5, 1.0)
    by_width = [expected_top1(net(family, width, 128), 500) for width in widths]
    by_side = [expected_top1(net(family, 0.5, side), 500) for side in sides]
    assert by_width == sorted(by_width) and by_side == sorted(by_side)


def test_resolution_above_that_of_the_images_earns_nothing():
    own, enlarged = expected_top1(net(resolution=128), 128), expected_top1(net(resolution=192), 128)
    assert enlarged == pytest.approx(own, abs=0.1)
    assert expected_top1(net(resolution=192), 192) > own + 1


def test_a_family_of_one_published_size_borrows_the_slope():
    """The line goes through its own figure."""
    assert expected_top1(net("mobilenet_v1_shallow"), 500) == pytest.approx(65.3)
    assert expected_top1(net("mobilenet_v1_standard"), 500) == pytest.approx(71.7)


def test_a_family_without_a_point_of_its_own_borrows_the_line_of_its_file():
    assert "mobilenet_v2_no_shortcut" not in published()
    assert expected_top1(net("mobilenet_v2_no_shortcut"), 500) == expected_top1(net("mobilenet_v2"), 500)
    assert "shufflenet_v2" not in published(), "two trainings"
    borrowed, own = (expected_top1(net(name), 500) for name in ("shufflenet_v2", "shufflenet_v2_authors"))
    assert borrowed == pytest.approx(own, abs=0.1)


def test_a_file_without_a_point_borrows_the_line_of_the_reference():
    macs = {name: count(net(name)).macs for name in ("effnet", "mobilenet_v1")}
    effnet, reference, narrow = (expected_top1(graph, 500) for graph in (net("effnet"), net(), net(width=0.5)))
    slope = (reference - narrow) / math.log(macs["mobilenet_v1"] / count(net(width=0.5)).macs)
    assert effnet == pytest.approx(reference + slope * math.log(macs["effnet"] / macs["mobilenet_v1"]))


def test_a_family_of_which_little_else_is_known_has_a_line_near_what_was_published():
    for family, width, resolution, top1 in (
        ("shufflenet_v1_g3", 1.0, 224, 67.4),
        ("shufflenet_v2_authors", 2.0, 224, 74.9),
        ("xception", 1.0, 299, 79.0),
        ("squeezenet1_1", 1.0, 224, 58.178),
        ("mobilenet_v4_conv_small", 0.5, 224, 64.778),
    ):
        assert expected_top1(net(family, width, resolution), 500) == pytest.approx(top1, abs=2), family
