"""What the config.json of timm and Transformers says about the weights beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pocketvision.errors import BadWeights
from pocketvision.model.conventions import CONVENTIONS
from pocketvision.model.weights.state import read_json
from pocketvision.run.preprocessing import Preprocessing

Described = tuple[str, int, Preprocessing, tuple[str, ...]]


def describe_timm(config: Mapping[str, Any]) -> Described:
    """Return what timm's config.json says: conventions, resolution, preprocessing, labels."""
    said = {**config, **config.get("pretrained_cfg", {})}
    is_tf = str(config["architecture"]).startswith("tf_")
    padding, eps = ("same", 1e-3) if is_tf else ("symmetric", 1e-5)
    conventions = _find_conventions(padding, eps, said.get("mean", ()), said.get("std", ()))
    interpolation: Literal["bilinear", "bicubic"] = "bicubic" if said.get("interpolation") == "bicubic" else "bilinear"
    preprocessing = Preprocessing(
        mode="crop", crop_fraction=float(said.get("crop_pct", 0.875)), interpolation=interpolation
    )
    return conventions, int(said["input_size"][-1]), preprocessing, tuple(said.get("label_names") or ())


def describe_transformers(folder: Path, config: Mapping[str, Any]) -> Described:
    """Return what Transformers' config.json and preprocessor_config.json say."""
    processor = (
        read_json(folder / "preprocessor_config.json") if (folder / "preprocessor_config.json").is_file() else {}
    )
    padding = "same" if config.get("tf_padding", True) else "symmetric"
    mean, std = (processor.get(name, (0.5, 0.5, 0.5)) for name in ("image_mean", "image_std"))
    conventions = _find_conventions(padding, float(config.get("layer_norm_eps", 1e-3)), mean, std)
    resolution = int(config.get("image_size", 224))
    short = int(processor.get("size", {}).get("shortest_edge", resolution + 32))
    labels = config.get("id2label", {})
    return (
        conventions,
        resolution,
        Preprocessing(mode="crop", crop_fraction=resolution / short),
        tuple(str(labels[key]) for key in sorted(labels, key=int)),
    )


def _find_conventions(padding: str, eps: float, mean: Any, std: Any) -> str:
    """Return the name of the conventions that a file states."""
    wanted = tuple(255 * float(value) for value in mean), tuple(255 * float(value) for value in std)
    for name, known in CONVENTIONS.items():
        pair = tuple(np.broadcast_to(values, len(wanted[0]) or 1) for values in (known.mean, known.std))
        is_same = all(len(w) and np.allclose(w, k) for w, k in zip(wanted, pair, strict=True))
        if (known.padding, known.batch_norm_eps) == (padding, eps) and is_same:
            return name
    raise BadWeights(
        f"weights with {padding} padding, batch-norm epsilon {eps:g}, mean {list(mean)} and std {list(std)} follow none of the "
        f"known conventions: {', '.join(CONVENTIONS)}.",
        "other weights, or a line for them in model/conventions.py",
    )
