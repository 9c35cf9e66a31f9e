"""pocketvision explain: text for people, the same as JSON; mistakes on stderr."""

import json
import re

import pytest

from commandline import pocketvision
from pocketvision.errors import BadOption, UsageError
from refusals import complained

SHOWN = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.])")


def numbers_of(content):
    """Every number of a JSON document, as the text would print it."""
    if isinstance(content, dict | list):
        inner = content.values() if isinstance(content, dict) else content
        return {number for each in inner for number in numbers_of(each)}
    if isinstance(content, str):
        return set(SHOWN.findall(content))
    if isinstance(content, float):
        return {f"{content:.3f}", f"{content:,.0f}"}
    return set() if content is None else {f"{content:,}", str(content)}


@pytest.mark.parametrize(
    "words",
    [
        "mobilenet_v1 --layer 7",
        "mobilenet_v2 --width 0.35 --resolution 96",
        "mobilenet_v4_conv_medium --layer 1",
        "shufflenet_v2 --layer 2 --width 0.5",
        "squeezenet1_1",
        "effnet",
    ],
)
def test_json_holds_every_number_of_the_text(words):
    text, content = pocketvision("explain", *words.split()), pocketvision("explain", *words.split(), "--json")
    assert (text.code, text.err, content.code, content.err) == (0, "", 0, "")
    printed = set(SHOWN.findall(text.out))
    assert len(printed) > 20
    assert printed <= numbers_of(json.loads(content.out))


def test_json_names_the_layer():
    content = json.loads(pocketvision("explain", "mobilenet_v1", "--json").out)
    named = {
        key: content[key] for key in ("family", "network", "layer", "block", "kind", "entering", "macs", "weights")
    }
    assert named == {
        "family": "mobilenet_v1",
        "network": "mobilenet_v1_w1.00_r224",
        "layer": 7,
        "block": "block7",
        "kind": "depthwise separable convolution",
        "entering": [512, 14, 14],
        "macs": 52_283_392,
        "weights": 266_752,
    }
    assert content["letters"][1] == {"symbol": "M", "value": 512, "meaning": "channels in"}


def test_show_and_explain_agree():
    ops = json.loads(pocketvision("show", "mobilenet_v2", "--json").out)["ops"]
    explained = json.loads(pocketvision("explain", "mobilenet_v2", "--layer", 8, "--json").out)
    assert explained["macs"] == sum(op["macs"] for op in ops if op["block"] == "block8")


def test_lines_are_not_too_long_for_a_terminal_of_120_columns():
    for family in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v4_conv_small", "xception", "shufflenet_v2"):
        assert max(map(len, pocketvision("explain", family).out.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "kind", "named", "attempt"),
    [
        ("mobilenet_v1 --layer 14", BadOption, ("mobilenet_v1", "layer 14", "1 to 13"), "--layer 13"),
        ("squeezenet1_1 --layer 9", BadOption, ("squeezenet1_1", "layer 9", "1 to 8"), "--layer 8"),
        ("", UsageError, ("'family'",), "pocketvision explain --help"),
    ],
)
def test_errors(words, kind, named, attempt):
    complained(pocketvision("explain", *words.split()), kind, *named, attempt=attempt)
