import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from pocketvision.errors import ExportMismatch
from pocketvision.export.artifact import compare, require_parity, write_artifact
from pocketvision.export.seal import digests, seal
from pocketvision.run.predictor import Predictor
from pocketvision.run.record import METADATA_KEY, Record
from refusals import refused


def write(exported, path, reference):
    return write_artifact(path, exported.graph, exported.network.arrays(), exported.record, exported.images, reference)


def test_what_is_written_can_be_opened(exported):
    record = Predictor.open(exported.path).record
    assert replace(record, digests={}) == exported.record
    assert set(record.digests) == {"initializers", "nodes", "record"}
    assert exported.parity.images == exported.parity.same_top1 == 8
    assert 0 < exported.parity.difference < 1e-4
    assert list(exported.path.parent.iterdir()) == [exported.path]


def test_writing_twice_gives_the_same_bytes(exported, tmp_path):
    write(exported, tmp_path / "again.onnx", exported.logits)
    assert (tmp_path / "again.onnx").read_bytes() == exported.content


def test_the_record_of_ten_classes_is_small(exported):
    (entry,) = onnx.load_model_from_string(exported.content).metadata_props
    assert entry.key == METADATA_KEY
    assert len(entry.value.encode()) < 32_000


@pytest.mark.parametrize("old", [b"precious", None])
def test_a_file_that_disagrees_with_the_network_is_not_written(exported, tmp_path, old):
    path = tmp_path / "model.onnx"
    if old is not None:
        path.write_bytes(old)

    def other(images):
        logits = exported.logits(images)
        best = logits[2].argmax()
        logits[2, best - 1], logits[2, best] = logits[2, best] + 1, 0
        return logits

    theirs, ours = other(exported.images), exported.logits(exported.images)
    difference = np.abs(theirs - ours).max() / np.abs(theirs).max()
    assert (theirs.argmax(1) != ours.argmax(1)).sum() == 1
    with refused(ExportMismatch, f"by {difference:.2g} ", "0.0001", "1 of 8 images"):
        write(exported, path, other)
    assert list(tmp_path.iterdir()) == ([] if old is None else [path])
    assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("factor", [1 + 3e-4, 1 - 3e-4, np.nan])
def test_a_small_difference_and_what_is_no_number_are_refused(exported, factor):
    with pytest.raises(ExportMismatch):
        require_parity(exported.content, exported.images, lambda images: exported.logits(images) * factor)
    require_parity(exported.content, exported.images, lambda images: exported.logits(images) * (1 + 3e-5))


def test_a_label_may_only_change_where_the_best_two_tie():
    theirs = np.array([[1.0, 0.5, 10.0], [3.0, 3.0005, 0.0], [2.0, 1.0, 0.0]], np.float32)
    ours = theirs.copy()
    assert compare(ours, theirs).same_top1 == 3
    ours[1, 0] += 0.0009  # 9e-5 of the largest |logit|: within the tolerance
    parity = compare(ours, theirs)
    assert parity.same_top1 == 3 and parity.difference == pytest.approx(9e-5, rel=0.01)
    ours[2] = [1.0, 2.0, 0.0]
    parity = compare(ours, theirs)
    assert parity.same_top1 == 2 and parity.difference == pytest.approx(0.1)


def test_seal_keeps_the_network_and_replaces_the_record(exported):
    other = replace(exported.record, labels=tuple(reversed(exported.record.labels)))
    before, after = (onnx.load_model_from_string(c) for c in (exported.content, seal(exported.content, other)))
    assert before.graph == after.graph
    assert Record.from_json(after.metadata_props[0].value).labels == other.labels
    assert seal(seal(exported.content, other), exported.record) == exported.content


def test_digests_name_every_part(exported):
    proto = onnx.load_model_from_string(exported.content)
    found = digests(proto, exported.record)
    assert set(found["initializers"]) == {tensor.name for tensor in proto.graph.initializer}
    assert set(found["record"]) == set(json.loads(exported.record.to_json())) - {"digests"}
    every = [*found["initializers"].values(), *found["record"].values(), found["nodes"]]
    assert all(len(digest) == 32 and set(digest) <= set("0123456789abcdef") for digest in every)


def one_weight(proto):
    tensor = proto.graph.initializer[0]
    tensor.raw_data = tensor.raw_data[:-1] + bytes([tensor.raw_data[-1] ^ 1])
    return tensor.name


def one_type(proto):
    proto.graph.initializer[0].data_type = onnx.TensorProto.INT32
    return proto.graph.initializer[0].name


@pytest.mark.parametrize("change", [one_weight, one_type])
def test_a_weight_changes_its_own_digest_alone(exported, change):
    proto = onnx.load_model_from_string(exported.content)
    before = digests(proto, exported.record)
    name = change(proto)
    after = digests(proto, exported.record)
    assert after["nodes"] == before["nodes"] and after["record"] == before["record"]
    assert {key for key, value in after["initializers"].items() if value != before["initializers"][key]} == {name}


@pytest.mark.parametrize(
    "change",
    [
        lambda proto: proto.graph.node.reverse(),
        lambda proto: proto.graph.node[0].attribute.pop(),
        lambda proto: proto.graph.node[3].input.append("x"),
        lambda proto: proto.graph.output.reverse(),
        lambda proto: proto.graph.input.pop(),
        lambda proto: proto.graph.value_info.append(proto.graph.input[0]),
        lambda proto: proto.functions.add(name="F"),
        lambda proto: setattr(proto.opset_import[0], "version", 18),
    ],
)
def test_any_change_of_the_structure_changes_its_digest_alone(exported, change):
    proto = onnx.load_model_from_string(exported.content)
    before = digests(proto, exported.record)
    change(proto)
    after = digests(proto, exported.record)
    assert after["nodes"] != before["nodes"]
    assert {**after, "nodes": 0} == {**before, "nodes": 0}
