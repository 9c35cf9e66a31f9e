"""Small trainings that many tests look at, one of them elastic."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commandline import ELASTIC, SMALL, TWO_EPOCHS, Outcome, pocketvision
from jobs import told
from photographs import CLASSES, write_photographs
from pocketvision.call import fit
from pocketvision.jobs.finish.result import Finished
from pocketvision.run import timing


@contextmanager
def hasty() -> Generator[None]:
    """Time networks just well enough to have a number; processes that a test starts take the time that a user's do."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"FEWEST_ROUNDS": timing.NOISE_ROUNDS, "BURST_SECONDS": 0, "REST_SECONDS": 0}.items():
            patch.setattr(timing, name, value)
        patch.setattr(timing.time_interleaved, "__defaults__", (math.inf,))  # however noisy: see its signature
        yield


@pytest.fixture(autouse=True, scope="module")
def hasty_clock() -> Generator[None]:
    """In all tests here. What the session keeps is made before, and hastes itself."""
    with hasty():
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("data") / "photos", CLASSES, each=12)


@pytest.fixture(scope="session")
def training(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """What the command said, and its run folder."""
    folder = tmp_path_factory.mktemp("training") / "run"
    with hasty():
        return pocketvision("fit", photos, *SMALL, "--batch-size", 8, "-o", folder), folder


@pytest.fixture(scope="session")
def run_folder(training: tuple[Outcome, Path]) -> Path:
    outcome, folder = training
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def model(run_folder: Path) -> Path:
    return run_folder / "model.onnx"


@pytest.fixture(scope="session")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with hasty():
        fit(photos, folder, **TWO_EPOCHS)
    return folder


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A device file of all sizes of an elastic run, so that runs do not differ in what was measured."""
    path = tmp_path_factory.mktemp("target") / "device.json"
    words = ("--widths", "0.125,0.1875,0.25", "--resolutions", "16,24,32", "--output-stride", 8, "--classes", 3)
    words += ("--precisions", "fp32", "--seconds", 1)
    with hasty():
        assert pocketvision("probe", "mobilenet_v1_shallow", *words, "-o", path).code == 0
    return path


@pytest.fixture(scope="session")
def elastic(photos: Path, target: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished, list[str]]:
    """A finished elastic run: its folder, what came out, and what was said."""
    folder = tmp_path_factory.mktemp("elastic") / "run"
    with hasty():
        finished, said = told(photos, folder, target=target, **ELASTIC)
    return folder, finished, said
