import io
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from graphs import random_arrays, residual
from pocketvision.errors import BadArtifact
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.run.wire import external_tensors, metadata
from refusals import refused

HERE = write_onnx(residual(2), random_arrays(residual(2)))


def tensor(name, outside):
    made = numpy_helper.from_array(np.ones(3, np.float32), name)
    if outside:
        set_external_data(made, "secret.bin")
    return made


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [3])


def model(nodes, initializers=(), functions=(), sparse=()):
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], list(initializers), sparse_initializer=sparse)
    return helper.make_model(graph, functions=functions).SerializeToString()


def add(name):
    return helper.make_node("Add", ["x", name], ["y"])


def at_graph_level(outside):
    return model([add("w")], [tensor("fine", False), tensor("w", outside)])


def in_an_if(outside):
    branch = helper.make_graph([add("w")], "then", [], [value("y")], [tensor("w", outside)])
    return model([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)])


def in_a_constant(outside):
    return model([helper.make_node("Constant", [], ["w"], value=tensor("w", outside)), add("w")])


def in_a_list_of_tensors(outside):
    node = add("x")
    node.attribute.append(
        onnx.AttributeProto(name="ts", type=onnx.AttributeProto.TENSORS, tensors=[tensor("w", outside)])
    )
    return model([node])


def in_a_list_of_graphs(outside):
    graph, node = helper.make_graph([], "g", [], [], [tensor("w", outside)]), add("x")
    node.attribute.append(onnx.AttributeProto(name="gs", type=onnx.AttributeProto.GRAPHS, graphs=[graph]))
    return model([node])


def in_a_sparse_tensor(outside):
    sparse = onnx.SparseTensorProto(values=tensor("w", outside), indices=tensor("fine", False), dims=[9])
    return model([add("w")], sparse=[sparse])


def in_a_sparse_attribute(outside):
    sparse = onnx.SparseTensorProto(values=tensor("fine", False), indices=tensor("w", outside), dims=[9])
    return model([helper.make_node("Constant", [], ["w"], sparse_value=sparse), add("w")])


def function(outside, default=False):
    node = helper.make_node("Constant", [], ["w"], **({} if default else {"value": tensor("w", outside)}))
    attributes = [helper.make_attribute("v", tensor("w", outside))] if default else []
    return helper.make_function(
        "own", "F", ["x"], ["y"], [node, add("w")], [helper.make_opsetid("", 17)], attribute_protos=attributes
    )


def in_a_function(outside):
    return model([helper.make_node("F", ["x"], ["y"], domain="own")], functions=[function(outside)])


def in_a_functions_default(outside):
    return model([helper.make_node("F", ["x"], ["y"], domain="own")], functions=[function(outside, default=True)])


PLACES = [
    at_graph_level,
    in_an_if,
    in_a_constant,
    in_a_list_of_tensors,
    in_a_list_of_graphs,
    in_a_sparse_tensor,
    in_a_sparse_attribute,
    in_a_function,
    in_a_functions_default,
]


@pytest.mark.parametrize("place", PLACES)
def test_tensors_in_other_files_are_found_wherever_they_are(place):
    assert set(external_tensors(place(outside=True))) == {"w"}
    assert external_tensors(place(outside=False)) == []


@pytest.mark.parametrize("field", ["data_location", "external_data"])
def test_either_of_the_two_fields_is_enough(field):
    proto = onnx.load_model_from_string(at_graph_level(True))
    proto.graph.initializer[1].ClearField(field)
    assert external_tensors(proto.SerializeToString()) == ["w"]


def test_a_written_network_refers_to_nothing():
    assert external_tensors(HERE) == []


def varint(number):
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def field(key, content):
    return varint(key) + varint(len(content)) + content


def test_a_key_of_more_than_32_bits_hides_nothing():
    """ONNX Runtime 1.32 reads such a key by its lower 32 bits, and so opens the file."""
    hidden = field((13 << 3 | 2) + (1 << 32), field(1 << 3 | 2, b"location"))
    outside = field(8 << 3 | 2, b"w") + hidden
    assert external_tensors(field(7 << 3 | 2, field(5 << 3 | 2, outside))) == ["w"]


def test_graphs_that_lie_in_each_other_without_end():
    content = b""
    for _ in range(1000):
        content = field(1 << 3 | 2, field(5 << 3 | 2, field(6 << 3 | 2, content)))
    with refused(BadArtifact, "not an ONNX model", "deep"):
        external_tensors(field(7 << 3 | 2, content))


def zipped():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("data.pkl", "x" * 100)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "no graph"),
        (b"\0" * 100, "no graph"),
        (b"<!DOCTYPE html><html></html>", "byte 0"),
        (b'{"pocketvision": 1}', "byte 0"),
        (zipped(), "byte 2"),
        (b"\x08\x08" + b"\xff" * 20, "byte 2"),
        (b"\x08\xff", "byte 1"),
        (field(7 << 3 | 2, b"x" * 300)[:100], "300 bytes starts at byte 3 of 100"),
        (b"\x0d1234" + b"\x09123", "8 bytes starts at byte 6 of 9"),
    ],
)
def test_what_is_no_model(content, named):
    with refused(BadArtifact, "not an ONNX model", named):
        external_tensors(content)


def test_every_cut_of_a_file_ends_in_a_message_or_in_a_shorter_model():
    whole = []
    for length in range(len(HERE)):
        try:
            external_tensors(HERE[:length])
            whole.append(length)
        except BadArtifact as error:
            assert "cut short" in str(error) or "no graph" in str(error)
    assert len(whole) <= 3, "only behind a whole field with the graph"


def test_random_bytes_never_end_in_anything_but_a_message():
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(HERE)
        for place in rng.integers(0, len(HERE), 3):
            damaged[place] = rng.integers(256)
        for content in (rng.bytes(int(rng.integers(1, 200))), bytes(damaged)):
            try:
                assert isinstance(external_tensors(content), list)
            except BadArtifact as error:
                assert "not an ONNX model" in str(error)


def test_metadata():
    proto = onnx.load_model_from_string(HERE)
    helper.set_model_props(proto, {"pocketvision": '{"labels": ["käse"]}', "empty": ""})
    content = proto.SerializeToString()
    assert metadata(content) == {"pocketvision": '{"labels": ["käse"]}', "empty": ""}
    assert metadata(HERE) == {}
    for cut in (1, len(content) // 2):
        with refused(BadArtifact, "cut short"):
            metadata(content[:-cut])
    with refused(BadArtifact, "no graph"):
        metadata(b"")
