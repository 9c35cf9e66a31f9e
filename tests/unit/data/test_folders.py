"""Folders of images, as people have them."""

import re
from pathlib import Path

import pytest
from PIL import Image

from pocketvision.data.folders import RIGHT, read_folder
from pocketvision.errors import BadData, UnknownData
from pocketvision.run.images import IMAGE_SUFFIXES


def put(root: Path, *names: str) -> None:
    """Write small images (and, where the name is no image's, other files) below a folder."""
    for number, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix.lower() in IMAGE_SUFFIXES:
            Image.new("RGB", (4, 3), (number, 0, 0)).save(file, "PNG")
        else:
            file.write_text("not an image")


def refused(root: Path, message: str) -> None:
    with pytest.raises(BadData, match=f"^{re.escape(message)}"):
        read_folder(root)


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


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
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
    with pytest.raises(UnknownData, match=re.escape(f"no folder '{tmp_path}/x'; {RIGHT}. Try: another path")):
        read_folder(tmp_path / "x")


def test_an_empty_folder(tmp_path: Path) -> None:
    put(tmp_path, "notes.txt")
    refused(tmp_path, f"{tmp_path} holds no class folders and no images; {RIGHT}. Try: another path")


def test_loose_images(tmp_path: Path) -> None:
    put(tmp_path, "1.jpg", "2.jpg")
    refused(
        tmp_path,
        f"{tmp_path} holds images (2) but no class folders; {RIGHT}. Try: sort the images into folders named after their "
        "classes, or list them in a .csv with columns path, label",
    )


def test_loose_images_in_a_part(tmp_path: Path) -> None:
    put(tmp_path, "train/1.jpg", "test/2.jpg")
    refused(tmp_path, f"{tmp_path}/test holds images (1) but no class folders; {RIGHT}.")


def test_one_class(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg")
    refused(
        tmp_path,
        f"{tmp_path} holds images of only one class, 'cat'; telling classes apart needs two: {RIGHT}. "
        "Try: the folder above, or one more class folder",
    )


def test_one_class_beside_empty_ones(tmp_path: Path) -> None:
    put(tmp_path, "cat/1.jpg", "dog/1.heic")
    refused(
        tmp_path,
        f"{tmp_path} holds images of only one class, 'cat'; telling classes apart needs two. No image is in 'dog' "
        "(looked for .bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp; found .heic). "
        "Try: put images of a known format into it",
    )


def test_only_empty_classes(tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).mkdir()
    refused(
        tmp_path,
        f"{tmp_path} holds class folders but no image in them; telling classes apart needs two. No image is in 'a', 'b', "
        "'c' ... (looked for .bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp; found nothing). "
        "Try: put images of a known format into it",
    )


def test_nothing_to_train_on(tmp_path: Path) -> None:
    put(tmp_path, "test/cat/1.jpg", "test/dog/2.jpg")
    (tmp_path / "train").mkdir()
    refused(
        tmp_path,
        f"{tmp_path} has test/, train/ but no image to train on; train/ must hold a folder of images for each class. "
        "Try: fill train/, or put the class folders directly inside and let pocketvision split",
    )


def test_two_folders_for_one_part(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "valid/cat/2.jpg")
    refused(
        tmp_path,
        f"{tmp_path} holds 'val' and 'valid', which both mean validation; one of them is right. "
        "Try: move what is in 'valid' into 'val'",
    )


def test_classes_beside_parts(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "eel/2.jpg")
    refused(
        tmp_path,
        f"{tmp_path} holds 'train' with class folders inside, and 'eel' with images beside it; "
        "either all classes are directly inside, or all are inside train/, val/ and test/. "
        "Try: move 'eel' into 'train', or elsewhere",
    )
