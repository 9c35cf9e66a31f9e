"""The promise: every published cost that a family claims is met to the last digit, and no cost falls as a network grows."""

import pytest

from graphs import FAMILY_NAMES
from pocketvision.cost.count import count
from pocketvision.model.families import FAMILIES
from pocketvision.model.resolve import resolve


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_claims_something_and_meets_it_exactly(family):
    claims = FAMILIES[family].claims
    assert claims
    for claim in claims:
        cost = count(resolve(family, claim.width, claim.resolution, claim.classes))
        assert (cost.params, cost.macs) == (claim.params, claim.macs), (claim.width, claim.resolution, claim.source)


def test_costs_never_fall_with_width(family):
    known = FAMILIES[family].widths
    costs = [count(resolve(family, width)) for width in known or [i / 20 for i in range(1, 31)]]
    assert [c.macs for c in costs] == sorted(c.macs for c in costs)
    assert [c.params for c in costs] == sorted(c.params for c in costs)
    assert costs[0].macs < costs[-1].macs / 10


def test_macs_never_fall_with_resolution_and_params_stay(family):
    costs = [count(resolve(family, 0.5, resolution)) for resolution in range(16, 257, 5)]
    assert [c.macs for c in costs] == sorted(c.macs for c in costs)
    assert len({c.params for c in costs}) == 1
    assert costs[0].macs < costs[-1].macs / 10
