"""The sizes of an elastic network."""

import pytest

from graphs import small
from pocketvision.elastic.sizes import ElasticSpace
from pocketvision.errors import BadOption
from refusals import refused


def test_sizes_above_the_largest_network_are_left_out():
    space = ElasticSpace.below(small("mobilenet_v1", 0.5, 32), (0.25, 0.75, 0.5, 0.25), (24, 64))
    assert (space.widths, space.resolutions) == ((0.25, 0.5), (24, 32))
    names = [graph.name for graph in space.graphs]
    assert names == [f"mobilenet_v1_w{w}_r{r}" for w in ("0.25", "0.50") for r in (24, 32)]
    assert space.graphs[-1] == space.graph == space.cut(0.5, 32)


def test_all_other_options_are_the_largest_networks():
    large = small("mobilenet_v2", 0.5, 32, output_stride=8, thin_head=True, in_channels=1)
    cut = ElasticSpace.below(large, (0.25,), (24,)).cut(0.25, 24)
    assert cut.options == large.options._replace(width=0.25, resolution=24)


@pytest.mark.parametrize(
    ("widths", "sides", "named"), [((0.0,), (24,), ("width", "got 0")), ((0.25,), (-8,), ("resolution", "got -8"))]
)
def test_sizes_out_of_range(widths, sides, named):
    with refused(BadOption, *named):
        ElasticSpace.below(small("mobilenet_v1"), widths, sides)
