"""Imported weights: kept under our names of arrays, in the cache folder, by a name that the user chose."""

import hashlib
import json
from pathlib import Path

from safetensors.numpy import save as write_safetensors

from pocketvision.errors import BadWeights
from pocketvision.files import write_atomically
from pocketvision.model.published import PUBLISHED
from pocketvision.model.weights.load import ARRAYS, RECORD, Weights, imported_folder


def import_weights(weights: Weights, name: str) -> Path:
    """Keep weights under a name that the user chose, for `load_weights`; return their folder.

    Raises:
        BadWeights: the name is taken or invalid.
    """
    parts = Path(name).parts
    if not name or Path(name).is_absolute() or ".." in parts or any(known.name == name for known in PUBLISHED):
        raise BadWeights(f"weights cannot be kept under the name {name!r}.", "a name such as my-birds")
    folder = imported_folder() / name
    if (folder / RECORD).exists():
        raise BadWeights(
            f"there are weights named {name!r} already, in {folder}.", "another name, or delete that folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    content = write_safetensors(dict(weights.arrays))
    record = {
        "network": weights.graph.source._asdict(),
        "preprocessing": weights.preprocessing.to_json(),
        "labels": weights.labels,
        "top1": weights.top1,
        "assumed": weights.assumed,
        "from": {"name": weights.name, "layout": weights.layout, "sha256": weights.sha256},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomically(folder / ARRAYS, content)
    write_atomically(folder / RECORD, json.dumps(record, indent=1).encode())
    return folder
