"""Top-1 of a model file on Fashion-MNIST's 10,000 test images, with nothing of pocketvision: onnxruntime, numpy, Pillow.

    python examples/plain_onnxruntime.py demo/run/model.onnx [folder with the two t10k files]

It shows all that a program needs: resize with Pillow (bilinear), hand over uint8, read the output.
"""

import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

BATCH = 500


def read_test_part(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images (10000, 28, 28) and labels (10000,), both uint8."""

    def read(name: str, header: int) -> np.ndarray:
        plain, packed = folder / name, folder / f"{name}.gz"
        content = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
        return np.frombuffer(content, np.uint8, offset=header)

    return read("t10k-images-idx3-ubyte", 16).reshape(-1, 28, 28), read("t10k-labels-idx1-ubyte", 8)


def find_data() -> Path:
    """Return the folder that holds the data: pocketvision's cache, or the Debian package's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pocketvision"
    places = [Path(os.environ.get("POCKETVISION_CACHE", cache)), Path("/usr/share/datasets")]
    return next(place / "fashion-mnist" for place in places if (place / "fashion-mnist").is_dir())


def main() -> None:
    model = sys.argv[1]
    images, labels = read_test_part(Path(sys.argv[2]) if len(sys.argv) > 2 else find_data())
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    record = json.loads(session.get_modelmeta().custom_metadata_map["pocketvision"])
    names = record["labels"]
    _, side, _, _ = session.get_inputs()[0].shape
    assert names[0] == "T-shirt/top" and len(names) == 10, "a model of Fashion-MNIST, please"

    right = 0
    for start in range(0, len(images), BATCH):
        resized = [
            np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
            for image in images[start : start + BATCH]
        ]
        probabilities = session.run(["probabilities"], {"image": np.stack(resized)[..., None]})[0]
        right += int((probabilities.argmax(1) == labels[start : start + BATCH]).sum())
    print(f"top-1 on {len(images):,} test images: {right / len(images):.4f}")


if __name__ == "__main__":
    main()
