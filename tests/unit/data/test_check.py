"""The check as a whole: a clean folder gives nothing, each trouble its own finding, and nothing is touched."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photographs import crop, encoded, jpeg, turned
from pocketvision.data import rules
from pocketvision.data.check import Checked, check
from pocketvision.data.findings import KINDS, Finding
from pocketvision.data.split import Split
from pocketvision.errors import BadData, UnknownData
from pocketvision.events import Progress
from refusals import refused
from troubles import listing

FEWEST = 10  # images of a class that is not tiny


def checked(path: Path | str, **options) -> Checked:
    work, events = check(path, **options), []
    try:
        while True:
            events.append(next(work))
    except StopIteration as stop:
        assert all(isinstance(event, Progress) and event.work == "checking images" for event in events)
        assert events[-1].done == events[-1].total == len(stop.value.source)
        return stop.value


def kinds(found: Checked) -> set[str]:
    return {finding.kind for finding in found.findings}


def of_kind(found: Checked, kind: str) -> list[tuple[str, str]]:
    return [(finding.key, finding.sentence) for finding in found.findings if finding.kind == kind]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_clean(tmp_path / "photos")


def write_clean(root: Path) -> Path:
    """Write a folder that has nothing wrong with it: different crops, of one size and form."""
    for (name, number), content in whole_images().items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / f"{number}.jpg").write_bytes(content)
    return root


@cache
def whole_images() -> dict[tuple[str, int], bytes]:
    return {(name, number): jpeg(crop(name, number))[1] for name in ("cat", "coffee") for number in range(FEWEST)}


def test_a_clean_folder_gives_nothing(clean: Path) -> None:
    found = checked(clean)
    assert found.findings == ()
    assert found.counts() == {"cat": {"all": FEWEST}, "coffee": {"all": FEWEST}}
    assert found.dataset is found.source
    assert found.severities() == {"left out": 0, "warning": 0, "note": 0}


def test_a_clean_folder_with_parts_gives_nothing(clean: Path) -> None:
    for part, numbers in (("train", range(10)), ("test", range(40, 50))):
        for name in ("cat", "coffee"):
            (clean / part / name).mkdir(parents=True)
            for number in numbers:
                (clean / part / name / f"{number}.jpg").write_bytes(jpeg(crop(name, number))[1])
    for name in ("cat", "coffee"):
        for file in (clean / name).iterdir():
            file.unlink()
        (clean / name).rmdir()
    found = checked(clean)
    assert found.findings == ()
    assert found.counts()["cat"] == {"train": 10, "test": 10}


def put(name: str, content: bytes) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return write


def link(name: str, target: str) -> Callable[[Path], None]:
    return lambda root: (root / name).symlink_to(target)


def all_of(*writers: Callable[[Path], None]) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for writer in writers:
            writer(root)

    return write


def fill(name: str, *, mode: str = "RGB", count: int = FEWEST, first: int = 60) -> Callable[[Path], None]:
    """Write one more whole class."""
    return all_of(
        *(
            put(f"{name}/{number}.jpg", encoded(crop("rocket", number).convert(mode), "JPEG"))
            for number in range(first, first + count)
        )
    )


PHOTO = jpeg(crop("cat", 30))[1]
DEEP = np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10
BLACK = encoded(Image.new("RGB", (80, 80)), "JPEG")
NOISE = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 4, (80, 80, 3), np.uint8)), "PNG")  # a lens cap


def sort_by_day(root: Path) -> None:
    """Put the images of each class into folders named after days."""
    for image in sorted(root.glob("*/*.jpg")):
        day = image.parent / ("monday" if image.stem[-1] in "13579" else "tuesday")
        day.mkdir(exist_ok=True)
        image.rename(day / image.name)


def into_parts(name: str) -> Callable[[Path], None]:
    """Put all class folders into one more folder."""

    def write(root: Path) -> None:
        classes = sorted(root.iterdir())
        (root / name).mkdir()
        for folder in classes:
            folder.rename(root / name / folder.name)

    return write


CAFE, CAFE_APART = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
# kind: what is written, the finding's key, what its sentence holds, and the kinds that this trouble brings with it
CASES: list[tuple[str, Callable[[Path], None], str, tuple[str, ...], tuple[str, ...]]] = [
    ("unreadable image", put("cat/x.jpg", b""), "cat/x.jpg", ("0 bytes",), ()),
    ("unreadable image", put("cat/x.jpg", PHOTO[:900]), "cat/x.jpg", ("truncated",), ()),
    ("unreadable image", put("cat/x.png", b"words, not pixels"), "cat/x.png", ("JPEG, PNG, WEBP",), ()),
    (
        "over the pixel limit",
        put("cat/x.png", encoded(Image.new("1", (20_000, 20_000)), "PNG")),
        "cat/x.png",
        ("20000 x 20000", "400,000,000", "178,956,970", "16,777,216"),
        (),
    ),
    ("empty class", lambda root: (root / "dog").mkdir(), "dog", (), ()),
    ("empty class", put("dog/x.jpg", b""), "dog", (), ("unreadable image",)),
    ("outside of class folders", put("x.jpg", PHOTO), "x.jpg", (), ()),
    ("other format", put("cat/x.HEIC", b"ftyp"), "cat/x.HEIC", (".HEIC", "JPEG, PNG, WEBP"), ()),
    ("broken link", link("cat/x.jpg", "nowhere.jpg"), "cat/x.jpg", (), ()),
    ("link in a circle", link("cat/x", "x"), "cat/x", (), ()),
    ("link in a circle", link("cat/x", ".."), "cat/x", ("'photos'",), ()),
    ("link in a circle", link("x", "."), "x", ("'photos'",), ()),
    ("tiny class", fill("dog", count=9), "dog", ("9 images", "10"), ()),
    ("tiny class", fill("dog", count=1), "dog", ("1 image;", "10"), ()),
    ("similar class names", fill("Cat"), "Cat", ("'Cat' (10", "'cat' (10"), ()),
    ("similar class names", fill("cat "), "cat", ("'cat' (10", "'cat ' (10"), ("space around a class name",)),
    (
        "similar class names",
        all_of(fill(CAFE), fill(CAFE_APART, first=80)),
        CAFE_APART,
        (f"'{CAFE}' (10", f"'{CAFE_APART}' (10"),
        ("unusual name",),
    ),
    ("space around a class name", fill("dog "), "dog ", ("'dog '",), ()),
    ("grey class", fill("dog", mode="L"), "dog", ("'cat'",), ("grey and colour",)),
    ("duplicate", put("cat/x.jpg", jpeg(crop("cat", 0))[1]), "cat/0.jpg", ("cat/x.jpg",), ()),
    (
        "duplicate",
        all_of(*(put(f"cat/{name}.jpg", jpeg(crop("cat", 0))[1]) for name in "xyz")),
        "cat/0.jpg",
        ("4 images", "cat/x.jpg"),
        (),
    ),
    (
        "duplicate across classes",
        put("coffee/x.jpg", jpeg(crop("cat", 0))[1]),
        "cat/0.jpg",
        ("coffee/x.jpg", "'cat', 'coffee'"),
        (),
    ),
    (
        "near-duplicate",
        put("cat/x.png", encoded(crop("cat", 0).resize((70, 80)), "PNG")),
        "cat/0.jpg",
        ("cat/x.png",),
        (),
    ),
    (
        "near-duplicate across classes",
        put("coffee/x.jpg", encoded(crop("cat", 0), "JPEG", quality=40)),
        "cat/0.jpg",
        ("coffee/x.jpg", "'cat', 'coffee'"),
        (),
    ),
    (
        "extreme size",
        put("cat/x.jpg", encoded(crop("cat", 30).resize((7, 9)), "JPEG")),
        "cat/x.jpg",
        ("7 x 9", "99"),
        (),
    ),
    (
        "extreme size",
        put("cat/x.jpg", encoded(crop("cat", 30).resize((1400, 900)), "JPEG")),
        "cat/x.jpg",
        ("1400 x 900", "107"),
        (),
    ),
    (
        "extreme shape",
        put("cat/x.jpg", encoded(crop("cat", 30).resize((300, 74)), "JPEG")),
        "cat/x.jpg",
        ("300 x 74",),
        (),
    ),
    ("wrong extension", put("cat/x.png", PHOTO), "cat/x.png", ("JPEG", "PNG"), ()),
    (
        "grey and colour",
        put("cat/x.jpg", encoded(crop("cat", 30).convert("L"), "JPEG")),
        "cat/x.jpg",
        ("1 of 21",),
        (),
    ),
    ("turned by EXIF", put("cat/x.jpg", turned(crop("cat", 30))[1]), "cat/x.jpg", (), ()),
    ("converted", put("cat/x.jpg", encoded(crop("cat", 30).convert("CMYK"), "JPEG")), "cat/x.jpg", ("CMYK",), ()),
    (
        "converted",
        put("cat/x.png", encoded(Image.fromarray(DEEP), "PNG")),
        "cat/x.png",
        ("16-bit",),
        ("grey and colour",),
    ),
    (
        "converted",
        put("cat/x.png", encoded(crop("cat", 30).convert("RGBA"), "PNG")),
        "cat/x.png",
        ("transparency",),
        (),
    ),
    (
        "converted",
        put("cat/x.gif", encoded(crop("cat", 30), "GIF", save_all=True, append_images=[crop("cat", 31)])),
        "cat/x.gif",
        ("frames",),
        (),
    ),
    ("shows nothing", put("cat/x.jpg", BLACK), "cat/x.jpg", ("one colour",), ("grey and colour",)),
    ("shows nothing", put("cat/x.png", NOISE), "cat/x.png", ("noise",), ()),
    (
        "part of the range",
        put("cat/x.png", encoded(Image.fromarray(DEEP // 16), "PNG")),
        "cat/x.png",
        ("1 16-bit", "of 65,535"),
        ("grey and colour", "converted"),
    ),
    ("same folders in all classes", sort_by_day, "cat", ("'monday', 'tuesday'",), ()),
    ("part by its name", into_parts("Training"), "Training", ("train",), ()),
    ("folder around all others", into_parts("photos"), "photos", (), ()),
    (
        "no image",
        all_of(put("cat/a.txt", b"BM is no bitmap"), put("cat/b.txt", b"P3 is no map")),
        "cat/a.txt",
        ("2 files",),
        (),
    ),
    ("no image", put("notes", b"Monday"), "notes", ("1 file without",), ()),
    ("left by a system", put("cat/@eaDir/0.jpg/SYNOPHOTO_THUMB_XL.jpg", PHOTO), "cat/@eaDir", (), ()),
    ("left by a system", put("__MACOSX/cat/x.jpg", PHOTO), "__MACOSX", (), ()),
    (
        "run folder",
        all_of(put("run/plan.json", b"{}"), put("run/manifest.json", b"{}"), put("run/tensorboard/x.jpg", PHOTO)),
        "run",
        (),
        (),
    ),
    ("hidden file", put("cat/.x.jpg", PHOTO), "cat/.x.jpg", ("file",), ()),
    ("hidden file", put(".git/x.jpg", PHOTO), ".git", ("folder",), ()),
    ("unusual name", put("cat/\N{CAT FACE}.jpg", PHOTO), "cat/\N{CAT FACE}.jpg", ("emoji",), ()),
    ("unusual name", put(f"cat/{CAFE_APART}.jpg", PHOTO), f"cat/{CAFE_APART}.jpg", ("NFC",), ()),
    ("unusual name", put("cat/a\tb.jpg", PHOTO), "cat/a\tb.jpg", ("control",), ()),
    ("unusual name", put("cat/é\u200d.jpg", PHOTO), "cat/é\u200d.jpg", ("control",), ()),
    ("unusual name", put("cat/caf\udce9.jpg", PHOTO), r"cat/caf\udce9.jpg", ("UTF-8",), ()),
    ("unusual name", put("cat/é\udce9.jpg", PHOTO), r"cat/é\udce9.jpg", ("UTF-8",), ()),
    ("very long name", put(f"cat/{'x' * 246}.jpg", PHOTO), f"cat/{'x' * 246}.jpg", ("250 bytes", "200"), ()),
]


@pytest.mark.parametrize(("kind", "write", "key", "holds", "brings"), CASES)
def test_each_trouble_is_named_and_nothing_else_is_said(
    kind: str,
    write: Callable[[Path], None],
    key: str,
    holds: tuple[str, ...],
    brings: tuple[str, ...],
    clean: Path,
) -> None:
    write(clean)
    before = listing(clean)
    found = checked(clean)
    assert any(name == key and all(part in text for part in holds) for name, text in of_kind(found, kind)), (
        found.findings
    )
    assert kinds(found) == {kind, *brings}
    assert listing(clean) == before


def test_every_kind_has_a_case() -> None:
    elsewhere = {"class missing in a part", "duplicate across parts", "near-duplicate across parts"}
    assert {kind for kind, *_ in CASES} | elsewhere == set(KINDS)


def test_parts(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    for part, names in (("train", ("cat", "coffee")), ("test", ("cat",))):
        for name in names:
            for number in range(FEWEST):
                put(f"{part}/{name}/{number}.jpg", b"")
                (root / part / name).mkdir(parents=True, exist_ok=True)
                place = number + 50 * (part == "test")
                (root / part / name / f"{number}.jpg").write_bytes(jpeg(crop(name, place))[1])
    (root / "test/cat/same.jpg").write_bytes((root / "train/cat/3.jpg").read_bytes())
    (root / "test/cat/like.jpg").write_bytes(encoded(crop("cat", 4), "JPEG", quality=50))
    (root / "overview.jpg").write_bytes(PHOTO)
    found = checked(root)
    assert [(finding.kind, finding.severity, finding.key, finding.others) for finding in found.findings] == [
        ("outside of class folders", "left out", "overview.jpg", ()),
        ("class missing in a part", "warning", "coffee", ()),
        ("duplicate across parts", "warning", "test/cat/same.jpg", ("train/cat/3.jpg",)),
        ("near-duplicate across parts", "warning", "test/cat/like.jpg", ("train/cat/4.jpg",)),
    ]
    assert "'test', 'train'" in found.findings[2].sentence
    assert set(found.findings[0].to_json()) == {"kind", "severity", "key", "sentence", "others"}


def test_what_is_left_is_a_data_set(clean: Path) -> None:
    put("cat/bad.jpg", b"")(clean)
    put("ant/bad.jpg", b"")(clean)  # the first class of all: labels move
    found = checked(clean)
    assert found.source.classes == ("ant", "cat", "coffee")
    assert found.dataset.classes == ("cat", "coffee")
    assert [found.source.samples[index].key for index in found.readable] == [
        sample.key for sample in found.dataset.samples
    ]
    assert found.dataset.labels.tolist() == [0] * FEWEST + [1] * FEWEST
    assert found.dataset.image(0) == clean / "cat/0.jpg"
    assert found.facts.hashes == tuple(map(found.dataset.content_hash, range(2 * FEWEST)))
    assert found.counts()["ant"] == {"all": 0}
    assert found.to_json()["severities"] == {"left out": 3, "warning": 0, "note": 0}


def test_a_lower_limit_leaves_out_more(clean: Path) -> None:
    put("cat/x.png", encoded(Image.new("RGB", (200, 201), "red"), "PNG"))(clean)
    assert kinds(checked(clean, max_pixels=40_200)) == {"shows nothing"}
    ((key, sentence),) = of_kind(checked(clean, max_pixels=40_199), "over the pixel limit")
    assert key == "cat/x.png" and "40,200" in sentence and "40,199" in sentence


def test_nothing_usable_is_an_error_when_it_is_used(tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "cat/2.jpg").write_bytes(PHOTO)
    found = checked(tmp_path)
    assert [finding.key for finding in found.findings] == ["cat/1.jpg", "dog/1.jpg", "dog"]
    with refused(BadData, tmp_path.name, "1 of 3", "cat/1.jpg", "0 bytes"):
        _ = found.dataset


def test_no_data_at_all(tmp_path: Path) -> None:
    with refused(UnknownData, tmp_path / "nowhere"):
        checked(tmp_path / "nowhere")


def test_a_file_that_may_not_be_read(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal is made up."""
    real = Path.open

    def refuse(path: Path, *arguments, **options):
        if path.name == "3.jpg":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    found = of_kind(checked(clean), "unreadable image")
    assert [key for key, _ in found] == ["cat/3.jpg", "coffee/3.jpg"]
    assert all("Permission denied" in sentence for _, sentence in found)


