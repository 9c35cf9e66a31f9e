"""Which photographs look like this one? Pooled features of a model file, compared by cosine; no PyTorch.

python examples/nearest_neighbours.py model.onnx photos/ cat.jpg
"""

import sys
from pathlib import Path

import numpy as np

import pocketvision as pv
from pocketvision.run.predictor import image_files


def nearest(model_file: str, folder: str, image: str, count: int = 5) -> list[tuple[float, Path]]:
    """Return the images of a folder that are most like an image, with their cosine, the nearest first."""
    model, files = pv.load(model_file), image_files(folder)
    features = np.vstack([model.embed(files), model.embed(image)])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features[:-1] @ features[-1]
    return [(float(cosines[i]), files[i]) for i in np.argsort(-cosines, kind="stable")[:count]]


if __name__ == "__main__":
    for cosine, file in nearest(*sys.argv[1:4]):
        print(f"{cosine:.3f}  {file}")
