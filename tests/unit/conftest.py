"""One small network, exported once, for the tests of all that reads the file."""

import pytest

from artifacts import Exported, export


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A network of ten classes and its file. Nobody changes it: tests that damage a file damage a copy."""
    return export("mobilenet_v1", tmp_path_factory.mktemp("exported") / "model.onnx")
