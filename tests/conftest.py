"""Makes `tests/` importable, so that tests share `graphs.py`."""

import pytest
import torch

from graphs import FAMILY_NAMES


@pytest.fixture(params=FAMILY_NAMES)
def family(request: pytest.FixtureRequest) -> str:
    """Each family in turn."""
    return request.param


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Two test processes on two cores disturb each other less."""
    torch.set_num_threads(1)
