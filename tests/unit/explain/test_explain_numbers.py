"""Explanations against what the papers print, and against graphs; what is asked for wrongly is named."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pocketvision.cost.memory import live_bytes
from pocketvision.errors import BadOption, BadResolution, BadWidth, UnknownFamily
from pocketvision.explain import explain
from pocketvision.explain.layer import lower_resolution
from pocketvision.model.families import FAMILIES
from pocketvision.model.resolve import resolve
from refusals import refused

REFERENCE = Path(__file__).parents[2] / "reference"


def rows(file, **wanted):
    with (REFERENCE / file).open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if all(row[key] == value for key, value in wanted.items())]


def section(explanation, title):
    return next(section for section in explanation.sections if section.title == title)


def result(explanation, title, what):
    return next(equation.result for equation in section(explanation, title).equations if equation.what == what)


def sizes(explanation):
    """The last table: name -> (multiply-adds, weights)."""
    table = section(explanation, "What width and resolution do").table
    return {name: (macs, weights) for name, _, _, macs, _, weights, _ in table.rows}


def as_printed(number, like):
    """A count in millions, with as many digits as the paper has."""
    return f"{number / 1e6:.{len(like.partition('.')[2])}f}"


TABLE_3 = {
    "Convolution 3x3x512x512 on 14x14": "standard convolution",
    "Depthwise separable": "this layer: width 1, resolution 224",
    "alpha=0.75 on top": "width 0.75",
    "rho=0.714 on top": "width 0.75 and resolution 160 (0.714)",
}


class TestMobileNetV1:
    def test_table_3_has_four_rows(self):
        assert [row["item"] for row in rows("mobilenet_v1_paper_tables.csv", table="Table 3")] == list(TABLE_3)

    @pytest.mark.parametrize("item", TABLE_3)
    def test_table_3(self, item):
        (row,) = rows("mobilenet_v1_paper_tables.csv", table="Table 3", item=item)
        for layer in (None, 7, 8, 9, 10, 11):
            macs, weights = sizes(explain("mobilenet_v1", layer))[TABLE_3[item]]
            printed = (as_printed(macs, row["macs_m"]), as_printed(weights, row["params_m"]))
            assert printed == (row["macs_m"], row["params_m"]), layer

    def test_equations_6_and_7_end_with_the_same_numbers(self):
        explanation = explain("mobilenet_v1", 7)
        found = section(explanation, "What width and resolution do").equations
        assert [equation.what for equation in found] == ["a = 0.75", "r = 0.714", "a = 0.75, r = 0.714"]
        names = ("width 0.75", "resolution 160 (0.714)", "width 0.75 and resolution 160 (0.714)")
        assert [equation.result for equation in found] == [sizes(explanation)[name][0] for name in names]

    def test_the_reduction_is_that_of_the_formula(self):
        ratio = result(explain("mobilenet_v1", 7), "The reduction", "ratio")
        assert ratio == pytest.approx(1 / 512 + 1 / 9, rel=1e-12)

    def test_8_to_9_times_less(self):
        """Where more than 72 channels go out: in all separable layers but the first, which makes 64."""
        for layer in range(2, 14):
            explanation = explain("mobilenet_v1", layer)
            assert 8 < 1 / result(explanation, "The reduction", "ratio") < 9, layer
            assert "72" in section(explanation, "The reduction").after[0]

    def test_with_64_channels_it_is_less_than_8_times(self):
        assert 1 / result(explain("mobilenet_v1", 1), "The reduction", "ratio") == pytest.approx(7.89, abs=0.005)

    def test_the_standard_convolution_is_the_twins_layer(self):
        """`mobilenet_v1_standard` is the network of Table 4: its layers cost what is said of a standard convolution."""
        for layer in range(1, 14):
            separable, standard = explain("mobilenet_v1", layer), explain("mobilenet_v1_standard", layer)
            assert sizes(separable)["standard convolution"] == (standard.macs, standard.weights)
            assert sizes(standard)["depthwise separable convolution"] == (separable.macs, separable.weights)


class TestMemory:
    def test_all_at_once_it_is_what_the_graph_keeps_alive(self):
        graph = resolve("mobilenet_v2")
        alive = [live for op, live in zip(graph.ops, live_bytes(graph), strict=True) if op.origin.block == "block8"]
        assert section(explain("mobilenet_v2", 8), "Its memory").table.rows[0][1] == max(alive)

    def test_in_parts_it_is_what_is_outside_and_a_part_of_what_is_inside(self):
        explanation = explain("mobilenet_v2", 8)
        outside, inside = (result(explanation, "Its memory", what) for what in ("outside", "inside"))
        found = {name: bytes_ for name, bytes_, _ in section(explanation, "Its memory").table.rows}
        assert found["in 2 parts"] == outside + inside / 2
        assert found["in 4 parts"] == outside + inside / 4
        assert found["one channel at a time"] == outside + inside / 384


class TestShuffle:
    @pytest.mark.parametrize(
        ("family", "groups", "channels"), [("shufflenet_v1_g3", 3, 120), ("shufflenet_v2", 2, 232)]
    )
    def test_the_permutation_is_a_transposed_table(self, family, groups, channels):
        table = section(explain(family, 6), "The shuffle").table
        order = np.arange(channels).reshape(groups, -1).T.reshape(-1).tolist()
        assert table.rows[0] == ("reads", *order[:9], order[-1])

    def test_without_groups_there_is_none(self):
        titles = [section.title for section in explain("shufflenet_v1_g1", 6).sections]
        assert "The shuffle" not in titles

    def test_groups_divide_the_1x1_convolutions(self):
        explanation = explain("shufflenet_v1_g3", 6)
        grouped = {equation.what: equation.result for equation in section(explanation, "What it costs").equations}
        whole, _ = sizes(explanation)["without groups (g = 1)"]
        assert whole == 3 * (grouped["reduce"] + grouped["restore"]) + grouped["depthwise"]

    def test_equal_channels_move_the_least(self):
        explanation = explain("shufflenet_v2", 6)
        title = "Why as many channels out as in"
        assert result(explanation, title, "moved") == pytest.approx(result(explanation, title, "at least"))
        table = section(explanation, title).table
        macs, ratios = {row[1] for row in table.rows}, [row[3] for row in table.rows]
        assert len(macs) == 1
        assert ratios == sorted(ratios) and ratios[0] == 1


def test_floats_of_effnet_are_those_of_table_1():
    printed = [int(row["floats_out"]) for row in rows("arch_effnet.csv", model="effnet")][:-1]
    found = []
    for layer in range(3):
        floats = {step: n for step, _, n, _ in section(explain("effnet", layer), "What is let through").table.rows}
        found += [floats[step] for step in ("pointwise", "max_pool", "depthwise2", "merge")]
    assert found == printed


def test_a_fire_module_of_squeezenet_has_a_twelfth_of_the_weights():
    """Squeezed to an eighth, half of the filters 3x3: 1/8 (1 + 1/2 + 9/2) of 9 is 1/12."""
    explanation = explain("squeezenet1_1", 2)
    assert result(explanation, "Two ratios that make a Fire module", "squeeze ratio") == 0.125
    assert sizes(explanation)["plain 3x3 convolution, M to N channels"][1] == 12 * explanation.weights


TYPICAL = {
    "mobilenet_v1": ("block7", (512, 14, 14), (512, 14, 14)),
    "mobilenet_v2": ("block8", (64, 14, 14), (64, 14, 14)),
    "mobilenet_v3_small": ("block5", (40, 14, 14), (40, 14, 14)),
    "mobilenet_v4_conv_small": ("block6", (96, 14, 14), (96, 14, 14)),
    "xception": ("block5", (728, 19, 19), (728, 19, 19)),
    "shufflenet_v1_g3": ("block6", (480, 14, 14), (480, 14, 14)),
    "shufflenet_v2": ("block6", (232, 14, 14), (232, 14, 14)),
    "squeezenet1_1": ("block2", (128, 55, 55), (128, 55, 55)),
    "effnet": ("block1", (64, 16, 16), (128, 8, 8)),
}


def test_without_a_number_the_most_typical_block_is_explained():
    found = {family: explain(family) for family in TYPICAL}
    assert {family: (each.block, each.entering, each.leaving) for family, each in found.items()} == TYPICAL


def test_what_is_typical_does_not_depend_on_the_width(family):
    widths = FAMILIES[family].widths or (1.0, 0.75, 0.5)
    assert len({explain(family, None, width, 64).layer for width in widths}) == 1


def test_the_lower_resolution_has_whole_maps_where_it_can():
    for family, resolution, lower in (
        ("mobilenet_v1", 224, 160),
        ("mobilenet_v1", 128, 96),
        ("mobilenet_v1", 32, 23),
        ("mobilenet_v1", 16, None),
        ("xception", 299, 224),
        ("effnet", 32, 24),
    ):
        assert lower_resolution(FAMILIES[family], resolution) == lower, (family, resolution)


def test_at_the_lowest_resolution_only_widths_differ():
    names = list(sizes(explain("mobilenet_v1", 7, 1.0, 16)))
    assert names == ["standard convolution", "this layer: width 1, resolution 16", "width 0.75", "width 0.5"]
    assert [equation.what for equation in explain("mobilenet_v1", 7, 1.0, 16).sections[-1].equations] == ["a = 0.75"]


def test_listed_widths_are_those_compared():
    names = list(sizes(explain("shufflenet_v2", 6, 1.5)))
    assert names[1:5] == ["this layer: width 1.5, resolution 224", "width 2", "width 1", "width 0.5"]


@pytest.mark.parametrize(
    ("arguments", "error", "named", "attempt"),
    [
        (("mobilenet_v1", 14), BadOption, ("mobilenet_v1", "layer 14", "0 (", "1 to 13 ("), "--layer 13"),
        (("mobilenet_v1", -1), BadOption, ("mobilenet_v1", "layer -1"), "--layer 0"),
        (("effnet", 3), BadOption, ("effnet", "layer 3", "0 to 2 ("), "--layer 2"),
        (("mobilenet_v22",), UnknownFamily, ("'mobilenet_v22'",), "mobilenet_v2"),
        (("shufflenet_v2", 6, 0.75), BadWidth, ("got 0.75",), "width=0.5"),
        (("mobilenet_v1", 7, 1.0, 8), BadResolution, ("got 8",), "resolution=16"),
    ],
)
def test_what_cannot_be_explained_is_refused(arguments, error, named, attempt):
    with refused(error, *named, attempt=attempt):
        explain(*arguments)
