"""Union-find: what belongs together, from pairs that do."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def connected(pairs: Iterable[tuple[Node, Node]]) -> list[list[Node]]:
    """Return the connected components of a graph; they and their nodes come in the order of their first appearance.

    Args:
        pairs: the edges; one from a node to itself makes it known.

    >>> connected([(0, 4), (2, 3), (7, 4), (9, 9)])
    [[0, 4, 7], [2, 3], [9]]
    """
    above: dict[Node, Node] = {}

    def top(node: Node) -> Node:
        while (parent := above.setdefault(node, node)) != node:
            above[node] = node = above[parent]  # halves the path for the next time
        return node

    for left, right in pairs:
        first = top(left)
        above[top(right)] = first
    members: dict[Node, list[Node]] = defaultdict(list)
    for node in above:
        members[top(node)].append(node)
    return list(members.values())
