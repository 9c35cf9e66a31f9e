"""Disk and memory are looked at before anything is written."""

import shutil
from collections import namedtuple
from dataclasses import dataclass

import pytest

from graphs import small
from pocketvision.errors import DiskFailed
from pocketvision.jobs.plan import room as space
from pocketvision.jobs.plan.room import check_room, disk_bytes, later_stages, training_bytes
from pocketvision.train.recipe import RECIPES

Usage = namedtuple("Usage", "free")


@dataclass
class Plan:
    graph: object
    recipe: object = RECIPES["modern"]
    epochs_on_all: int = 0
    elastic: object = None


PLANS = [Plan(small("mobilenet_v1")), Plan(small("mobilenet_v1", width=0.5))]
LARGEST = PLANS[1].graph


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path, monkeypatch):
    run = tmp_path / "deep" / "run"
    needed = disk_bytes(LARGEST)
    for free in (needed, needed - 1):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: Usage(free))
        if free == needed:
            assert list(check_room(run, PLANS)) == []
            continue
        with pytest.raises(DiskFailed) as caught:
            list(check_room(run, PLANS))
        assert str(caught.value) == (
            f"'{tmp_path / 'deep' / 'run'}' needs about {needed / 1e6:.0f} MB of disk for checkpoints and the file; "
            f"{free / 1e6:.0f} MB are free there. Try: -o on another disk, or free space"
        )
    assert list(tmp_path.iterdir()) == []


def test_too_little_memory_is_a_word_of_warning(tmp_path, monkeypatch):
    needed = training_bytes(LARGEST, RECIPES["modern"].batch_size)
    monkeypatch.setattr(space, "free_memory_bytes", lambda: needed)
    assert list(check_room(tmp_path / "run", PLANS)) == []
    monkeypatch.setattr(space, "free_memory_bytes", lambda: needed - 1)
    (note,) = check_room(tmp_path / "run", PLANS)
    assert note.text == (
        f"Training needs about {needed / 1e6:,.0f} MB of memory, and {(needed - 1) / 1e6:,.0f} MB are free: close other "
        "programs, or take a smaller --batch-size."
    )


def test_what_is_needed_grows_with_network_batch_and_images():
    graph, wider = PLANS[0].graph, LARGEST
    assert training_bytes(graph, 32) < training_bytes(graph, 64) < training_bytes(graph, 64, 1000)
    assert training_bytes(graph, 32) < training_bytes(wider, 32) and disk_bytes(graph) < disk_bytes(wider)
    assert disk_bytes(graph) < disk_bytes(graph, 1) < disk_bytes(graph, 2)


@pytest.mark.parametrize(
    ("recipe", "epochs_on_all", "elastic", "later"),
    [("modern", 0, None, 0), ("finetune", 3, None, 1), ("modern", 0, "sizes", 1), ("finetune", 0, "sizes", 2)],
)
def test_trainings_that_follow_need_checkpoints_of_their_own(recipe, epochs_on_all, elastic, later):
    assert later_stages(Plan(LARGEST, RECIPES[recipe], epochs_on_all, elastic)) == later
