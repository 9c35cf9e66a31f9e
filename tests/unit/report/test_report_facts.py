"""What the report is made of: gathered from a run's own values, and written so that it can be read again."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from assessments import assessed
from graphs import small
from photographs import crop, jpeg, turned
from pocketvision.cost.budget import Budget
from pocketvision.cost.count import count
from pocketvision.data.dataset import Dataset, Sample
from pocketvision.jobs.runs.log import read_epochs
from pocketvision.report.facts import Facts
from pocketvision.report.gather import clean, least_sure, thumbnail, worst_mistakes
from pocketvision.run.metrics import expected_calibration_error, softmax, topk
from reports import HOSTILE, epochs, images, made_facts, made_logits


def test_facts_are_the_same_after_writing_and_reading():
    facts = made_facts(
        findings=[{"kind": "k", "severity": "note", "key": HOSTILE, "sentence": "s", "others": [HOSTILE]}]
    )
    assert Facts.model_validate_json(facts.to_json()) == facts
    assert facts.data.findings[0].subject == HOSTILE


def test_confusion_classes_and_score_say_the_same():
    facts = made_facts(classes=4, each=30)
    assert sum(n for *_, n in facts.confusion) == sum(c.images for c in facts.classes) == facts.score.images == 60
    right = sum(n for truth, answer, n in facts.confusion if truth == answer)
    assert right == sum(c.right for c in facts.classes)
    assert right / 60 == pytest.approx(facts.score.top1, abs=1e-6)
    for number, found in enumerate(facts.classes):
        assert found.answered == sum(n for _, answer, n in facts.confusion if answer == number)


@pytest.mark.parametrize("temperature", ["before", "after"])
def test_the_curve_gives_the_calibration_error(temperature):
    facts = made_facts(classes=4, each=30)
    bins = getattr(facts.calibration, temperature)
    error = sum(b.images * abs(b.accuracy - b.confidence) for b in bins) / facts.score.images
    known = facts.score.ece if temperature == "after" else facts.score.ece_uncalibrated
    assert error == pytest.approx(known, abs=1e-6)
    assert all(b.images > 0 for b in bins)


def test_the_surest_mistakes_come_first_and_none_of_them_is_right():
    labels = images(4, 30).labels
    logits = made_logits(labels, 4, skill=1.0)
    probabilities = softmax(logits)
    found = assessed(logits, labels)
    rows = worst_mistakes(found)
    assert len(rows) == 12
    assert topk(logits[rows], labels[rows], 1) == 0
    wrong = probabilities[probabilities.argmax(1) != labels].max(1)
    assert probabilities[rows].max(1).tolist() == sorted(wrong, reverse=True)[:12]
    assert probabilities[least_sure(found)].max(1).tolist() == sorted(probabilities.max(1))[:12]
    assert expected_calibration_error(probabilities, labels) > 0


def test_no_mistake_and_few_images():
    facts = made_facts(classes=2, each=4, skill=50.0)
    assert (facts.mistakes, len(facts.unsure), facts.score.top1) == ((), 4, 1.0)


def test_pictures_name_their_image():
    facts = made_facts()
    for picture in (*facts.mistakes, *facts.unsure):
        number = int(picture.key.removeprefix(f"{HOSTILE}/").removesuffix(".png"))
        assert picture.truth == facts.labels[number % 3]
        assert (picture.width, picture.height, picture.form) == (28, 20, "png")


def test_a_thumbnail_is_upright_small_and_without_exif(tmp_path):
    paths = []
    for number, form in enumerate((jpeg, turned)):
        suffix, content = form(crop("rocket", 1))
        paths.append(tmp_path / f"{number}{suffix}")
        paths[-1].write_bytes(content)
    dataset = Dataset("photos", ("a", "b"), (Sample("0", 0), Sample("1", 1)), tuple(paths))
    shown = [thumbnail(dataset, index) for index in range(2)]
    plain, upright = (Image.open(io.BytesIO(base64.b64decode(picture["base64"]))) for picture in shown)
    assert plain.size == upright.size == (shown[0]["width"], shown[0]["height"])
    assert max(plain.size) == 96
    assert np.abs(np.asarray(plain, int) - np.asarray(upright, int)).mean() < 6
    assert not upright.getexif()


def test_an_image_that_has_gone_has_no_picture(tmp_path):
    gone = Dataset("photos", ("a", "b"), (Sample("0", 0), Sample("1", 1)), (tmp_path / "0.png", tmp_path / "1.png"))
    assert thumbnail(gone, 0) == {}


def test_costs_are_those_of_count():
    facts = made_facts()
    cost = count(small("mobilenet_v1", classes=3))
    assert (facts.params, facts.macs) == (cost.params, cost.macs)
    assert sum(layer.params for layer in facts.layers) == cost.params
    assert sum(layer.macs for layer in facts.layers) == cost.macs
    assert [layer.dead for layer in facts.layers if "depthwise" in layer.name] == 13 * [0]


def test_a_budget_for_another_device_has_no_latency_of_this_one():
    there = made_facts(budget=Budget(latency_ms=0.2, size_mb=1), is_here=False)
    assert {limit.name: limit.spent for limit in there.budget} == {"latency_ms": None, "size_mb": 0.95}
    here = made_facts(budget=Budget(latency_ms=0.2))
    assert here.budget[0].spent == pytest.approx(0.1234 + 0.0123)
    assert not there.choice.is_here and here.choice.is_here


def test_epochs_are_read_from_the_log_and_a_repeated_one_counts_once(tmp_path):
    first, second, again = *epochs(2), epochs(3)[1]
    lines = [{"event": "note", "text": "…"}, *({"event": "epoch", **vars(e)} for e in (first, second, again))]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert read_epochs(tmp_path) == [first, again]


def test_names_that_are_no_unicode_can_be_written():
    assert clean("caf\udce9").encode() == b"caf\\udce9"


@pytest.mark.parametrize("change", [{"version": 2}, {"mistakes": [{"base64": '"><script>'}]}, {"score": None}])
def test_other_documents_are_refused(change):
    content = json.loads(made_facts().to_json()) | change
    with pytest.raises(ValidationError):
        Facts.model_validate_json(json.dumps(content))
