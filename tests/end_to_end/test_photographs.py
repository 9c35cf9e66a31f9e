"""A folder of photographs in all forms: through `fit` to a verified file, and back through `predict`."""

import getpass
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from commandline import SMALL, pocketvision
from photographs import CLASSES, ORIENTATION, TURNED_BY_CAMERA, crop, encoded, write_photographs


def test_forms_and_sizes_differ(photos):
    files = sorted((photos / "cat").iterdir())
    images = [Image.open(io.BytesIO(file.read_bytes())) for file in files]
    assert {file.suffix for file in files} == {".jpg", ".png", ".webp", ".PNG", ".jpeg"}
    assert {image.mode for image in images} == {"RGB", "L", "RGBA"}
    assert {image.getexif().get(ORIENTATION) for image in images} == {None, TURNED_BY_CAMERA}
    assert len({image.size for image in images}) > 6


def test_fit_writes_a_file_that_verifies(training, photos):
    outcome, folder = training
    assert outcome.code == 0, outcome.err
    model = folder / "model.onnx"
    first, here, report, following = outcome.out.splitlines()
    assert first.startswith(f"{model}: mobilenet_v1_shallow_w0.25_r32_s8, top-1 ")
    assert "on 6 test images" in first
    assert re.fullmatch(
        r"here: [0-9.]+ \+- [0-9.]+ ms an image, [0-9.]+ ms with decoding; 0\.\d+ MB, 0\.\d+ MB of memory, 2\.1 M multiply-adds",
        here,
    )
    assert report == f"report: {folder / 'report.html'}"
    assert following == f"Next: pocketvision predict {model} IMAGE"
    assert "36 colour images of 3 classes" in outcome.err

    verified = pocketvision("verify", model)
    assert (verified.code, verified.err) == (0, "")
    assert verified.out.splitlines()[-1] == f"{model}: verified"
    assert {check["problem"] for check in json.loads(pocketvision("verify", model, "--json").out)} == {""}


def test_fit_says_its_result_as_json(photos, tmp_path):
    outcome = pocketvision("fit", photos, *SMALL, "-o", tmp_path / "run", "--json")
    result = json.loads(outcome.out)
    assert result["model"] == str(tmp_path / "run" / "model.onnx")
    assert (result["network"], result["part"], result["images"]) == ("mobilenet_v1_shallow_w0.25_r32_s8", "test", 6)
    assert 0 < result["minutes"] < 1


def test_predict_answers_every_photograph_in_order(model, photos):
    outcome = pocketvision("predict", model, photos, "--json", "--top", 3)
    assert (outcome.code, outcome.err) == (0, "")
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [answer["source"] for answer in answers] == [str(file) for file in sorted(photos.rglob("*.*"))]
    assert {label["name"] for answer in answers for label in answer["labels"]} == set(CLASSES)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_evaluate_repeats_the_score_of_fit(part, model, photos):
    """From the files' bytes, by the exported file alone, on the split made again."""
    at_fit = json.loads(pocketvision("info", model, "--json").out)["metrics"][part]
    now = json.loads(pocketvision("evaluate", model, photos, "--json", "--part", part).out)
    assert (now["part"], now["images"], now["top1"]) == (part, 6, at_fit["top1"])
    assert now["ece"] == pytest.approx(at_fit["ece"], abs=1e-5)


def test_evaluate_takes_the_test_part_of_its_own_data_and_all_of_others(model, photos, tmp_path):
    assert "top-1 on 6 images (test)" in pocketvision("evaluate", model, photos).out
    assert "top-1 on 36 images (all)" in pocketvision("evaluate", model, photos, "--part", "all").out
    others = write_photographs(tmp_path / "others", CLASSES[:2], each=3)
    assert "top-1 on 6 images (all)" in pocketvision("evaluate", model, others).out


def test_a_photograph_turned_by_the_camera_is_answered_as_the_upright_one(model, tmp_path):
    image = crop("rocket", 1)
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_BY_CAMERA
    (tmp_path / "upright.png").write_bytes(encoded(image, "PNG"))
    (tmp_path / "turned.png").write_bytes(encoded(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif))
    answers = pocketvision("predict", model, tmp_path, "--json", "--top", 3).out.splitlines()
    turned, upright = (json.loads(line)["labels"] for line in answers)
    assert turned == upright


def test_the_file_holds_no_path_and_no_user_name(tmp_path, monkeypatch):
    home = tmp_path / "home-of-a-person"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "name-of-a-person")
    data = write_photographs(home / "pictures", CLASSES[:2], each=4)
    assert pocketvision("fit", data, *SMALL, "-o", home / "folder-of-a-run").code == 0
    content = (home / "folder-of-a-run" / "model.onnx").read_bytes()
    assert getpass.getuser() == "name-of-a-person"
    assert Path.home() == home
    for private in (getpass.getuser(), home.name, tmp_path.name, str(tmp_path), "folder-of-a-run", Path.cwd(), ".jpg"):
        assert str(private).encode() not in content
    assert b"pictures" in content  # the data set's name is the folder's own
