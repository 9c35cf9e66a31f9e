"""predict: every form of input and of output; what goes wrong is on stderr, and stdout holds answers alone."""

import csv
import io
import json
import os
import re

import pytest

from commandline import pocketvision, start_program

ROW = re.compile(r"\S+(  (cat|coffee|rocket) +[01]\.\d{3})+(  unknown)?")


@pytest.fixture
def cat(photos):
    return photos / "cat" / "000.jpg"


def test_one_photograph_in_plain_words(model, cat):
    outcome = pocketvision("predict", model, cat)
    assert (outcome.code, outcome.err) == (0, "")
    header, line = outcome.out.splitlines()
    assert header.split() == ["image", "label", "prob."]
    assert line.startswith(f"{cat}  ")
    assert ROW.fullmatch(line)
    header, line = pocketvision("predict", model, cat, "--top", 3).out.splitlines()
    assert header.split() == ["image", *["label", "prob."] * 3]
    assert sorted(set(line.split()) & {"cat", "coffee", "rocket"}) == ["cat", "coffee", "rocket"]


def test_the_bytes_of_a_photograph_from_stdin(model, cat):
    from_file = json.loads(pocketvision("predict", model, cat, "--json").out)
    outcome = pocketvision("predict", model, "-", "--json", stdin=cat.read_bytes())
    assert outcome.code == 0
    assert json.loads(outcome.out) == from_file | {"source": "-"}
    assert pocketvision("predict", model, "-", stdin=cat.read_bytes()).out.splitlines()[1].startswith("-  ")


def test_stdin_of_a_process(model, cat):
    job = start_program("predict", model, "-", "--json", stdin=-1, text=False)
    out, err = job.communicate(cat.read_bytes(), timeout=60)
    assert (job.returncode, err) == (0, b"")
    assert json.loads(out)["source"] == "-"


def test_empty_stdin(model):
    outcome = pocketvision("predict", model, "-", stdin=b"")
    assert (outcome.code, outcome.out) == (3, "")
    assert "is empty (0 bytes)" in outcome.err


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_folder_is_answered_in_order_whatever_the_batch(batch, model, photos):
    outcome = pocketvision("predict", model, photos / "rocket", "--batch", batch)
    assert (outcome.code, outcome.err) == (0, "")
    sources = [line.split("  ")[0] for line in outcome.out.splitlines()[1:]]
    assert sources == [str(file) for file in sorted((photos / "rocket").iterdir())]


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_a_broken_image_among_good_ones(batch, model, photos, tmp_path):
    good = sorted((photos / "cat").iterdir())[:3]
    broken, missing = tmp_path / "broken.jpg", tmp_path / "missing.png"
    broken.write_bytes(good[0].read_bytes()[:200])
    outcome = pocketvision("predict", model, good[0], broken, good[1], missing, good[2], "--batch", batch, "--json")
    assert outcome.code == 3
    assert [json.loads(line)["source"] for line in outcome.out.splitlines()] == list(map(str, good))
    first, second, summary = outcome.err.splitlines()
    assert summary == "2 of 5 images could not be read."
    assert first.startswith("BadImage: ")
    assert str(broken) in first
    assert str(missing) in second
    assert "no such file" in second


def test_a_folder_without_images_does_not_stop_the_rest(model, cat, tmp_path):
    outcome = pocketvision("predict", model, tmp_path, cat, "--json")
    assert outcome.code == 3
    assert json.loads(outcome.out)["source"] == str(cat)
    assert outcome.err.startswith(f"BadImage: no images in '{tmp_path}'; looked for JPEG, ")


def test_json_is_one_document_a_line(model, photos):
    lines = pocketvision("predict", model, photos / "cat", "--json", "--top", 2).out.splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) == 12
    for document in documents:
        assert document.keys() == {"source", "labels", "unknown"}
        first, second = document["labels"]
        assert 1 >= first["probability"] >= second["probability"] >= 0


@pytest.mark.parametrize(("top", "labels"), [(1, 1), (2, 2), (9, 3)])
def test_csv_has_a_header_and_whole_rows(top, labels, model, photos):
    text = pocketvision("predict", model, photos / "cat", "--csv", "--top", top).out
    header, *rows = csv.reader(io.StringIO(text), strict=True)
    ranks = [f"{what}_{rank}" for rank in range(1, labels + 1) for what in ("label", "probability")]
    assert header == ["source", "unknown", *ranks]
    assert len(rows) == 12
    documents = map(json.loads, pocketvision("predict", model, photos / "cat", "--json").out.splitlines())
    for row, document in zip(csv.DictReader(io.StringIO(text)), documents, strict=True):
        assert None not in row
        assert None not in row.values()
        assert row["unknown"] == str(document["unknown"]).lower()
        assert 0 <= float(row["probability_1"]) <= 1


def test_json_and_csv_contradict_each_other(model, cat):
    outcome = pocketvision("predict", model, cat, "--json", "--csv")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("BadOption: --json and --csv ") and " Try: " in outcome.err


@pytest.mark.parametrize("words", [("models",), ("--help",), ("show", "mobilenet_v1")])
def test_a_reader_that_has_gone_is_no_bug(words):
    reading, writing = os.pipe()
    os.close(reading)
    job = start_program(*words, stdout=writing)
    os.close(writing)
    _, err = job.communicate(timeout=60)
    assert (job.returncode, err) == (141, "")
