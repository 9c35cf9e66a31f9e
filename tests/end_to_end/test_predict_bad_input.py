"""Whatever predict is given: what can be answered is, the rest is named with what to try, and the exit code says so."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from commandline import ONE_THREAD, PROGRAM, pocketvision
from photographs import crop, encoded, jpeg, png, webp
from pocketvision import load
from pocketvision.errors import BadImage

UNPRIVILEGED = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()
UINT8 = "an image is uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"


@pytest.fixture
def cat(photos):
    return photos / "cat" / "000.jpg"


@pytest.fixture(scope="module")
def predictor(model):
    return load(model, threads=1)


def run(*words, stdin=subprocess.DEVNULL, **environment):
    """Run a command as a process of its own; return its exit code, and its output as bytes."""
    done = subprocess.run(
        list(map(str, words)), stdin=stdin, capture_output=True, env=ONE_THREAD | environment, timeout=120, check=False
    )
    assert b"Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def text_named_png(folder):
    (folder / "text.png").write_text("no picture")
    return folder / "text.png"


def empty_file(folder):
    (folder / "empty.jpg").touch()
    return folder / "empty.jpg"


def cut_short(folder):
    content = jpeg(crop("cat", 0))[1]
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    return folder / "cut.jpg"


def bomb(folder):
    """A BMP whose header promises 20000 x 20000 pixels."""
    content = bytearray(encoded(Image.new("RGB", (2, 2)), "BMP"))
    content[18:26] = (20_000).to_bytes(4, "little") * 2
    (folder / "bomb.bmp").write_bytes(content)
    return folder / "bomb.bmp"


def float_tiff(folder):
    Image.new("F", (8, 8), 0.5).save(folder / "float.tiff")
    return folder / "float.tiff"


def array_of_nan(folder):
    np.save(folder / "nan.npy", np.full((8, 8, 3), np.nan))
    return folder / "nan.npy"


BAD = {
    "text": (text_named_png, "is not an image of a known format"),
    "empty file": (empty_file, "is empty (0 bytes)"),
    "cut short": (cut_short, "cannot be read: image file is truncated"),
    "bomb": (bomb, "20000 x 20000 is 400,000,000 pixels; at most 178,956,970"),
    "float": (float_tiff, "holds 32-bit float pixels"),
    "NaN": (array_of_nan, "is not an image of a known format"),
    "below a file": (lambda folder: text_named_png(folder) / "x.jpg", "cannot be read: Not a directory"),
    "no text": (lambda folder: "", "'': no such file"),
    "name too long": (lambda folder: folder / f"{'x' * 300}.jpg", "cannot be read: File name too long"),
    "null byte": (lambda folder: f"{folder}/a\0b.jpg", "cannot be read: embedded null byte"),
    "dangling link": (
        lambda folder: partial(os.symlink, "gone", folder / "l.jpg")() or folder / "l.jpg",
        "no such file",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_good_ones_around_a_bad_one_are_answered(kind, model, cat, tmp_path):
    make, reason = BAD[kind]
    outcome = pocketvision("predict", model, cat, make(tmp_path), cat, "--json")
    assert outcome.code == 3
    assert [json.loads(line)["source"] for line in outcome.out.splitlines()] == 2 * [str(cat)]
    (line,) = outcome.err.splitlines()
    assert line.startswith("BadImage: ")
    assert reason in line
    assert " Try: " in line


def test_the_smallest_installation_says_the_same(model, cat, tmp_path):
    bad = [make(tmp_path) for kind, (make, _) in BAD.items() if kind != "null byte"]
    code, out, err = run(sys.executable, "-W", "error", "-m", "pocketvision.run", model, cat, tmp_path, *bad, cat)
    assert code == 3
    assert [line.split(": ")[0] for line in out.decode().splitlines()] == 2 * [str(cat)]
    lines = err.decode().splitlines()
    assert len(lines) == 1 + len(bad)
    assert all(line.startswith("BadImage: ") and " Try: " in line for line in lines)
    assert "cannot be read: Is a directory. Try: the path of an image in it" in lines[0]


def test_bad_images_in_a_folder(model, photos, tmp_path):
    for number, (make, _) in enumerate((BAD["text"], BAD["empty file"], BAD["cut short"])):
        make(tmp_path)
        (tmp_path / f"{number}.jpg").write_bytes((photos / "cat" / "000.jpg").read_bytes())
    outcome = pocketvision("predict", model, tmp_path, "--batch", 2, "--json")
    assert outcome.code == 3
    names = [tmp_path / f"{number}.jpg" for number in range(3)]
    assert [json.loads(line)["source"] for line in outcome.out.splitlines()] == list(map(str, names))
    *lines, summary = outcome.err.splitlines()
    assert summary == "3 of 6 images could not be read."
    assert [line.split(": ")[1] for line in lines] == [
        str(tmp_path / name) for name in ("cut.jpg", "empty.jpg", "text.png")
    ]


def test_what_else_a_folder_may_hold(predictor, cat, tmp_path):
    (tmp_path / "deeper.jpg").mkdir()
    (tmp_path / "deeper.jpg" / "猫 🐈.JPG").write_bytes(cat.read_bytes())
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.png")
    assert list(predictor.predict(tmp_path)) == ["deeper.jpg/猫 🐈.JPG"]


@pytest.mark.parametrize("form", ["folder", "sub-folder", "file in a folder", "file"])
def test_without_permission(form, model, cat, tmp_path):
    locked = tmp_path / "photos" / "locked"
    locked.mkdir(parents=True)
    file = locked / "000.jpg"
    file.write_bytes(cat.read_bytes())
    source, refused = {
        "folder": (locked, locked),
        "sub-folder": (locked.parent, locked),
        "file in a folder": (file, locked),
        "file": (file, file),
    }[form]
    refused.chmod(0)
    try:
        code, out, err = run(*UNPRIVILEGED, *PROGRAM, "predict", model, source, cat, "--json")
    finally:
        refused.chmod(0o700)
    assert (code, json.loads(out)["source"]) == (3, str(cat))
    named = file if source == file else refused
    assert err.decode().startswith(f"BadImage: {named}: cannot be read: Permission denied. Try: ")


def test_one_pixel_and_60_megapixels_are_answered(model, tmp_path):
    Image.new("RGB", (1, 1), (9, 99, 199)).save(tmp_path / "one.png")
    Image.new("L", (1, 60_000), 9).save(tmp_path / "strip.png")
    Image.new("RGB", (10_000, 6_000), (9, 99, 199)).save(tmp_path / "large.jpg")
    names = [tmp_path / name for name in ("one.png", "strip.png", "large.jpg")]
    outcome = pocketvision("predict", model, *names, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    answers = [json.loads(line) for line in outcome.out.splitlines()]
    assert [answer["source"] for answer in answers] == list(map(str, names))
    first, _, large = (answer["labels"][0]["probability"] for answer in answers)
    assert large == pytest.approx(first, abs=0.01)  # one colour, whatever the size


def test_a_closed_stdin(model, cat):
    code, out, err = run("sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "predict", model, "-", cat, "--json")
    assert (code, json.loads(out)["source"]) == (3, str(cat))
    assert err.decode().startswith("BadImage: image of 0 bytes: is empty (0 bytes).")


@pytest.mark.parametrize("program", [(*PROGRAM, "predict"), (sys.executable, "-m", "pocketvision.run")])
def test_a_name_that_is_no_text(program, model, cat, tmp_path):
    """As on a desktop in English: UTF-8, and strict about it."""
    name = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(name, "wb") as file:  # noqa: PTH123
        file.write(cat.read_bytes())
    environment = {"PYTHONIOENCODING": "utf-8:strict"}
    code, out, err = run(*program, model, os.fsdecode(name), "--json", **environment)
    assert (code, err) == (0, b"")
    assert os.fsencode(json.loads(out)["source"]) == name
    code, out, err = run(*program, model, os.fsdecode(name), cat, **environment)
    assert (code, err) == (0, b"")
    assert rb"caf\udce9.jpg" in out


ARRAYS = {
    "NaN": (np.full((4, 4, 3), np.nan, np.float32), f"array of dtype float32; {UINT8}. Try: (array * 255).round()"),
    "infinite": (np.full((4, 4), np.inf), f"array of dtype float64; {UINT8}. Try: (array * 255).round()"),
    "int64": (np.zeros((4, 4), np.int64), f"array of dtype int64; {UINT8}. Try: array.astype(np.uint8)"),
    "bool": (np.zeros((4, 4), bool), f"array of dtype bool; {UINT8}. Try: (array * 255).round()"),
    "objects": (np.array([["a"]], object), f"array of dtype object; {UINT8}."),
    "two channels": (np.zeros((4, 4, 2), np.uint8), f"array of shape (4, 4, 2); {UINT8}."),
    "five channels": (np.zeros((4, 4, 5), np.uint8), f"array of shape (4, 4, 5); {UINT8}."),
    "channels first": (
        np.zeros((3, 8, 9), np.uint8),
        f"array of shape (3, 8, 9); {UINT8}. Try: array.transpose(1, 2, 0)",
    ),
    "several": (np.zeros((2, 4, 4, 3), np.uint8), f"array of shape (2, 4, 4, 3); {UINT8}. Try: one image at a time"),
    "no pixels": (np.zeros((0, 4, 3), np.uint8), "array of shape (0, 4, 3) has no pixels"),
    "a number": (
        7,
        "int is not an image; a path, the bytes of a file, an open file, a Pillow image or a uint8 array is needed.",
    ),
    "nothing": (None, "NoneType is not an image;"),
    "a set": (set(), "set is not an image;"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_no_images(kind, predictor, cat):
    source, reason = ARRAYS[kind]
    with pytest.raises(BadImage) as caught:
        predictor.predict(source)
    assert str(caught.value).startswith(reason)
    with pytest.raises(BadImage) as caught:
        predictor.predict([cat, source, cat])
    assert str(caught.value).startswith(f"image 2 of 3: {reason}")
    assert str(caught.value).endswith("model.stream(images), which answers the others")
    first, bad, last = predictor.stream([cat, source, cat])
    assert first.labels == last.labels == predictor.predict(cat)
    assert str(bad.error).startswith(reason)


def test_empty_lists_and_folders(predictor, tmp_path):
    assert predictor.predict([]) == predictor.predict(()) == list(predictor.stream([])) == []
    with pytest.raises(BadImage, match=r"^no images in '.+'; looked for .+\. Try: another folder$"):
        predictor.predict(tmp_path)


@pytest.mark.parametrize("bad", [0, 34, 39])
def test_a_bad_image_is_named_by_its_place_in_the_whole_list(bad, predictor):
    images: list = [np.zeros((8, 8, 3), np.uint8)] * 40
    images[bad] = b"broken"
    with pytest.raises(BadImage, match=rf"^image {bad + 1} of 40: image of 6 bytes: is not an image"):
        predictor.predict(images)


@pytest.mark.parametrize("form", [jpeg, png, webp])
def test_any_bytes_changed(form, predictor):
    """Damage gives other pixels or BadImage, never another error; the good ones around are answered as ever."""
    rng = np.random.default_rng(0)
    good = form(crop("cat", 0))[1]
    damaged = [good]
    for _ in range(40):
        content = np.frombuffer(good, np.uint8).copy()
        places = rng.integers(0, len(content), 8) // rng.integers(1, 60)  # headers are hit more often
        content[places] = rng.integers(0, 256, 8)
        damaged += [content.tobytes(), good]
    answers = list(predictor.stream(damaged))
    assert len(answers) == len(damaged)
    assert all(isinstance(answer.error, BadImage | None) for answer in answers)
    assert any(answer.error for answer in answers)
    assert all(answer.labels == answers[0].labels for answer in answers[::2])
