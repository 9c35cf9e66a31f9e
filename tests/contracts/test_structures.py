"""The promise: the few families that the other contracts are tested with are made of all that any family is made of."""

import inspect

from graphs import CUTS, FAMILY_NAMES, FEW, HAND_MADE, STRUCTURES, kinds_of, small, structures
from pocketvision.model import rows
from pocketvision.model.blocks import BLOCKS
from pocketvision.model.families import FAMILIES

BASES = (rows.Row, rows.Wide, rows.Block)


def kind_of_op(op):
    """Its type, the activation in or behind it, and whether it filters channel by channel."""
    return (type(op), *(getattr(op, name, None) for name in ("activation", "kind", "is_depthwise")))


def kinds_of_ops(names):
    return {kind_of_op(op) for name in names for op in small(name).ops}


def test_every_kind_of_row_is_among_them():
    every = frozenset().union(*(kinds_of(family) for family in FAMILIES.values()))
    assert frozenset().union(*(kinds_of(FAMILIES[name]) for name in STRUCTURES)) == every


def test_every_type_of_row_is_in_some_family_and_every_block_among_them():
    types = {kind for _, kind in inspect.getmembers(rows, inspect.isclass) if issubclass(kind, rows.Row)}
    used = {type(row) for name in STRUCTURES for row in FAMILIES[name].rows}
    assert used == types - set(BASES)
    assert set(BLOCKS) <= used


def test_every_kind_of_op_is_among_them():
    assert kinds_of_ops(STRUCTURES) == kinds_of_ops(FAMILY_NAMES)


def test_none_of_them_could_be_left_out():
    for name in STRUCTURES:
        others = [FAMILIES[other] for other in STRUCTURES if other != name]
        assert kinds_of(FAMILIES[name]) - frozenset().union(*map(kinds_of, others)), name


def test_a_new_kind_of_row_brings_a_structure():
    """Families with the same kinds of rows need one of them; a row that differs needs its own."""
    v1, relu, standard = (FAMILIES[f"mobilenet_v1{ending}"] for ending in ("", "_relu", "_standard"))
    assert structures((v1, relu)) == (v1.name,)
    assert structures((standard, v1)) == (v1.name,), "its rows hold those of the other"
    assert structures((v1, FAMILIES["effnet"])) == (v1.name, "effnet")


def test_the_few_are_among_the_families_and_hand_made_graphs_are_of_none():
    assert set(FEW) <= set(FAMILIES) and len(FEW) == 3
    assert all(graph.options is None for name in HAND_MADE for graph in CUTS[name]())
