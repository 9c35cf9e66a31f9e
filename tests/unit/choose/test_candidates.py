from math import ceil

import pytest

from pocketvision.choose import candidates
from pocketvision.choose.candidates import ENOUGH_EPOCHS, SMALL, Asked, list_candidates, pick
from pocketvision.cost.count import count

ASKED = Asked(classes=10, in_channels=3)
STEPS = 5


def sizes(graphs):
    return [graph.options.resolution for graph in graphs]


def macs(graphs):
    return [count(graph).macs for graph in graphs]


@pytest.mark.parametrize("short_side", [8, 28, 32, SMALL, SMALL + 1, 150, 4000])
def test_candidates_suit_the_images(short_side):
    graphs = list_candidates(ASKED, short_side)
    assert macs(graphs) == sorted(macs(graphs)) and len({graph.name for graph in graphs}) == len(graphs)
    for graph in graphs:
        assert graph.image == (3, graph.options.resolution, graph.options.resolution)
        assert graph.options.classes == 10
        last = graph.shape_of(graph.features[-1])
        assert 2 <= last.height <= 8
    if short_side <= SMALL:  # their own size, or a little more
        assert len(set(sizes(graphs))) == 1
        assert short_side <= sizes(graphs)[0] <= max(16, ceil(short_side * 1.3))
    else:  # nothing is invented by enlarging, but for the smallest resolution
        smallest = min(candidates.PHOTO_RESOLUTIONS)
        assert {r for r in sizes(graphs) if r > short_side} <= {smallest}
        assert smallest in sizes(graphs)


def test_larger_photographs_have_more_candidates():
    few, many = (list_candidates(ASKED, side) for side in (100, 300))
    assert {graph.name for graph in few} < {graph.name for graph in many}


@pytest.mark.parametrize(
    ("name", "value"), [("width", 0.35), ("resolution", 144), ("family", "mobilenet_v1_relu"), ("output_stride", 16)]
)
@pytest.mark.parametrize("short_side", [32, 300])
def test_what_is_fixed_stays(name, value, short_side):
    graphs = list_candidates(Asked(classes=3, in_channels=1, **{name: value}), short_side)
    assert {getattr(graph.options, name) for graph in graphs} == {value}
    assert all(graph.image.channels == 1 for graph in graphs)


def test_all_fixed_leaves_one():
    asked = Asked(classes=3, in_channels=3, family="mobilenet_v1", width=0.5, resolution=64, output_stride=8)
    (graph,) = list_candidates(asked, 500)
    assert graph.options[:3] == ("mobilenet_v1", 0.5, 64) and graph.options.output_stride == 8


GRAPHS = list_candidates(ASKED, 32)


def step_times(*seconds):
    """A measurement that knows these networks only, in this order."""
    waiting = list(zip(GRAPHS, seconds, strict=False))

    def measure(graph):
        expected, found = waiting.pop(0)
        assert graph is expected, "from the smallest on"
        return found

    return measure


def enough(step_seconds):
    return ENOUGH_EPOCHS * STEPS * step_seconds


def test_with_time_for_all_the_largest_is_taken():
    times = [1.0 + i for i in range(len(GRAPHS))]
    best = pick(GRAPHS, step_times(*times), STEPS, enough(times[-1]))
    assert best.graph is GRAPHS[-1] and best.step_seconds == times[-1]
    assert best.reason == f"the largest of {len(GRAPHS)} sizes that has time for {ENOUGH_EPOCHS} epochs"


def test_no_more_are_measured_than_needed():
    best = pick(GRAPHS, step_times(1.0, 2.0, 3.0), STEPS, enough(2.5))
    assert best.graph is GRAPHS[1] and best.step_seconds == 2.0
    assert best.reason == f"the largest of {len(GRAPHS)} sizes that has time for {ENOUGH_EPOCHS} epochs"


def test_where_none_fits_the_smallest_is_taken():
    best = pick(GRAPHS, step_times(1.0), STEPS, 0.9 * enough(1.0))
    assert best.graph is GRAPHS[0] and best.step_seconds == 1.0
    assert best.reason == f"the smallest of {len(GRAPHS)} sizes; the time is short for any"


def test_without_a_time_the_middle_is_taken_and_nothing_measured():
    best = pick(GRAPHS, step_times(), STEPS, None)
    assert best.graph is GRAPHS[(len(GRAPHS) - 1) // 2] and best.step_seconds is None
    assert best.reason == f"the middle one of {len(GRAPHS)} sizes"
    assert pick(GRAPHS[:1], step_times(), STEPS, None).reason == "the only one that was asked for"
