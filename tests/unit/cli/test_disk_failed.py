"""A full or forbidden disk is no bug: one sentence, its own exit code."""

import errno

from pocketvision.cli import app


def test_a_full_disk_is_said(monkeypatch, capsys):
    def refuse(_):
        raise OSError(errno.ENOSPC, "No space left on device", "run/model.onnx")

    monkeypatch.setattr(app.typer.main, "get_command", refuse)
    assert app.run(["models"]) == 6
    assert capsys.readouterr().err == (
        "DiskFailed: the system says No space left on device at 'run/model.onnx'; no unfinished file has a final name. "
        "Try: free space or permission there, then the same command, or another folder\n"
    )
