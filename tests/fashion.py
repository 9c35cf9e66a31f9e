"""The first images of Fashion-MNIST, in the data set's own form: for tests that need real images, but not all of them."""

import struct
from pathlib import Path

import numpy as np

from pocketvision.data.read import read_dataset


def write_first(folder: Path, train: int, test: int) -> Path:
    """Write a data set of so many images of both parts; return its folder, which must not exist."""
    dataset = read_dataset("fashion-mnist")
    folder.mkdir()
    for part, stem, most in (("train", "train", train), ("test", "t10k", test)):
        found = [i for i, sample in enumerate(dataset.samples) if sample.part == part][:most]
        images = np.stack([dataset.image(i) for i in found])
        labels = bytes(dataset.samples[i].label for i in found)
        head = struct.pack(">IIII", 0x803, *images.shape)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(found)) + labels)
    return folder
