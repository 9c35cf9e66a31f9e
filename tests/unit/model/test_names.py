"""Names of others: every layout names every array of its families once, and the way back is the same."""

import pytest

from pocketvision.errors import GraphError
from pocketvision.model.names import LAYOUTS, OWN, names
from pocketvision.model.resolve import resolve
from refusals import refused


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_array_has_one_name_and_no_name_is_given_twice(layout):
    """So there is a way back, and it is the only one."""
    assert layout.families
    for family in layout.families:
        graph = resolve(family, 0.5, 64)
        found = names(layout.name, graph)
        assert list(found) == [parameter.name for parameter in graph.parameters()], family
        assert len(set(found.values())) == len(found), family


def test_our_own_layout_is_the_graphs_names():
    graph = resolve("mobilenet_v3_small", 0.25, 32)
    assert all(ours == theirs for ours, theirs in names(OWN, graph).items())


def test_a_family_that_a_layout_does_not_know_is_an_error_of_ours():
    with refused(GraphError, "'transformers_v1'", "'block1'", "mobilenet_v1_standard_w0.25"):
        names("transformers_v1", resolve("mobilenet_v1_standard", 0.25, 32))


SOME = {
    ("torchvision", "mobilenet_v2", "block1.project.bn.weight"): "features.1.conv.2.weight",
    ("torchvision", "mobilenet_v2", "block2.project.conv.weight"): "features.2.conv.2.weight",
    ("torchvision_v3", "mobilenet_v3_large", "block4.excite.conv.bias"): "features.4.block.2.fc2.bias",
    ("timm_v3", "mobilenet_v3_small", "head.conv.weight"): "conv_head.weight",
    ("timm_v4", "mobilenet_v4_conv_medium", "block5.depthwise.conv.weight"): "blocks.2.1.dw_mid.conv.weight",
    ("timm_xception", "xception", "block3.filter2.pointwise.conv.weight"): "block2.rep.4.pointwise.weight",
    ("torchvision_shufflenet", "shufflenet_v2", "block5.shortcut.pointwise.bn.bias"): "stage3.0.branch1.3.bias",
    ("torchvision_squeezenet", "squeezenet1_0", "block8.squeeze.conv.bias"): "features.12.squeeze.bias",
    ("timm", "mobilenet_v1", "block13.pointwise.bn.running_var"): "blocks.4.1.bn2.running_var",
    (
        "transformers_v2",
        "mobilenet_v2",
        "block2.expand.conv.weight",
    ): "mobilenet_v2.layer.0.expand_1x1.convolution.weight",
}


def test_a_pool_that_an_output_stride_removes_keeps_its_place():
    squeezed = [
        names("torchvision_squeezenet", resolve("squeezenet1_1", output_stride=stride)) for stride in (16, 4, 1)
    ]
    assert squeezed[0] == squeezed[1] == squeezed[2]


def test_some_names_by_hand():
    found = {(layout, family, ours): names(layout, resolve(family))[ours] for layout, family, ours in SOME}
    assert found == SOME
