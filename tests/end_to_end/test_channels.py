"""What the images themselves decide: grey or colour, mirrored or not, how many strides a small image bears."""

import json
import struct

import numpy as np

from commandline import SMALL, pocketvision
from photographs import CLASSES, grey, write_photographs


def info(model):
    return json.loads(pocketvision("info", model, "--json").out)


def notes(folder):
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [event["text"] for event in events if event["event"] == "note"]


def write_idx(folder, side, counts):
    """Write digits: one lit row of pixels for each class, in noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for prefix, count in counts.items():
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (count, side, side), np.uint8)
        images[np.arange(count), labels + 1] = 255
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes()
        )
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, count) + labels.tobytes())
    return folder


def test_grey_images_stay_one_channel(tmp_path):
    data = write_photographs(tmp_path / "grey", CLASSES[:2], each=8, forms=(grey,))
    outcome = pocketvision("fit", data, *SMALL, "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "16 grey images of 2 classes" in outcome.err
    assert info(tmp_path / "run" / "model.onnx")["channels"] == 1
    assert "32 x 32 grey, uint8" in pocketvision("info", tmp_path / "run" / "model.onnx").out
    assert pocketvision("predict", tmp_path / "run" / "model.onnx", data / "cat" / "000.png").code == 0


def test_colour_images_have_three(model, run_folder):
    assert info(model)["channels"] == 3
    assert "Training images are mirrored: the default; --no-flip if a mirror changes what they show." in notes(
        run_folder
    )


def test_digits_are_not_mirrored_and_keep_a_small_output_stride(tmp_path):
    data = write_idx(tmp_path / "digits", 20, {"train": 60, "t10k": 20})
    outcome = pocketvision("fit", data, "--epochs", 1, "--width", 0.25, "-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert (
        "Training images are not mirrored: the names of the classes are letters or numbers, which mirrors spoil; "
        "--flip mirrors them all the same." in notes(tmp_path / "run")
    )
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["augmentation"]["flip"] is False
    assert plan["data"]["images"]["test"] == 20

    record = info(tmp_path / "run" / "model.onnx")
    assert (record["channels"], record["labels"]) == (1, [str(digit) for digit in range(10)])
    assert record["resolution"] >= 20
    assert record["model"]["output_stride"] == 8  # the family's own is 32


def test_mirroring_as_asked(photos, tmp_path):
    assert pocketvision("fit", photos, *SMALL, "--no-flip", "-o", tmp_path / "run").code == 0
    assert "Training images are not mirrored: as asked." in notes(tmp_path / "run")
