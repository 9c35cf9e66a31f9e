"""Save one Fashion-MNIST test image of each class as a PNG file.

python examples/save_test_images.py demo/images
"""

import sys
from pathlib import Path

from PIL import Image

from pocketvision.data.read import read_dataset


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    dataset = read_dataset("fashion-mnist")
    first = {sample.label: i for i, sample in reversed(list(enumerate(dataset.samples))) if sample.part == "test"}
    for label, name in enumerate(dataset.classes):
        Image.fromarray(dataset.image(first[label])).save(
            folder / f"{name.lower().replace('/', '-').replace(' ', '-')}.png"
        )
    print(f"{len(first)} images in {folder}")


if __name__ == "__main__":
    main()
