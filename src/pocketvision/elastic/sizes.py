"""The sizes that one elastic network is trained for: every width at every resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pocketvision.errors import BadOption
from pocketvision.model.families import find_family
from pocketvision.model.graph import Graph
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import can_cut


@dataclass(frozen=True)
class ElasticSpace:
    """The graphs of all cuts.

    Attributes:
        graph: the largest network, whose parameters the others share.
        widths, resolutions: rising; the last ones are the largest network's.
    """

    graph: Graph
    widths: tuple[float, ...]
    resolutions: tuple[int, ...]

    @classmethod
    def below(cls, graph: Graph, widths: Sequence[float], resolutions: Sequence[int]) -> "ElasticSpace":
        """Return the space of a network: those of these widths and resolutions that are below its own, and its own.

        For a family with listed widths, only listed ones; for one with shuffles, only those that can be cut out of its own.

        Raises:
            BadOption: a width or resolution is not above 0.
        """
        for name, value in [("width", min(widths, default=1)), ("resolution", min(resolutions, default=1))]:
            if value <= 0:
                raise BadOption(f"each elastic {name} must be above 0; got {value:g}.", f"{name}s above 0")
        top_width, top_resolution = graph.source.width, graph.source.resolution
        known = find_family(graph.source.family).widths or widths
        lower = {width for width in widths if width < top_width and width in known}
        options = graph.source._asdict()
        lower = {width for width in lower if can_cut(graph, resolve(**options | {"width": width}))}
        return cls(
            graph,
            tuple(sorted(lower | {top_width})),
            tuple(sorted({side for side in resolutions if side < top_resolution} | {top_resolution})),
        )

    def cut(self, width: float, resolution: int) -> Graph:
        """Return the graph of one cut: all options but these two are the largest network's."""
        return self._cuts[width, resolution]

    @cached_property
    def _cuts(self) -> dict[tuple[float, int], Graph]:
        options = self.graph.source._asdict()
        return {
            (width, side): resolve(**options | {"width": width, "resolution": side})
            for width in self.widths
            for side in self.resolutions
        }

    @property
    def graphs(self) -> list[Graph]:
        """All cuts, the narrowest and smallest first, the largest network last."""
        return list(self._cuts.values())
