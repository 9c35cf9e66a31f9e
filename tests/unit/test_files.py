import os
from pathlib import Path
from stat import S_ISDIR

import pytest

from pocketvision.files import write_atomically


def test_writes_and_replaces(tmp_path):
    file = tmp_path / "model.onnx"
    write_atomically(file, b"old")
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, owner, step):
    def fail(*_):
        raise OSError("disk full")

    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"precious")
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        for file in (old, new):
            with pytest.raises(OSError, match="disk full"):
                write_atomically(file, b"half")
    assert old.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [old]


def test_all_is_on_disk_before_the_name_is_given(tmp_path, monkeypatch):
    file, seen = tmp_path / "file", []
    real = os.fsync

    def fsync(descriptor):
        seen.append((file.exists(), S_ISDIR(os.fstat(descriptor).st_mode)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(file, b"x" * 100_000)
    assert seen == [(False, False), (True, True)], "the content before the name, then the folder that holds the name"
