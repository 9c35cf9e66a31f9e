"""The promise: every published cost that a family claims is met to the last digit, and no cost falls as a network grows."""

import pytest

from pocketvision.cost.count import count
from pocketvision.model.families import FAMILIES
from pocketvision.model.resolve import resolve

CLAIMS = [(family.name, claim) for family in FAMILIES.values() for claim in family.claims]


def test_every_family_claims_something(family):
    assert FAMILIES[family].claims


@pytest.mark.parametrize(
    ("name", "claim"), CLAIMS, ids=lambda x: x if isinstance(x, str) else f"{x.width}-{x.resolution}"
)
def test_claim_is_met_exactly(name, claim):
    cost = count(resolve(name, claim.width, claim.resolution, claim.classes))
    assert (cost.params, cost.macs) == (claim.params, claim.macs), claim.source


def test_costs_never_fall_with_width(family):
    known = FAMILIES[family].widths
    costs = [count(resolve(family, width)) for width in known or [i / 40 for i in range(1, 61)]]
    assert [c.macs for c in costs] == sorted(c.macs for c in costs)
    assert [c.params for c in costs] == sorted(c.params for c in costs)
    assert costs[0].macs < costs[-1].macs / 10


def test_macs_never_fall_with_resolution_and_params_stay(family):
    costs = [count(resolve(family, 0.5, resolution)) for resolution in range(16, 257, 3)]
    assert [c.macs for c in costs] == sorted(c.macs for c in costs)
    assert len({c.params for c in costs}) == 1
    assert costs[0].macs < costs[-1].macs / 10
