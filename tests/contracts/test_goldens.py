"""The promise: every family's file gives the recorded answers to its goldens, and a file of other weights does not.

Every family, variants too: writing a file compares it with torch, image by image, so this is the parity of each.
"""

from dataclasses import replace

import pytest

from artifacts import export
from graphs import FAMILY_NAMES, FEW, random_arrays
from pocketvision.errors import VerificationFailed
from pocketvision.export.seal import seal
from pocketvision.export.verify import verify_file
from pocketvision.model.onnx_writer import write_onnx
from refusals import refused


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_goldens_verify(family, tmp_path):
    exported = export(family, tmp_path / "model.onnx")
    names = [check.name for check in verify_file(exported.path)]
    assert names[-1] == "goldens"
    assert exported.parity.images == exported.parity.same_top1 == 8


@pytest.mark.parametrize("family", FEW)
def test_goldens_of_other_weights_fail(family, tmp_path):
    exported = export(family, tmp_path / "model.onnx")
    other = write_onnx(exported.graph, random_arrays(exported.graph, seed=1), exported.record.temperature)
    with refused(VerificationFailed, "goldens"):
        verify_file(seal(other, replace(exported.record, digests={})))
