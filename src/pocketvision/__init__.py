"""Fit a vision network to your images and your device.

    import pocketvision as pv
    run = pv.fit("photos/", out="run/", minutes=20)      # needs pocketvision[train]
    model = pv.load("run/")                              # needs no torch
    model.predict("cat.jpg")
    pv.count(pv.resolve("mobilenet_v1", width=0.5, resolution=160)).macs

Importing this is instant: each name is loaded when it is first used.
"""

import os
from importlib import import_module
from typing import Any

from pocketvision import errors
from pocketvision.errors import missing_extra, nearest

# ONNX Runtime reads it once, when it is loaded; nothing but "1" keeps it from writing an identifier into HOME and connecting.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["Budget", "__version__", "build", "count", "errors", "fit", "load", "plan", "resolve", "verify"]

_HOMES = {
    "Budget": ("pocketvision.cost.budget", "Budget"),
    "build": ("pocketvision.model.network", "build"),
    "count": ("pocketvision.cost.count", "count"),
    "fit": ("pocketvision.call", "fit"),
    "load": ("pocketvision.run.predictor", "load"),
    "plan": ("pocketvision.call", "plan"),
    "resolve": ("pocketvision.model.resolve", "resolve"),
    "verify": ("pocketvision.export.verify", "verify_file"),
}  # __init__.pyi says the same to programs that check types


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        known = [each for each in __all__ if not each.startswith("_")]
        said = f"it has {', '.join(known)}; nearest: {nearest(name, known)}"
        raise AttributeError(f"module 'pocketvision' has no attribute {name!r}; {said}")
    module, attribute = _HOMES[name]
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error


def __dir__() -> list[str]:
    return sorted(__all__)
