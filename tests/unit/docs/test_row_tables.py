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


def test_every_family_has_a_line_for_each_row():
    for name, family in FAMILIES.items():
        _, _, *lines = table(name)
        assert [line[1] for line in lines] == [LAYERS[type(row)] for row in family.rows], name


def test_rows_of_different_kinds_share_no_table():
    with pytest.raises(ValueError, match="convolution, separable convolution"):
        rows_table([FAMILIES["mobilenet_v1_standard"], FAMILIES["mobilenet_v1"]])
