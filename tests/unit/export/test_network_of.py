import numpy as np
import onnx

from artifacts import export
from pocketvision.errors import BadArtifact
from pocketvision.export.network_of import network_of
from pocketvision.model.rewrite import fold_batch_norm
from refusals import refused


def test_the_network_comes_back(family, tmp_path):
    exported = export(family, tmp_path / "model.onnx")
    graph, arrays = network_of(exported.content)
    wanted_graph, wanted = fold_batch_norm(exported.graph, exported.network.arrays())
    assert graph == wanted_graph
    assert set(arrays) == set(wanted)
    for name, array in wanted.items():
        np.testing.assert_array_equal(arrays[name], array)


def test_a_file_without_its_weights(exported):
    proto = onnx.load_model_from_string(exported.content)
    proto.graph.initializer.remove(next(t for t in proto.graph.initializer if t.name == "stem.conv.weight"))
    with refused(BadArtifact, "'stem.conv.weight'"):
        network_of(proto.SerializeToString())
