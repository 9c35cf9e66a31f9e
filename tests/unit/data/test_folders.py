"""Folders of images, as people have them."""

from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.folders import RIGHT, read_folder
from pocketvision.errors import BadData, UnknownData
from pocketvision.run.images import IMAGE_SUFFIXES
from refusals import refused


def put(root: Path, *names: str) -> None:
    """Write small images (and, where the name is no image's, other files) below a folder."""
    for number, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() in IMAGE_SUFFIXES:
            Image.new("RGB", (4, 3), (number, 0, 0)).save(file, "PNG")
        else:
            file.write_text("not an image")


def test_class_folders(tmp_path: Path) -> None:
    put(tmp_path, "dog/b.PNG", "dog/a.jpeg", "cat/young/tabby/1.webp", "cat/2.tiff", "cat/notes.txt")
    put(tmp_path, "cat/.hidden.jpg", "cat/.thumbs/1.jpg", ".git/x/1.jpg")
    pets = read_folder(tmp_path)
    assert pets.name == tmp_path.name
    assert pets.classes == ("cat", "dog")
    assert [sample.key for sample in pets.samples] == [
        "cat/2.tiff",
        "cat/young/tabby/1.webp",
        "dog/a.jpeg",
        "dog/b.PNG",
    ]
    assert pets.labels.tolist() == [0, 0, 1, 1]
    assert {sample.part for sample in pets.samples} == {None}
    assert pets.image(0) == tmp_path / "cat/2.tiff"


@pytest.mark.parametrize("validation", ["val", "validation", "Val"])
def test_parts_share_one_list_of_classes(tmp_path: Path, validation: str) -> None:
    put(tmp_path, "train/ant/1.jpg", "train/cat/1.jpg", f"{validation}/cat/2.jpg", "test/bee/3.jpg", "readme/about.txt")
    found = read_folder(tmp_path)
    assert found.classes == ("ant", "bee", "cat")
    assert {(sample.key, found.classes[sample.label], sample.part) for sample in found.samples} == {
        ("train/ant/1.jpg", "ant", "train"),
        ("train/cat/1.jpg", "cat", "train"),
        (f"{validation}/cat/2.jpg", "cat", "validation"),
        ("test/bee/3.jpg", "bee", "test"),
    }


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    put(tmp_path, "train/1.jpg", "bus/1.jpg", "car/1.jpg")
    assert read_folder(tmp_path).classes == ("bus", "car", "train")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    put(root, "cat/1.jpg", "dog/1.jpg")
    put(tmp_path, "elsewhere/eel/9.jpg")
    (root / "eel").symlink_to(tmp_path / "elsewhere/eel")
    (root / "eel/round").symlink_to(tmp_path / "elsewhere")
    (root / "cat/all").symlink_to(root)
    (root / "cat/above").symlink_to(tmp_path)
    (root / "cat/self").symlink_to("self")
    (root / "cat/gone.jpg").symlink_to("nowhere.jpg")
    assert [sample.key for sample in read_folder(root).samples] == ["cat/1.jpg", "dog/1.jpg", "eel/9.jpg"]


def test_a_link_to_the_folder_itself_is_no_class(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.jpg")
    (tmp_path / "all").symlink_to(".")
    assert [sample.key for sample in read_folder(tmp_path).samples] == ["cat/1.jpg", "dog/1.jpg"]


def test_images_beside_class_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "overview.jpg", "map.png", "list.txt")
    assert len(read_folder(tmp_path)) == 2


def test_empty_classes_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "ant/1.heic")
    (tmp_path / "eel").mkdir()
    assert read_folder(tmp_path).classes == ("cat", "dog")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    put(tmp_path, "caf\udce9/1.jpg", "dog/\udcff.jpg")
    found = read_folder(tmp_path)
    assert found.classes == (r"caf\udce9", "dog")
    assert [sample.key for sample in found.samples] == [r"caf\udce9/1.jpg", r"dog/\udcff.jpg"]
    assert found.content_hash(0) != found.content_hash(1)


def test_no_folder(tmp_path: Path) -> None:
    with refused(UnknownData, tmp_path / "x", RIGHT):
        read_folder(tmp_path / "x")


# what lies in the folder, what the error names, and what it says to try
REFUSED = {
    "nothing": (("notes.txt",), (RIGHT,), "another path"),
    "loose images": (("1.jpg", "2.jpg"), ("images (2)", RIGHT), ".csv"),
    "loose images in a part": (("train/1.jpg", "test/2.jpg"), ("/test holds images (1)", RIGHT), ".csv"),
    "one class": (("cat/1.jpg",), ("'cat'", RIGHT), "one more class folder"),
    "one class beside empty ones": (("cat/1.jpg", "dog/1.heic"), ("'cat'", "'dog'", ".webp", "found .heic"), "format"),
    "only empty classes": (("a/", "b/", "c/", "d/"), ("'a', 'b', 'c' ...", "found nothing"), "format"),
    "nothing to train on": (("test/cat/1.jpg", "test/dog/2.jpg", "train/"), ("test/, train/",), "fill train/"),
    "two folders for one part": (
        ("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "valid/cat/2.jpg"),
        ("'val' and 'valid'", "validation"),
        "move what is in 'valid' into 'val'",
    ),
    "classes beside parts": (
        ("train/cat/1.jpg", "train/dog/1.jpg", "eel/2.jpg"),
        ("'train'", "'eel'"),
        "move 'eel' into 'train'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_folder_of_classes_is_refused(what: str, tmp_path: Path) -> None:
    names, named, attempt = REFUSED[what]
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
    put(tmp_path, *(name for name in names if not name.endswith("/")))
    with refused(BadData, tmp_path, *named, attempt=attempt):
        read_folder(tmp_path)
