"""One small training that many tests look at."""

from pathlib import Path

import pytest

from commandline import SMALL, Outcome, pocketvision
from photographs import CLASSES, write_photographs


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("data") / "photos", CLASSES, each=12)


@pytest.fixture(scope="session")
def training(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What the command said, and its run folder."""
    folder = tmp_path_factory.mktemp("training") / "run"
    return pocketvision("fit", photos, *SMALL, "--batch-size", 8, "-o", folder), folder


@pytest.fixture(scope="session")
def run_folder(training: tuple[Outcome, Path]) -> Path:
    outcome, folder = training
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def model(run_folder: Path) -> Path:
    return run_folder / "model.onnx"
