"""A full or forbidden disk is no bug: one sentence, its own exit code."""

import errno

from pocketvision.cli import app


def test_a_full_disk_is_said(monkeypatch, capsys):
    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device", "run/model.onnx")

    monkeypatch.setattr(app.typer.main, "get_command", refuse)
    assert app.run(["models"]) == 6
    said = capsys.readouterr().err
    assert said.startswith("DiskFailed: ") and " Try: " in said and said.count("\n") == 1
    assert "No space left on device" in said and "'run/model.onnx'" in said
