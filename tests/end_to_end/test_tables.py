"""A CSV table with groups, trained from end to end; and the class weights that unbalanced data get."""

import csv
import json
import logging

import pytest

from commandline import SMALL, pocketvision
from photographs import write_photographs
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """24 cats and 12 rockets, three pictures of each scene."""
    folder = tmp_path_factory.mktemp("table")
    write_photographs(folder / "pictures", ("cat",), each=24)
    write_photographs(folder / "more", ("rocket",), each=12)
    with (folder / "pictures.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["scene number", "label", "group", "path"])
        for image in sorted(folder.rglob("*/*/*.*")):
            scene = f"{image.parent.name}{int(image.stem) // 3}"
            rows.writerow(["ignored", image.parent.name, scene, image.relative_to(folder).as_posix()])
    return folder / "pictures.csv"


@pytest.fixture(scope="module")
def plan(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "run"
    outcome = pocketvision("fit", table, *SMALL, "-o", folder)
    assert outcome.code == 0, outcome.err
    assert pocketvision("verify", folder / "model.onnx").code == 0
    return json.loads((folder / "plan.json").read_text())


def test_no_group_is_in_two_parts(table, plan):
    dataset = read_dataset(table)
    parts = split(dataset)
    images = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    assert plan["data"]["images"] == {part: len(indices) for part, indices in images.items()}
    assert "groups and exact duplicates kept together" in plan["data"]["split"]

    groups = {part: {dataset.samples[i].group for i in indices} for part, indices in images.items()}
    assert all(groups.values())
    assert len(set.union(*groups.values())) == sum(map(len, groups.values())) == 12


def test_unbalanced_classes_are_weighed(plan):
    cat, rocket = plan["class_weights"]
    assert cat < 1 < rocket


def test_balanced_classes_are_not(run_folder):
    assert json.loads((run_folder / "plan.json").read_text())["class_weights"] is None


def test_class_weights_as_asked(photos, table, tmp_path):
    """Of classes of one size, and of the unbalanced ones."""
    for data, mode, expected in ((photos, "balanced", [1.0, 1.0, 1.0]), (table, "none", None)):
        folder = tmp_path / mode
        assert pocketvision("fit", data, *SMALL, "--class-weights", mode, "-o", folder).code == 0
        assert json.loads((folder / "plan.json").read_text())["class_weights"] == expected


def test_without_two_images_of_a_class_nothing_is_trained(tmp_path, caplog):
    data = write_photographs(tmp_path / "pair", ("cat", "rocket"), each=1)
    with caplog.at_level(logging.WARNING):
        outcome = pocketvision("fit", data, *SMALL, "-o", tmp_path / "run")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith("BadData: pair ") and " Try: " in outcome.err
    assert not (tmp_path / "run").exists()
