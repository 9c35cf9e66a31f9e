"""The promise: counted memory follows the maps: four times as much at twice the resolution, never less than an op needs."""

import pytest

from graphs import CUTS, FEW, HAND_MADE, small
from pocketvision.cost.count import count
from pocketvision.cost.memory import IN_PLACE, live_bytes


def check_growth(graph, twice_as_large):
    """Not exactly fourfold, since maps of odd sides are rounded up; weights stay."""
    is_odd, is_unpadded = graph.image.height % 2, graph.name.startswith("xception")
    once, twice = count(graph), count(twice_as_large)
    least, most = 3.2 if is_odd else 3.5, 5.2 if is_unpadded and graph.image.height < 112 else 4.5
    assert least <= twice.peak_activation_bytes / once.peak_activation_bytes <= most
    assert twice.weight_bytes == once.weight_bytes


@pytest.mark.parametrize("resolution", [33, 112])
def test_peak_memory_grows_fourfold_with_twice_the_resolution(resolution, family):
    check_growth(*(small(family, resolution=side) for side in (resolution, 2 * resolution)))


@pytest.mark.parametrize("width", [0.5, 1.0])
@pytest.mark.parametrize("family", FEW)
def test_it_grows_so_at_other_widths(width, family):
    for resolution in (32, 48):
        check_growth(*(small(family, width, side) for side in (resolution, 2 * resolution)))


def check_each_op_fits(graph):
    """What an op reads and makes is alive while it runs; an op in place makes its output where an input was."""
    cost = count(graph)
    bytes_of = {op.name: op.activation_bytes for op in cost.ops}
    bytes_of["image"] = graph.image.channels * graph.image.height * graph.image.width
    for op, counted in zip(graph.ops, cost.ops, strict=True):
        read = sum(bytes_of[name] for name in set(op.inputs))
        made = 0 if isinstance(op, IN_PLACE) else bytes_of[op.name]
        assert counted.activation_bytes > 0
        assert counted.live_bytes >= max(read + made, bytes_of[op.name])
    assert cost.peak_activation_bytes == max(live_bytes(graph))
    assert cost.memory_mb * 1e6 == pytest.approx(cost.weight_bytes + cost.peak_activation_bytes)


def test_each_op_has_room_for_what_it_reads_and_makes(family):
    for options in ({}, {"resolution": 33, "in_channels": 1, "output_stride": 8, "dilate": True}):
        check_each_op_fits(small(family, **options))


@pytest.mark.parametrize("name", HAND_MADE)
def test_each_op_of_hand_made_graphs_has_room(name):
    for graph in CUTS[name]():
        check_each_op_fits(graph)
