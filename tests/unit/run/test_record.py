import json
from dataclasses import asdict

import numpy as np
import pytest
from onnx import helper

from pocketvision.errors import BadArtifact
from pocketvision.run.goldens import make_goldens
from pocketvision.run.preprocessing import Preprocessing
from pocketvision.run.record import METADATA_KEY, Record, record_of

LOGITS = np.random.default_rng(0).normal(0, 3, (4, 10)).astype(np.float32)
RECORD = Record(
    task="classification",
    labels=("猫", 'a "quoted" one', "\n"),
    resolution=32,
    channels=3,
    preprocessing=Preprocessing(mode="letterbox", fill=7),
    model={"name": "mobilenet_v1_w0.25_r32", "width": 0.25},
    metrics={"test": {"top1": 0.9}, "data": {"fingerprint": "abc"}},
    temperature=1.5,
    unknown_threshold=0.3,
    provenance={"seed": 0, "options": {"minutes": None}},
    goldens=make_goldens(LOGITS),
    latencies=({"device": "pi5", "ms": 3.25},),
    digests={"nodes": "00ff"},
)


def file_with(metadata):
    model = helper.make_model(helper.make_graph([], "empty", [], []))
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def test_round_trip():
    text = RECORD.to_json()
    again = Record.from_json(text)
    assert again == RECORD
    assert again.to_json() == text
    assert record_of(file_with({METADATA_KEY: text, "other": "x"})) == RECORD
    assert "猫" in text and "\n" not in text


def changed(**changes):
    return json.dumps(json.loads(RECORD.to_json()) | changes)


def without(key):
    content = json.loads(RECORD.to_json())
    del content[key]
    return json.dumps(content)


TRY = " Try: a file that pocketvision fit wrote"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            changed(version=2),
            "the file's record has version 2; this release reads version 1. Try: pip install --upgrade pocketvision",
        ),
        (
            "{}",
            "the file's record has version None; this release reads version 1. Try: pip install --upgrade pocketvision",
        ),
        ("", "the file's record cannot be read: Expecting value: line 1 column 1 (char 0)." + TRY),
        ("[]", "the file's record cannot be read: 'list' object has no attribute 'get'." + TRY),
        (without("goldens"), "the file's record cannot be read: it has no 'goldens'." + TRY),
        (without("labels"), "the file's record cannot be read: it has no 'labels'." + TRY),
        (changed(labels=3), "the file's record cannot be read: 'int' object is not iterable." + TRY),
    ],
)
def test_what_is_no_record(text, message):
    with pytest.raises(BadArtifact) as caught:
        Record.from_json(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (without("task"), "'task'"),
        (changed(surprise=1), "'surprise'"),
        (changed(goldens=asdict(RECORD.goldens) | {"surprise": 1}), "'surprise'"),
        (changed(preprocessing=Preprocessing().to_json() | {"mode": "stretch"}), "'stretch'"),
        ("[" * 200_000, "recursion"),
    ],
)
def test_the_odd_entry_is_named(text, word):
    with pytest.raises(BadArtifact) as caught:
        Record.from_json(text)
    assert word in str(caught.value)


def test_a_file_without_a_record():
    with pytest.raises(BadArtifact) as caught:
        record_of(file_with({"other": "x"}))
    assert str(caught.value) == (
        "the file is an ONNX model without a pocketvision record, so its labels and preprocessing are unknown." + TRY
    )
