"""The list of families, for people and as JSON."""

import json

import pytest

from commandline import pocketvision
from pocketvision.choose.figures import published_figures
from pocketvision.model.families import FAMILIES
from pocketvision.model.published import PUBLISHED


@pytest.fixture(scope="module")
def listed():
    """The JSON list by name."""
    return {family["name"]: family for family in json.loads(pocketvision("models", "--json").out)}


def test_the_list_has_a_line_for_each_family():
    header, *lines = pocketvision("models").out.splitlines()
    assert header.split() == ["family", "resolution", "parameters", "multiply-adds", "top-1", "weights"]
    assert [line.split()[0] for line in lines] == list(FAMILIES)
    found = {line.split()[0]: line.split()[1:] for line in lines}
    assert found["mobilenet_v1"] == ["224", "4,231,976", "568,740,352", "70.9", "%", "4"]
    assert found["mobilenet_v1_relu"][-2:] == ["-", "-"]
    assert found["effnet"][-2:] == ["-", "-"], "its figure is of CIFAR-10"


def test_json_says_all_that_is_known(listed):
    assert list(listed) == list(FAMILIES)
    for name, family in FAMILIES.items():
        content = listed[name]
        assert list(content) == [
            *("name", "title", "source", "resolution", "min_resolution", "widths", "params", "macs"),
            *("published", "weights", "claims"),
        ]
        assert (content["title"], content["source"]) == (family.title, family.source)
        assert (content["resolution"], content["min_resolution"]) == (family.resolution, family.min_resolution)
        assert [claim["macs"] for claim in content["claims"]] == [claim.macs for claim in family.claims]
        figures = published_figures().get(name, ())
        assert [figure["top1"] for figure in content["published"]] == [figure.top1 for figure in figures]
        known = [weights.name for weights in PUBLISHED if weights.family == name]
        assert [weights["name"] for weights in content["weights"]] == known


def test_what_json_says_of_one_family(listed):
    family = listed["shufflenet_v2"]
    assert family["widths"] == [0.5, 1.0, 1.5, 2.0] and listed["mobilenet_v2"]["widths"] is None
    assert family["published"][0] == {
        "width": 0.5,
        "resolution": 224,
        "data": "ImageNet",
        "top1": 60.552,
        "source": "torchvision ShuffleNet_V2_X0_5 IMAGENET1K_V1",
    }
    assert family["weights"][0] == {
        "name": "torchvision/shufflenet_v2_x0_5.IMAGENET1K_V1",
        "width": 0.5,
        "resolution": 224,
        "top1": 60.552,
        "origin": "torchvision",
    }
    assert family["claims"][1] == {
        "width": 1.0,
        "resolution": 224,
        "classes": 1000,
        "params": 2_278_604,
        "macs": 144_907_992,
        "source": "torchvision's own figures: 2,278,604 parameters, 145 million",
    }
    assert listed["effnet"]["published"][0]["data"] == "CIFAR-10" and listed["effnet"]["claims"][0]["classes"] == 10
