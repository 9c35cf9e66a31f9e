"""Index lists that do not lead from one graph to the other are refused; the others mean what they say."""

import numpy as np
import pytest

from graphs import grouped, random_arrays, residual, shuffle_v1
from pocketvision.errors import BadCut
from pocketvision.model.rewrite import cut, leading_indices, slices
from refusals import refused

WIDE, NARROW = residual(4), residual(2)
GOOD = {"image": [0, 1, 2], "stem": [0, 1], "expand": [0, 1, 2, 3], "classifier": [0, 1, 2, 3, 4]}

REFUSED = {
    "unknown space": ({**GOOD, "head": [0]}, ("'head'", "'residual_4'")),
    "missing space": ({name: kept for name, kept in GOOD.items() if name != "expand"}, ("'expand'",)),
    "too large": ({**GOOD, "stem": [0, 4]}, ("'stem'", "0 to 3", "names 4")),
    "negative": ({**GOOD, "stem": [0, -1]}, ("'stem'", "0 to 3", "names -1")),
    "twice": ({**GOOD, "stem": [1, 1]}, ("'stem'", "twice")),
    "too few": ({**GOOD, "stem": [1]}, ("'stem'", "2 channels", "project makes #0, stem makes #0", "keeps 1")),
}


@pytest.mark.parametrize("what", REFUSED)
def test_lists_that_do_not_fit_are_refused(what):
    indices, named = REFUSED[what]
    with refused(BadCut, *named):
        cut(random_arrays(WIDE), WIDE, NARROW, indices)


def test_as_many_channels_but_of_another_part_are_refused():
    wide, narrow = grouped(4, 2), grouped(2, 2)
    indices = {**leading_indices(wide, narrow), "stem": [0, 1]}
    with refused(BadCut, "'stem'", "1 channels", "grouped reads #0, stem makes #0", "keeps 2"):
        slices(wide, narrow, indices)


def test_leading_indices_take_the_first_of_every_part():
    assert leading_indices(WIDE, NARROW) == GOOD
    wide, narrow = grouped(4, 2), grouped(2, 2)
    assert leading_indices(wide, narrow)["stem"] == [0, 2]
    assert leading_indices(wide, narrow)["grouped"] == [0, 1, 4, 5]
    assert leading_indices(shuffle_v1(6, 2), shuffle_v1(4, 2))["squeeze"] == [0, 2, 3, 4]


def test_rows_and_columns_follow_the_lists():
    arrays = random_arrays(WIDE)
    taken = cut(arrays, WIDE, NARROW, {**GOOD, "stem": [3, 1], "expand": [7, 0, 2, 5], "classifier": [4, 3, 2, 1, 0]})
    stem, expand = [3, 1], [7, 0, 2, 5]
    for name, expected in {
        "stem.conv.weight": arrays["stem.conv.weight"][stem],
        "stem.bn.running_var": arrays["stem.bn.running_var"][stem],
        "expand.conv.weight": arrays["expand.conv.weight"][expand][:, stem],
        "depthwise.conv.weight": arrays["depthwise.conv.weight"][expand],
        "project.conv.weight": arrays["project.conv.weight"][stem][:, expand],
        "classifier.weight": arrays["classifier.weight"][::-1][:, stem],
        "classifier.bias": arrays["classifier.bias"][::-1],
    }.items():
        np.testing.assert_array_equal(taken[name], expected)


def test_a_grouped_convolution_reads_other_columns_in_each_group():
    wide, narrow = grouped(8, 2), grouped(4, 2)
    arrays = random_arrays(wide)
    indices = {**leading_indices(wide, narrow), "stem": [3, 0, 5, 6], "grouped": [1, 2, 4, 7, 15, 8, 9, 10]}
    weight = arrays["grouped.conv.weight"]
    expected = np.concatenate([weight[[1, 2, 4, 7]][:, [3, 0]], weight[[15, 8, 9, 10]][:, [1, 2]]])
    np.testing.assert_array_equal(cut(arrays, wide, narrow, indices)["grouped.conv.weight"], expected)


def test_a_cut_does_not_share_memory_with_the_wide_arrays():
    arrays = random_arrays(WIDE)
    for name, array in cut(arrays, WIDE, NARROW, GOOD).items():
        assert not np.shares_memory(array, arrays[name])
