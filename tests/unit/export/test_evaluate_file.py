from dataclasses import replace

import numpy as np
import pytest

from pocketvision.data.dataset import Dataset, Sample
from pocketvision.data.split import split
from pocketvision.errors import BadData, BadOption
from pocketvision.events import Note, Progress
from pocketvision.export import evaluate
from pocketvision.export.evaluate import evaluate_file, file_outputs, labels_for, select_part
from pocketvision.run.predictor import Predictor
from refusals import refused


@pytest.fixture(scope="module")
def model(exported):
    return Predictor.open(exported.path, threads=1)


def dataset(exported, classes, labels, parts=None):
    parts = parts or [None] * len(labels)
    samples = tuple(Sample(f"{i}", label, part) for i, (label, part) in enumerate(zip(labels, parts, strict=True)))
    return Dataset("pets", tuple(classes), samples, exported.images[: len(labels)])


def result(generator):
    """The events of a generator, and what it returns."""
    events = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value


def test_classes_are_matched_by_name(exported, model):
    classes = sorted(exported.record.labels)
    labels = [3, 0, 9, 3, 5, 1, 2, 8]
    found = labels_for(model, dataset(exported, classes, labels))
    assert [exported.record.labels[i] for i in found] == [classes[i] for i in labels]


def test_a_class_that_the_file_does_not_know(exported, model):
    names = list(exported.record.labels)
    with refused(BadData, "'gnu'", "'pets'", "10 classes", ", ".join(names)):
        labels_for(model, dataset(exported, ["gnu", *names], [0, 1]))
    many = Predictor(model.engine, replace(model.record, labels=tuple(f"c{i}" for i in range(11))))
    with refused(BadData, "11 classes", "c0, ", ", c9 ..."):
        labels_for(many, dataset(exported, names, [0, 1]))


def test_the_files_logits_batch_by_batch(exported, model, monkeypatch):
    monkeypatch.setattr(evaluate, "TOLD_EACH", 3)
    indices = np.array([7, 1, 0, 5, 2])
    data = dataset(exported, exported.record.labels, range(8))
    batches = list(file_outputs(model, data, indices))
    logits = np.concatenate(batches)
    assert [len(batch) for batch in batches] == [3, 2]
    events, _ = result(evaluate_file(model, data, indices, "test"))
    assert events == [Progress("evaluating", 3, 5), Progress("evaluating", 5, 5)]
    np.testing.assert_allclose(logits, exported.logits(exported.images[indices]), rtol=1e-4, atol=1e-4)


def test_a_file_is_judged_by_names(exported, model):
    names = exported.record.labels
    best = exported.logits(exported.images).argmax(1)
    classes = sorted(names)
    labels = [classes.index(names[i]) for i in best]
    labels[3] = (labels[3] + 1) % 10  # one wrong
    _, found = result(evaluate_file(model, dataset(exported, classes, labels), np.arange(8), "all"))
    assert (found.images, found.top1, found.part) == (8, 7 / 8, "all")
    _, found = result(evaluate_file(model, dataset(exported, classes, labels), np.array([3, 4]), "test"))
    assert found.top1 == 1 / 2


def many(parts=None, n=60):
    images = np.random.default_rng(1).integers(0, 256, (n, 4, 4), np.uint8)
    parts = parts or [None] * n
    return Dataset("pets", ("a", "b"), tuple(Sample(f"{i}", i % 2, part) for i, part in enumerate(parts)), images)


def selected(exported, data, part, own=False):
    fingerprint = data.fingerprint() if own else "of other data"
    record = replace(exported.record, metrics={"data": {"fingerprint": fingerprint}})
    indices, name = select_part(record, data, part)
    return indices.tolist(), name


def test_the_files_own_data_are_split_again(exported):
    data = many()
    assert selected(exported, data, "auto", own=True) == (split(data).test.tolist(), "test")


def test_other_data_count_as_a_whole(exported):
    assert selected(exported, many(), "auto") == (list(range(60)), "all")
    no_test = many(["train", "train", "validation"] * 20)
    assert selected(exported, no_test, "auto") == (list(range(60)), "all")
    record = replace(exported.record, metrics={})
    assert select_part(record, many(), "auto")[1] == "all"


def test_a_test_part_is_taken_where_there_is_one(exported):
    data = many(["train"] * 40 + ["test"] * 20)
    assert selected(exported, data, "auto") == (list(range(40, 60)), "test")
    assert selected(exported, data, "test", own=True) == (list(range(40, 60)), "test")


def test_data_may_hold_nothing_but_a_test_part(exported):
    assert selected(exported, many(["test"] * 60), "auto") == (list(range(60)), "test")


@pytest.mark.parametrize("given", [None, ["train"] * 40 + ["test"] * 20, ["train", "validation", "test"] * 20])
def test_a_part_is_the_one_of_the_split(exported, given):
    data = many(given)
    for part in ("train", "val", "valid", "validation", "test"):
        name = "validation" if part.startswith("val") else part
        assert selected(exported, data, part) == (getattr(split(data), name).tolist(), name)


def test_all(exported):
    for own in (True, False):
        assert selected(exported, many(["train"] * 40 + ["test"] * 20), "all", own) == (list(range(60)), "all")


def test_no_such_part(exported):
    with refused(BadOption, "'dev'", "auto, all, train", attempt="--part"):
        selected(exported, many(), "dev")


def test_a_part_without_images(exported):
    with refused(BadData, "'pets'", "'test'", attempt="--part all"):
        selected(exported, many(["train", "train", "validation"] * 20), "test")


@pytest.mark.parametrize("own", [True, False], ids=["own data", "other data"])
@pytest.mark.parametrize(
    ("trained_on", "warned"),
    [
        (None, {"train", "all"}),
        (["train"], {"train", "all"}),
        (["train", "validation"], {"train", "validation", "all"}),
    ],
)
def test_images_that_the_network_learnt_from_are_named(trained_on, warned, own, exported, model, monkeypatch):
    data = dataset(exported, sorted(exported.record.labels), [0] * 8)
    known = {"fingerprint": data.fingerprint() if own else "of other data"} | (
        {"trained_on": trained_on} if trained_on else {}
    )
    monkeypatch.setattr(model, "record", replace(exported.record, metrics={"data": known}))
    for part in ("train", "validation", "test", "all"):
        events, _ = result(evaluate_file(model, data, np.arange(8), part))
        said = [event.text for event in events if isinstance(event, Note)]
        assert len(said) == (own and part in warned)
        assert all(part in words for words in said)
