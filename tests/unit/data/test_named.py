"""Data sets by name. The network is never used here: the ways to fetch are replaced by programs and modules of our own."""

import dataclasses
import gzip
import hashlib
import os
import struct
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from pocketvision.data import named
from pocketvision.data.idx import FILES
from pocketvision.data.named import NAMED, cache_folder, read_named
from pocketvision.errors import BadData, UnknownData
from refusals import refused

IMAGES = struct.pack(">4B3I", 0, 0, 8, 3, 2, 2, 2) + bytes(range(8))
LABELS = struct.pack(">4BI", 0, 0, 8, 1, 2) + b"\0\1"
CONTENT = dict(zip(FILES, (IMAGES, LABELS, IMAGES, LABELS), strict=True))


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no program and no torchvision, and a data set "tiny" that is nowhere yet."""
    tiny = dataclasses.replace(
        NAMED["fashion-mnist"],
        classes=("left", "right"),
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()},
        debian_package="dataset-tiny",
        debian_folder=f"{tmp_path}/usr/share/datasets/tiny",
        torchvision_class="Tiny",
    )
    monkeypatch.setitem(NAMED, "tiny", tiny)
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    (tmp_path / "bin").mkdir()
    return tmp_path / "cache"


def program(folder: Path, name: str, lines: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\necho {name} $* >> {folder}/log\n{lines}\n")
    path.chmod(0o755)


def check(dataset: object) -> None:
    assert repr(dataset) == "Dataset('tiny': 4 images, 2 classes)"


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mona")
    monkeypatch.delenv("POCKETVISION_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/home/mona/.cache/pocketvision")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/pocketvision")
    monkeypatch.setenv("POCKETVISION_CACHE", "/own")
    assert cache_folder() == Path("/own")


def test_an_unknown_name() -> None:
    with refused(UnknownData, "'fashion'", *NAMED, attempt="fashion-mnist"):
        read_named("fashion")


def test_found_in_the_cache_before_the_package(cache: Path) -> None:
    write(cache / "tiny")
    Path(NAMED["tiny"].debian_folder).mkdir(parents=True)
    check(read_named("tiny"))


def test_found_in_the_package(cache: Path) -> None:
    write(Path(NAMED["tiny"].debian_folder))
    check(read_named("tiny"))
    assert not cache.exists()


def test_a_file_that_was_changed_is_named(cache: Path) -> None:
    path = write(cache / "tiny") / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(LABELS[:-1] + b"\0"))
    found = hashlib.sha256(LABELS[:-1] + b"\0").hexdigest()
    with refused(BadData, path, found, hashlib.sha256(LABELS).hexdigest(), attempt=str(cache / "tiny")):
        read_named("tiny")


def debian(cache: Path, known: bool) -> Path:
    """Programs that act like apt-get and dpkg-deb; the system's lists know the package or do not."""
    files, programs = write(cache.parent / "mirror"), cache.parent / "bin"
    program(
        programs,
        "apt-get",
        f"""
case "$*" in
*update) echo "E: one mirror is dead"; touch updated; exit 100;;
*) if [ -e updated ] || {str(known).lower()}; then touch dataset-tiny_1_all.deb
   else echo "E: Unable to locate package dataset-tiny"; exit 100; fi;;
esac""",
    )
    program(
        programs,
        "dpkg-deb",
        f'mkdir -p "$3{cache.parent}/usr/share/datasets" && cp -r {files} "$3{cache.parent}/usr/share/datasets/tiny"',
    )
    return programs / "log"


def test_fetched_by_apt(cache: Path) -> None:
    log = debian(cache, known=True)
    check(read_named("tiny"))
    assert log.read_text().splitlines()[0].split()[-2:] == ["download", "dataset-tiny"]
    assert [path.name for path in cache.iterdir()] == ["tiny"], "nothing else is left behind"
    for path in (cache.parent / "bin").iterdir():
        path.unlink()
    check(read_named("tiny"))


def test_apt_reads_fresh_lists_where_the_system_has_none(cache: Path) -> None:
    log = debian(cache, known=False)
    check(read_named("tiny"))
    first, update, second, unpack = log.read_text().splitlines()
    assert "Dir::State::lists" not in first
    for line in (first, update, second):
        assert f"-o Dir::Cache={cache}/.tiny-" in line
    for line in (update, second):
        assert f"-o Dir::State::lists={cache}/.tiny-" in line
    assert update.endswith("update")
    assert unpack.startswith(f"dpkg-deb -x {cache}/.tiny-")


def torchvision(cache: Path, content: dict[str, bytes]) -> SimpleNamespace:
    class Tiny:
        def __init__(self, root: Path, download: bool) -> None:
            assert download
            (root / "Tiny" / "raw").mkdir(parents=True)
            for name, bytes_ in content.items():
                (root / "Tiny" / "raw" / name).write_bytes(bytes_)
                (root / "Tiny" / "raw" / f"{name}.gz").write_bytes(gzip.compress(bytes_))

    return SimpleNamespace(Tiny=Tiny)


def test_fetched_by_torchvision(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", torchvision(cache, CONTENT))
    check(read_named("tiny"))
    assert sorted(path.name for path in (cache / "tiny").iterdir()) == sorted(FILES)


def test_what_is_fetched_wrong_never_gets_the_final_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.datasets", torchvision(cache, CONTENT | {FILES[1]: LABELS + b"\0"}))
    with refused(UnknownData, "torchvision", "train-labels-idx1-ubyte", "SHA-256"):
        read_named("tiny")
    assert list(cache.iterdir()) == []


def test_another_process_may_be_first(cache: Path) -> None:
    def fetch(_: named.Named, temporary: Path) -> Path:
        write(cache / "tiny")
        return write(temporary / "own")

    named._fetch_into(cache / "tiny", "tiny", fetch)
    assert [path.name for path in cache.iterdir()] == ["tiny"]


def test_every_way_fails(cache: Path) -> None:
    program(cache.parent / "bin", "apt-get", 'echo "E: Unable to locate package dataset-tiny"; exit 100')
    program(cache.parent / "bin", "dpkg-deb", "")
    named = (
        "'tiny'",
        f"{cache}/tiny",
        NAMED["tiny"].debian_folder,
        "E: Unable to locate package",
        "torchvision.datasets",
    )
    with refused(UnknownData, *named, attempt="apt-get install dataset-tiny") as caught:
        read_named("tiny")
    assert all(name in caught.value.attempt for name in FILES)


def test_no_apt_and_no_place_to_write(cache: Path) -> None:
    with refused(UnknownData, "apt-get is not", "torchvision: "):
        read_named("tiny")
    cache.rmdir()
    cache.touch()
    with refused(UnknownData, "apt-get: ", "File exists"):
        read_named("tiny")


def test_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path(NAMED["fashion-mnist"].debian_folder).is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("CI must install the Debian package dataset-fashion-mnist")
        pytest.skip("needs Fashion-MNIST: apt-get install dataset-fashion-mnist")
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path))
    fashion = read_named("fashion-mnist")
    assert repr(fashion) == "Dataset('fashion-mnist': 70000 images, 10 classes)"
    assert set(fashion.counts("train").values()) == {6000}
    assert set(fashion.counts("test").values()) == {1000}
    assert fashion.classes[fashion.samples[0].label] == "Ankle boot"
    boot = fashion.image(0)
    assert isinstance(boot, np.ndarray)
    assert (boot.shape, boot.dtype) == ((28, 28), np.uint8)
