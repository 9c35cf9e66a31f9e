"""Every family goes all the way: images, training, a file that verifies, answers and gives features, and a report."""

import json

from commandline import SMALL, pocketvision
from pocketvision.run.predictor import load


def test_from_images_to_a_verified_file(family, photos, tmp_path):
    folder = tmp_path / "run"
    outcome = pocketvision("fit", photos, "--family", family, *SMALL, "--batch-size", 8, "-o", folder)
    assert outcome.code == 0, outcome.err
    model = folder / "model.onnx"
    assert pocketvision("verify", model).code == 0
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["model"]["family"] == family and plan["start"]["weights"] is None
    image = photos / "cat" / "000.jpg"
    assert len(load(model).predict(image)) == 3
    assert load(model).embed(image).ndim == 1
    assert family in (folder / "report.html").read_text()
