"""Channel spaces of hand-made graphs, spelled out."""

import pytest

from graphs import fire, grouped, residual, shuffle_v1, shuffle_v2, squeeze_excite, summed_concat, summed_concats
from pocketvision.model.spaces import spaces

SIZES = {
    "residual": (residual(4), {"image": 3, "stem": 4, "expand": 8, "classifier": 5}),
    "sum of a concat": (summed_concat(2), {"image": 3, "stem": 6, "head": 2, "classifier": 5}),
    "sum of two concats": (summed_concats(2, 4, 3), {"image": 3, "a": 6, "classifier": 5}),
    "grouped": (grouped(4, 2), {"image": 3, "stem": 4, "grouped": 8, "head": 4, "classifier": 5}),
    "ShuffleNetV1": (shuffle_v1(4, 2), {"image": 3, "stem": 8, "squeeze": 4, "head": 4, "classifier": 5}),
    "ShuffleNetV2": (
        shuffle_v2(2, units=1),
        {"image": 3, "stem": 4, "unit0.first": 2, "unit0.last": 2, "head": 2, "classifier": 5},
    ),
    "squeeze-excite": (squeeze_excite(4), {"image": 3, "stem": 4, "reduce": 2, "head": 4, "classifier": 5}),
    "Fire": (fire(2), {"image": 3, "squeeze": 2, "expand1": 4, "expand3": 6, "head": 2, "classifier": 5}),
}


@pytest.mark.parametrize("name", SIZES)
def test_names_and_sizes(name):
    graph, sizes = SIZES[name]
    found = spaces(graph)
    assert {space.name: space.size for space in found} == sizes
    assert list(found.by_name) == list(sizes)


def parts(graph, name):
    return {
        tuple(f"{op} {number}" for op, number in sorted(key)): positions.tolist()
        for key, positions in spaces(graph).by_name[name].parts.items()
    }


def test_a_plain_space_is_one_part():
    assert parts(residual(4), "expand") == {("expand makes 0",): [0, 1, 2, 3, 4, 5, 6, 7]}
    assert parts(residual(4), "stem") == {("project makes 0", "stem makes 0"): [0, 1, 2, 3]}


def test_branches_are_parts_of_what_they_are_added_to():
    assert parts(summed_concat(2), "stem") == {
        ("left makes 0", "stem makes 0"): [0, 1],
        ("right makes 0", "stem makes 0"): [2, 3, 4, 5],
    }


def test_spaces_that_a_later_axis_joins_become_one():
    graph = summed_concats(2, 4, 3)
    assert parts(graph, "a") == {
        ("a makes 0", "c makes 0"): [0, 1],
        ("b makes 0", "c makes 0"): [2],
        ("b makes 0", "d makes 0"): [3, 4, 5],
    }
    assert channels(graph, "c+d") == channels(graph, "sum") == [("a", i) for i in range(6)]
    assert channels(graph, "d") == [("a", 3), ("a", 4), ("a", 5)]


def test_groups_are_parts():
    assert parts(grouped(4, 2), "stem") == {
        ("grouped reads 0", "stem makes 0"): [0, 1],
        ("grouped reads 1", "stem makes 0"): [2, 3],
    }
    assert parts(grouped(4, 2), "grouped") == {("grouped makes 0",): [0, 1, 2, 3], ("grouped makes 1",): [4, 5, 6, 7]}


def test_a_shuffle_crosses_the_groups_before_it_with_those_behind_it():
    """Six channels of two groups: 0 1 2 | 3 4 5 become 0 3 1 | 4 2 5."""
    assert parts(shuffle_v1(6, 2), "squeeze") == {
        ("expand reads 0", "squeeze makes 0"): [0, 1],
        ("expand reads 1", "squeeze makes 0"): [2],
        ("expand reads 0", "squeeze makes 1"): [3],
        ("expand reads 1", "squeeze makes 1"): [4, 5],
    }


def test_pieces_are_parts():
    assert parts(shuffle_v2(2, units=1), "stem") == {
        ("stem makes 0", "unit0.split.0 0"): [0, 1],
        ("stem makes 0", "unit0.split.1 0"): [2, 3],
    }


def channels(graph, tensor):
    """(space, position) of each channel of a tensor."""
    found = spaces(graph)
    names = list(found.by_name)
    return [(names[space], position) for space, position in found.tensors[tensor].tolist()]


def test_where_the_channels_of_a_tensor_lie():
    graph = shuffle_v2(2, units=1)
    kept, made = [("stem", 0), ("stem", 1)], [("unit0.last", 0), ("unit0.last", 1)]
    assert channels(graph, "unit0.split.0") == kept
    assert channels(graph, "unit0.split.1") == [("stem", 2), ("stem", 3)]
    assert channels(graph, "unit0.depthwise") == [("unit0.first", 0), ("unit0.first", 1)]
    assert channels(graph, "unit0.concat") == kept + made
    assert channels(graph, "unit0.shuffle") == [kept[0], made[0], kept[1], made[1]]


def test_a_gate_shares_the_space_of_what_it_gates():
    graph = squeeze_excite(4)
    assert channels(graph, "excite") == channels(graph, "gated") == channels(graph, "stem")


def test_spaces_are_worked_out_once():
    graph = residual(4)
    assert spaces(graph) is spaces(graph)
    assert spaces(graph) is not spaces(residual(4))
