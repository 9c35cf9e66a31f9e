import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.external_data_helper import set_external_data

from pocketvision.errors import BadArtifact, VerificationFailed
from pocketvision.export.seal import seal
from pocketvision.export.verify import ALLOWED_OPS, verify_file
from pocketvision.model.onnx_writer import write_onnx
from refusals import refused


def test_the_good_file_passes(exported):
    for file in (exported.path, str(exported.path), exported.content):
        checks = verify_file(file)
        assert [check.name for check in checks] == ["ops", "weights", "record", "nodes", "goldens"]
        assert not any(check.problem for check in checks)
        assert checks[-1].detail.startswith("4 inputs, largest difference ")


def proto_of(exported):
    return onnx.load_model_from_string(exported.content)


def fails(proto, *named, kind=VerificationFailed):
    """Verifying says what differs, all of it, and that the file was changed or damaged."""
    with refused(kind, *named) as caught:
        verify_file(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return caught.value.problem


def change_record(proto, **changes):
    entry = proto.metadata_props[0]
    entry.value = json.dumps(json.loads(entry.value) | changes)


def change_weight(proto, number):
    tensor = proto.graph.initializer[number]
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
    return tensor.name


def test_one_byte_of_a_weight(exported):
    proto = proto_of(exported)
    name = change_weight(proto, 5)
    assert fails(proto) == f"weights: {name!r} differs."


def test_many_weights(exported):
    proto = proto_of(exported)
    names = sorted(change_weight(proto, number) for number in range(2, 8))[:3]
    assert fails(proto) == f"weights: {', '.join(map(repr, names))} differs."


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("labels", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]),
        ("resolution", 64),
        ("channels", 1),
        ("temperature", 1.0),
        ("metrics", {"test": {"top1": 1.0}}),
    ],
)
def test_an_entry_of_the_record(exported, entry, value):
    proto = proto_of(exported)
    change_record(proto, **{entry: value})
    assert fails(proto) == f"record: {entry!r} differs."


@pytest.mark.parametrize("part", ["logits", "count", "top"])
def test_a_golden(exported, part):
    proto = proto_of(exported)
    goldens = json.loads(proto.metadata_props[0].value)["goldens"]
    if part == "count":
        goldens["count"] = 3
    else:
        goldens[part][1][2] += 1
    change_record(proto, goldens=goldens)
    assert fails(proto) == "record: 'goldens' differs."


def test_an_attribute_of_a_node(exported):
    proto = proto_of(exported)
    gemm = next(node for node in proto.graph.node if node.op_type == "Gemm")
    gemm.attribute.append(helper.make_attribute("alpha", 1.5))
    assert fails(proto).startswith("nodes: ")


def test_a_foreign_op(exported):
    proto = proto_of(exported)
    for node in proto.graph.node:
        node.input[:] = ["bent" if name == "logits.calibrated" else name for name in node.input]
    proto.graph.node.insert(len(proto.graph.node) - 1, helper.make_node("Sin", ["logits.calibrated"], ["bent"]))
    fails(proto, "op 'Sin'", "nodes: ")
    assert "nodes" not in fails(seal(proto.SerializeToString(), exported.record), "op 'Sin'")


def test_an_op_of_another_domain(exported):
    proto = proto_of(exported)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    proto.graph.node[-1].input[0] = "bent"
    proto.graph.node.insert(
        len(proto.graph.node) - 1, helper.make_node("Gelu", ["logits.calibrated"], ["bent"], domain="com.microsoft")
    )
    fails(seal(proto.SerializeToString(), exported.record), "op 'Gelu'")


def test_several_parts(exported):
    proto = proto_of(exported)
    name = change_weight(proto, 0)
    proto.graph.doc_string = "not covered"
    change_record(proto, labels=list("abcdefghij"))
    assert fails(proto) == f"weights: {name!r} differs; record: 'labels' differs."


def test_a_file_without_digests(exported):
    proto = proto_of(exported)
    change_record(proto, digests={})
    fails(proto, "weights: ", "nodes: ")


def test_goldens_of_another_network(exported):
    """The digests fit, the answers do not: as if this machine's engine computed wrongly."""
    goldens = exported.record.goldens
    first = list(goldens.logits[0])
    first[3] += goldens.largest / 10
    wrong = replace(exported.record, goldens=replace(goldens, logits=(tuple(first), *goldens.logits[1:])))
    fails(seal(exported.content, wrong), "goldens: ", "0.1 ", "0.0001")


def test_weights_that_are_no_numbers(exported):
    arrays = {name: array.copy() for name, array in exported.network.arrays().items()}
    arrays["classifier.bias"][7] = np.nan
    fails(seal(write_onnx(exported.graph, arrays), exported.record), "goldens: ", "nan", "0.0001")


def test_a_record_of_another_network(exported):
    other = replace(exported.record, resolution=64)
    fails(seal(exported.content, other), "(4, 64, 64, 3) uint8", kind=BadArtifact)


def test_a_file_that_was_cut_short(exported):
    fails(exported.content[:-100_000], "cut short", kind=BadArtifact)


def test_a_file_that_reaches_outside(exported):
    proto = proto_of(exported)
    set_external_data(proto.graph.initializer[0], "weights.bin")
    fails(proto, "1 of its tensors", repr(proto.graph.initializer[0].name), kind=BadArtifact)


def test_what_is_no_model(exported, tmp_path):
    fails(b"PK\x03\x04", "not an ONNX model", "byte 2", kind=BadArtifact)
    with refused(BadArtifact, tmp_path / "none.onnx", "No such file or directory"):
        verify_file(tmp_path / "none.onnx")


def test_a_byte_anywhere_is_noticed(exported):
    """Outside of the names and comments that nothing reads."""
    rng, content = np.random.default_rng(0), exported.content
    for place in rng.integers(1000, len(content) - 10_000, 12):
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        with pytest.raises((VerificationFailed, BadArtifact)):
            verify_file(bytes(damaged))


def test_the_ops_that_networks_are_written_with_are_allowed(exported):
    assert {node.op_type for node in proto_of(exported).graph.node} <= ALLOWED_OPS