def test_findings_of_a_table(clean: Path) -> None:
    rows = [f"cat/{number}.jpg,{('Cat', 'cat')[number % 2]}" for number in range(FEWEST)]
    rows += [f"coffee/{number}.jpg,coffee" for number in range(FEWEST)]
    (clean / "coffee/0.jpg").write_bytes(b"")
    (clean / "table.csv").write_text("\n".join(["path,label", *rows]))
    found = checked(clean / "table.csv")
    assert kinds(found) == {"unreadable image", "tiny class", "similar class names"}
    assert found.dataset.counts() == {"Cat": 5, "cat": 5, "coffee": FEWEST - 1}


def test_meanings_state_the_limits() -> None:
    limits = {
        "tiny class": f"fewer than {rules.FEW} images",
        "extreme size": f"below {rules.SHORTEST} pixels, or {rules.SIZE_FACTOR} times",
        "extreme shape": f"more than {rules.SHAPE_FACTOR} times",
        "very long name": f"more than {rules.LONG_NAME} bytes",
    }
    assert all(words in KINDS[kind][1] for kind, words in limits.items())


def test_severity_comes_from_the_kind() -> None:
    assert {severity for severity, _ in KINDS.values()} == {"left out", "warning", "note"}
    assert Finding("duplicate", "a", "b").severity == "note"


