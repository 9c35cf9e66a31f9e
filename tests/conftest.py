"""Makes `tests/` importable, so that tests share `graphs.py`; holds what all tests share."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

from graphs import STRUCTURES
from pocketvision.data.named import NAMED, cache_folder

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell starts what runs behind "&" so, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


os.environ["HF_HUB_OFFLINE"] = "1"  # no test fetches weights; those that need some say which file
os.environ["POCKETVISION_ENGINE"] = "onnxruntime"  # choosing takes time; tests of the choice ask for it
os.environ["TORCH_HOME"] = os.devnull  # so that none are found, either


@pytest.fixture(params=STRUCTURES)
def family(request: pytest.FixtureRequest) -> str:
    """A family of each structure in turn; see `graphs.py`."""
    return request.param


@pytest.fixture(scope="session")
def fashion_mnist() -> Path:
    """Folder of the reference data."""
    places = (cache_folder() / "fashion-mnist", Path(NAMED["fashion-mnist"].debian_folder))
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        pytest.skip(f"Fashion-MNIST is not on this machine: neither {places[0]} nor {places[1]} exists")
    return found


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Two test processes on two cores disturb each other less."""
    torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skip is a failure: CI installs the data, the browser and the tools; only the rights are its own."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and "needs root" not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
