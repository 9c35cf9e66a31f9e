import os
from pathlib import Path

import numpy as np
import pytest

from graphs import network, residual
from pocketvision.train.checkpoint import load_checkpoint, save_checkpoint


def test_round_trip(tmp_path):
    net = network(residual(4))
    state = {"epoch": 3, "step": 7, "name": "猫"}
    save_checkpoint(tmp_path / "new" / "checkpoint", net.arrays(), state)
    arrays, loaded = load_checkpoint(tmp_path / "new" / "checkpoint")
    assert loaded == state
    assert set(arrays) == set(net.arrays())
    assert all(np.array_equal(arrays[name], array) for name, array in net.arrays().items())
    net.load_arrays(arrays)


def test_arrays_in_any_memory_order(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    save_checkpoint(tmp_path, {"a": array}, {})
    assert np.array_equal(load_checkpoint(tmp_path)[0]["a"], array)


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
def test_no_file_with_a_final_name_is_half_written(tmp_path, monkeypatch, owner, step):
    old = {"a": np.zeros(3, np.float32)}
    save_checkpoint(tmp_path / "old", old, {"epoch": 1})

    def fail(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        for folder in ("old", "new"):
            with pytest.raises(OSError, match="disk full"):
                save_checkpoint(tmp_path / folder, {"a": np.ones(3, np.float32)}, {"epoch": 2})
    arrays, state = load_checkpoint(tmp_path / "old")
    assert arrays["a"].tolist() == [0, 0, 0] and state == {"epoch": 1}
    assert list((tmp_path / "new").iterdir()) == []
    assert len(list((tmp_path / "old").iterdir())) == 2
