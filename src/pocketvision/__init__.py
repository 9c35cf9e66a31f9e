"""Fit a vision network to your images and your device.

    import pocketvision as pv
    run = pv.fit("photos/", out="run/", minutes=20)      # needs pocketvision[train]
    model = pv.load("run/model.onnx")                    # needs no torch
    model.predict("cat.jpg")
    pv.count(pv.resolve("mobilenet_v1", width=0.5, resolution=160)).macs

Importing this is instant: each name is loaded when it is first used.
"""

import os
from importlib import import_module
from typing import Any

from pocketvision.errors import missing_extra

# ONNX Runtime reads it once, when it is loaded; nothing but "1" keeps it from writing an identifier into HOME and connecting.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
__all__ = ["Budget", "__version__", "build", "count", "fit", "load", "resolve", "verify"]

_HOMES = {
    "Budget": ("pocketvision.cost.budget", "Budget"),
    "build": ("pocketvision.model.network", "build"),
    "count": ("pocketvision.cost.count", "count"),
    "fit": ("pocketvision.jobs.call", "fit"),
    "load": ("pocketvision.run.predictor", "load"),
    "resolve": ("pocketvision.model.resolve", "resolve"),
    "verify": ("pocketvision.export.verify", "verify_file"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pocketvision' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _HOMES[name]
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
