"""A loss that is no number: said with step and epoch and what to try; nothing half-made is left under a final name."""

import re

from commandline import SMALL, pocketvision


def test_a_learning_rate_beyond_all_bounds(photos, tmp_path):
    folder = tmp_path / "run"
    outcome = pocketvision("fit", photos, *SMALL, "--batch-size", 4, "--lr", 1e30, "-o", folder)
    assert (outcome.code, outcome.out) == (5, "")
    assert re.fullmatch(r"NonFiniteLoss: .* step \d of 6 in epoch 1 .* Try: --lr \S+.*", outcome.last_line), outcome.err
    assert "batch is skipped" in outcome.err and "half the rate" in outcome.err
    assert "Traceback" not in outcome.err
    assert (folder / "plan.json").exists()
    assert not (folder / "model.onnx").exists()