def test_look_alikes_that_a_split_parts_are_a_warning(clean: Path) -> None:
    found = checked(clean)
    twins = Path(clean, "cat", "twin.jpg")
    Image.open(sorted((clean / "cat").iterdir())[0]).resize((90, 90)).save(twins, quality=80)
    found = checked(clean)
    assert "near-duplicate" in kinds(found) and "near-duplicate across parts" not in kinds(found)
    indices = {sample.key: index for index, sample in enumerate(found.dataset.samples)}
    test = np.array([indices["cat/twin.jpg"]])
    train = np.array([index for index in indices.values() if index not in test])
    parted = found.divided(Split(train, np.array([], np.int64), test, "by hand"))
    assert "near-duplicate across parts" in kinds(parted) and "near-duplicate" not in kinds(parted)
    assert parted.divided(Split(np.arange(len(indices)), test[:0], test[:0], "all")).findings == found.findings


def test_copies_do_not_hide_a_look_alike_in_another_part(tmp_path: Path) -> None:
    root = write_clean(tmp_path / "data")
    first = sorted((root / "cat").iterdir())[0]
    (root / "cat" / "copy.jpg").write_bytes(first.read_bytes())
    Image.open(first).resize((90, 90)).save(root / "cat" / "twin.jpg", quality=80)
    found = checked(root)
    keys = [sample.key for sample in found.dataset.samples]
    test = np.array([index for index, key in enumerate(keys) if key != "cat/copy.jpg"])
    parted = found.divided(Split(np.array([keys.index("cat/copy.jpg")]), test[:0], test, "by hand"))
    assert {"duplicate across parts", "near-duplicate across parts"} <= kinds(parted)
