"""The rows as tables: the papers' own numbers."""

import pytest
from row_tables import LAYERS, rows_table

from pocketvision.model.families import FAMILIES


def table(*names):
    lines = rows_table([FAMILIES[name] for name in names])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]


def test_bottlenecks_as_table_2_of_the_paper_has_them():
    header, _, *lines = table("mobilenet_v2")
    assert header[:7] == ["input", "layer", "kernel", "expansion", "channels", "times", "stride"]
    assert [line[3:7] for line in lines if line[1] == "inverted residual"] == [
        ["1", "16", "1", "1"],
        ["6", "24", "2", "2"],
        ["6", "32", "3", "2"],
        ["6", "64", "4", "2"],
        ["6", "96", "3", "1"],
        ["6", "160", "3", "2"],
        ["6", "320", "1", "1"],
    ]
    assert lines[0][0] == "224x224" and lines[8][-1] == "not thinned below width 1"


def test_families_with_the_same_rows_share_a_table():
    _, _, *lines = table("shufflenet_v1_g1", "shufflenet_v1_g8")
    assert lines[2][:7] == ["56x56", "ShuffleNet unit", "3x3", "1 / 8", "144 / 384", "4", "2"]


def test_listed_channels_stand_beside_each_other():
    header, _, *lines = table("shufflenet_v2")
    assert header[3] == "channels at 0.5 / 1 / 1.5 / 2"
    assert [line[3] for line in lines[2:6]] == [
        *("48 / 116 / 176 / 244", "96 / 232 / 352 / 488", "192 / 464 / 704 / 976", "1024 / 1024 / 1024 / 2048"),
    ]


def test_an_activation_that_all_rows_share_stands_below():
    assert rows_table([FAMILIES["squeezenet1_1"]])[-1] == "Activation: ReLU."
    assert "activation" in table("mobilenet_v3_small")[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_line_for_each_row(name):
    _, _, *lines = table(name)
    assert [line[1] for line in lines] == [LAYERS[type(row)] for row in FAMILIES[name].rows]


def test_rows_of_different_kinds_share_no_table():
    with pytest.raises(ValueError, match="rows of different kinds: convolution, separable convolution"):
        rows_table([FAMILIES["mobilenet_v1_standard"], FAMILIES["mobilenet_v1"]])
