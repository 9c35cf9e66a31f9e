"""Folders of images, as people have them."""

from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.folders import RIGHT, read_folder
from pocketvision.errors import BadData, UnknownData
from pocketvision.run.image_files import IMAGE_SUFFIXES
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


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Training", "Testing"),
        ("train_set", "test_set"),
        ("trainImages", "testImages"),
        ("seg_train", "seg_test"),
        ("Entrenamiento", "Prueba"),
        ("训练集", "测试集"),
        ("E\u011fitim", "Test"),
    ],
)
def test_parts_by_other_names_make_no_classes(tmp_path: Path, train: str, test: str) -> None:
    put(tmp_path, f"{train}/ant/1.jpg", f"{train}/cat/1.jpg", f"{test}/ant/2.jpg", f"{test}/cat/2.jpg")
    found = read_folder(tmp_path)
    assert found.classes == ("ant", "cat")
    assert [(sample.key, sample.part) for sample in found.samples if sample.part == "test"] == [
        (f"{test}/ant/2.jpg", "test"),
        (f"{test}/cat/2.jpg", "test"),
    ]


def test_words_beside_a_part_name_count_only_where_parts_share_them(tmp_path: Path) -> None:
    put(tmp_path, "bullet train/1.jpg", "steam train/1.jpg", "crash test/1.jpg")
    assert read_folder(tmp_path).classes == ("bullet train", "crash test", "steam train")


def test_an_archive_around_the_classes_is_passed_through_where_it_is_certain(tmp_path: Path) -> None:
    put(tmp_path, "pets/pets/cat/1.jpg", "pets/pets/dog/1.jpg", "pets/readme.txt", "pets/__MACOSX/cat/._1.jpg")
    put(tmp_path, "download/all/Training/cat/1.jpg", "download/all/Training/dog/1.jpg", "download/all/test/dog/2.jpg")
    put(tmp_path, "doubled/train/train/cat/1.jpg", "doubled/train/train/dog/1.jpg", "doubled/val/val/dog/1.jpg")
    for name, parts in (("pets", {None}), ("download", {"train", "test"}), ("doubled", {"train", "validation"})):
        found = read_folder(tmp_path / name)
        assert found.classes == ("cat", "dog")
        assert {sample.part for sample in found.samples} == parts


def test_images_are_known_by_their_content(tmp_path: Path) -> None:
    names = ["a.jfif", "b.jpe", "c", "d.jpg?w=300", "e.jpg ", "f.jpg.1", "g.JPG_large"]
    put(tmp_path, "cat/1.jpg", "dog/1.jpg")
    for name in names:
        (tmp_path / "cat" / name).write_bytes((tmp_path / "cat/1.jpg").read_bytes())
    (tmp_path / "cat/raw.NEF").write_bytes(b"MM\0*")  # begins as a TIFF, and is none
    (tmp_path / "cat/poem").write_bytes(b"BMs are no bitmaps, P1 is no pixmap, and this is no image.")
    found = {sample.key for sample in read_folder(tmp_path).samples}
    assert found == {"cat/1.jpg", "dog/1.jpg", *(f"cat/{name}" for name in names)}


def test_what_systems_and_runs_leave_is_no_class(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/cat/2.jpg")
    put(tmp_path, "run/plan.json", "run/manifest.json", "run/charts/1.png", "$RECYCLE.BIN/x/1.jpg")
    found = read_folder(tmp_path)
    assert [sample.key for sample in found.samples] == ["cat/1.jpg", "dog/1.jpg"]


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
    "one folder too high": (("photos/cat/1.jpg", "photos/dog/1.jpg"), ("'photos'",), "photos, if the folders in it"),
    "one class beside empty ones": (("cat/1.jpg", "dog/1.heic"), ("'cat'", "'dog'", "WEBP", "found .heic"), "format"),
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
