"""Data sets that are known by name: found on this machine, or fetched once into the cache."""

import importlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pocketvision.data.dataset import Dataset
from pocketvision.data.idx import read_idx_folder
from pocketvision.errors import InputError, UnknownData, nearest
from pocketvision.files import cache_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Named:
    """What is known of a data set in IDX files, and where it can be fetched.

    Args:
        classes: names of the classes, in the order of the labels.
        sha256: for each of the four files the SHA-256 of its content when not compressed: whoever compresses it.
        debian_package: the package that ships it.
        debian_folder: where that package puts the files.
        torchvision_class: the class of `torchvision.datasets` that downloads it.
    """

    classes: tuple[str, ...]
    sha256: dict[str, str]
    debian_package: str
    debian_folder: str
    torchvision_class: str


NAMED: dict[str, Named] = {
    "fashion-mnist": Named(
        # Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747. The names are those of the README that comes with the files.
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        # Of the files in Debian's dataset-fashion-mnist 0.0~git20200523.55506a9-1.
        sha256={
            "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        debian_package="dataset-fashion-mnist",
        debian_folder="/usr/share/datasets/fashion-mnist",
        torchvision_class="FashionMNIST",
    ),
}  # fmt: skip
"""The data sets known by name."""


def read_named(name: str) -> Dataset:
    """Read a data set by its name; fetch it where this machine does not have it.

    Looks in the cache folder, then in the folder of the Debian package; else fetches it by apt-get (without root) and
    else by torchvision, into the cache folder. The content of all files is checked by SHA-256, wherever they are from.
    The cache folder is $POCKETVISION_CACHE, else $XDG_CACHE_HOME/pocketvision, else ~/.cache/pocketvision.

    Args:
        name: one of `NAMED`.

    Raises:
        UnknownData: no data set has that name, or it is not on this machine and cannot be fetched; says what was tried.
        BadData: a file on this machine has another SHA-256.
    """
    if name not in NAMED:
        known = sorted(NAMED)
        raise UnknownData(f"no data set named '{name}'. Known: {', '.join(known)}.", nearest(name, known))
    kept = cache_folder() / name
    for folder in (kept, Path(NAMED[name].debian_folder)):
        if folder.is_dir():
            return _read(name, folder)
    failures = [f"{kept}: no such folder", f"{NAMED[name].debian_folder}: no such folder"]
    for way, fetch in (("apt-get", _fetch_by_apt), ("torchvision", _fetch_by_torchvision)):
        try:
            _fetch_into(kept, name, fetch)
            return _read(name, kept)
        # Any failure of one way, whoever raises it, only means that the next one is tried; all are reported below.
        except (OSError, RuntimeError, ImportError, InputError, subprocess.SubprocessError) as error:
            failures.append(f"{way}: {error}")
    raise UnknownData(
        f"'{name}' is not on this machine and cannot be fetched. Tried " + "; ".join(failures) + ".",
        f"apt-get install {NAMED[name].debian_package}, or put the four files ({', '.join(NAMED[name].sha256)}) into {kept}",
    )


def _read(name: str, folder: Path) -> Dataset:
    """Read the files of a known data set, and check that they are the right ones."""
    return read_idx_folder(folder, name=name, classes=NAMED[name].classes, sha256=NAMED[name].sha256)


def _fetch_into(kept: Path, name: str, fetch: Callable[[Named, Path], Path]) -> None:
    """Fetch into a temporary folder beside `kept`, check there, and rename: `kept` is never half full."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    log.info("fetching %s into %s", name, kept)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=kept.parent) as temporary:
        folder = fetch(NAMED[name], Path(temporary))
        _read(name, folder)
        try:
            folder.rename(kept)
        except OSError:
            if not kept.is_dir():  # otherwise another process has finished first, with the same files
                raise


def _fetch_by_apt(named: Named, temporary: Path) -> Path:
    """Download a Debian package as any user, without installing it, and return the folder of its files.

    Where the package lists of this machine do not lead to the package, fresh ones are read into the temporary folder.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise OSError(f"{tool} is not on this machine")
    (temporary / "lists").mkdir()
    options = ["-o", f"Dir::Cache={temporary / 'cache'}"]
    fresh = [*options, "-o", f"Dir::State::lists={temporary / 'lists'}"]
    try:
        _command(["apt-get", *options, "download", named.debian_package], temporary)
    except OSError:
        _command(["apt-get", *fresh, "update"], temporary, check=False)  # one dead mirror of several fails it
        _command(["apt-get", *fresh, "download", named.debian_package], temporary)
    package = next(temporary.glob(f"{named.debian_package}_*.deb"))
    _command(["dpkg-deb", "-x", str(package), str(temporary / "content")], temporary)
    return temporary / "content" / named.debian_folder.lstrip("/")


def _command(arguments: list[str], folder: Path, *, check: bool = True) -> None:
    """Run a program in a folder; raise OSError with its last line where it fails."""
    done = subprocess.run(
        arguments,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=1800,  # 31 MB on a slow line
    )
    log.debug("%s: exit %d\n%s", " ".join(arguments), done.returncode, done.stdout)
    if check and done.returncode:
        last = done.stdout.strip().splitlines()[-1:] or ["no word"]
        raise OSError(f"{arguments[0]} ended with {done.returncode}: {last[0]}")


def _fetch_by_torchvision(named: Named, temporary: Path) -> Path:
    """Download by torchvision, where it is installed, and return the folder of the files."""
    # Imported by name, inside the function: data.named itself must load where there is no torch.
    datasets = importlib.import_module("torchvision.datasets")
    getattr(datasets, named.torchvision_class)(temporary, download=True)
    raw = temporary / named.torchvision_class / "raw"
    for compressed in raw.glob("*.gz"):  # torchvision leaves each file twice
        compressed.unlink()
    return raw
