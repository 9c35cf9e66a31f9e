"""The promise: every layer of every family can be explained, and each equation gives, worked out, what `count` counts."""

import math

import pytest

from graphs import nearest_width
from pocketvision.cost.count import count
from pocketvision.explain import explain
from pocketvision.explain.layer import KINDS, blocks_of
from pocketvision.explain.page import MACS
from pocketvision.model.blocks import BLOCKS
from pocketvision.model.families import FAMILIES
from pocketvision.model.resolve import resolve


def worked_out(numbers):
    """The value of an equation with its numbers put in."""
    return eval(numbers.replace(",", "").replace("^", "**"), {"sqrt": math.sqrt})  # noqa: S307


def equations_of(explanation):
    return [equation for section in explanation.sections for equation in section.equations]


def test_every_kind_of_block_has_an_explanation():
    assert set(KINDS) == set(BLOCKS)


def test_every_layer(family):
    width, resolution = nearest_width(family, 0.5), 48
    graph = resolve(family, width, resolution)
    cost = count(graph)
    for number, block in enumerate(blocks_of(FAMILIES[family], width)):
        explanation = explain(family, number, width, resolution)
        assert (explanation.network, explanation.block) == (graph.name, block.name)
        assert explanation.block == (f"block{number}" if number else "stem")
        own = [op for op in cost.ops if op.block == block.name]
        assert explanation.macs == sum(op.macs for op in own)
        assert explanation.weights == sum(op.weights for op in own)
        check_equations(explanation, {op.macs for op in own if op.macs})


def check_equations(explanation, macs):
    """Each is right, no letter is left in its numbers, and every convolution's multiply-adds are among the results."""
    equations = equations_of(explanation)
    for equation in equations:
        if equation.numbers:
            assert worked_out(equation.numbers) == pytest.approx(equation.result, rel=1e-12), equation
    totals = [equation.result for equation in equations if equation.unit == MACS]
    assert explanation.macs in totals
    assert macs <= set(totals)


def test_letters_are_those_of_the_equations(family):
    """None is used without being listed, and none listed without being used."""
    for number in range(len(blocks_of(FAMILIES[family], 1.0))):
        explanation = explain(family, number, 1.0, 64)
        listed = {letter.symbol for letter in explanation.letters}
        words = " ".join(equation.symbols for equation in equations_of(explanation))
        words += " ".join(
            sentence for section in explanation.sections for sentence in (*section.before, *section.after)
        )
        used = set(
            words.replace("^2", "").replace("(", " ").replace(")", " ").replace("/", " ").replace(",", " ").split()
        )
        assert listed <= used, (family, number, listed - used)
