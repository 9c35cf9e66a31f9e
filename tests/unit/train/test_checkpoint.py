"""Checkpoints: two files, the numbers last; whatever breaks while one is written, the one before is whole."""

import json
import os
from pathlib import Path

import pytest
import torch

from pocketvision.train.checkpoint import Snapshot, load_checkpoint, save_checkpoint


def snapshot(value=1.0, **numbers):
    tensors = {"a": torch.full((2, 3), value), "b.c": torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1)}
    return Snapshot(tensors, numbers)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def value(folder):
    return load_checkpoint(folder).tensors["a"][0, 0].item()


def test_round_trip(tmp_path):
    saved = snapshot(progress=0.1 + 0.2, name="猫")
    save_checkpoint(tmp_path / "checkpoint", 7, saved)
    loaded = load_checkpoint(tmp_path / "checkpoint")
    assert loaded.numbers == saved.numbers, "to the last bit"
    assert loaded.tensors.keys() == saved.tensors.keys()
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in saved.tensors.items())
    assert names(tmp_path / "checkpoint") == ["00000007.json", "00000007.safetensors"]


def test_the_newest_is_loaded_and_the_last_two_are_kept(tmp_path):
    for step in (9, 10, 11, 100):
        save_checkpoint(tmp_path, step, snapshot(step))
    assert names(tmp_path) == [f"{step:08}{suffix}" for step in (11, 100) for suffix in (".json", ".safetensors")]
    assert value(tmp_path) == 100


def test_what_a_killed_process_left_is_cleaned_up(tmp_path):
    save_checkpoint(tmp_path, 1, snapshot(1))
    (tmp_path / ".00000002.safetensors.part").write_bytes(b"half")
    (tmp_path / "00000003.safetensors").write_bytes(b"whole, but its numbers were never written")
    assert value(tmp_path) == 1
    save_checkpoint(tmp_path, 4, snapshot(4))
    assert names(tmp_path) == [f"0000000{step}{suffix}" for step in (1, 4) for suffix in (".json", ".safetensors")]


def test_none_is_none(tmp_path):
    assert load_checkpoint(tmp_path) is None and load_checkpoint(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "damage", ["tensors changed", "tensors cut", "tensors gone", "numbers cut", "numbers no object"]
)
def test_a_damaged_one_is_passed_over(damage, tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, snapshot(step))
    tensors, numbers = tmp_path / "00000002.safetensors", tmp_path / "00000002.json"
    content = tensors.read_bytes()
    match damage:
        case "tensors changed":
            tensors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "tensors cut":
            tensors.write_bytes(content[: len(content) // 2])
        case "tensors gone":
            tensors.unlink()
        case "numbers cut":
            numbers.write_bytes(numbers.read_bytes()[:20])
        case _:
            numbers.write_text(json.dumps([1]))
    assert value(tmp_path) == 1


def test_a_run_folder_that_has_gone_is_not_made_again(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_checkpoint(tmp_path / "gone" / "checkpoint", 1, snapshot())
    assert names(tmp_path) == []


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize("good_calls", [0, 1, 2])
def test_a_full_disk_leaves_the_last_one_whole(owner, step, good_calls, tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, snapshot(1))
    real, calls = getattr(owner, step), []

    def fail(*arguments):
        calls.append(1)
        if len(calls) > good_calls:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        if step == "replace" and good_calls == 2:
            save_checkpoint(tmp_path, 2, snapshot(2))
        else:
            with pytest.raises(OSError, match="No space left"):
                save_checkpoint(tmp_path, 2, snapshot(2))
    assert not [name for name in names(tmp_path) if name.endswith(".part")]
    assert value(tmp_path) in (1, 2)
    save_checkpoint(tmp_path, 3, snapshot(3))
    assert value(tmp_path) == 3


@pytest.mark.parametrize(("number", "is_finite"), [(0.0, True), (float("nan"), False), (float("-inf"), False)])
def test_weights_that_are_no_numbers_are_known(number, is_finite):
    assert snapshot(number).is_finite is is_finite
