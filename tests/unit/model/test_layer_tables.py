"""The resolved graphs against the papers' layer tables, row by row: channels, strides, kernels, sizes."""

from itertools import groupby

import pytest

from figures import cost, network, one_row, rows
from pocketvision.model.graph import (
    Activation,
    Add,
    AveragePool,
    ChannelShuffle,
    Concat,
    Conv,
    Dropout,
    GlobalPool,
    Linear,
    MaxPool,
    Split,
)


def blocks(graph):
    """The ops of each block, by the row of the family's table and the block's name."""
    found = {}
    for origin, ops in groupby(graph.ops, key=lambda op: op.origin):
        found.setdefault(origin.row, []).append(list(ops))
    return {row: found[row] for row in found if row >= 0}


def side(text):
    """3 of 3x3."""
    height, _, width = text.partition("x")
    assert height == width
    return int(height)


def window(op):
    """Kernel and stride of an op whose windows are square."""
    assert op.kernel.height == op.kernel.width and op.stride.height == op.stride.width
    return op.kernel.height, op.stride.height


def strides(ops):
    """The strides of a block's convolutions and pools that are more than 1."""
    return [op.stride.height for op in ops if isinstance(op, Conv | MaxPool | AveragePool) and op.stride.height > 1]


# Xception: arXiv:1610.02357, Figure 5, and Keras's code


XCEPTION = [row for row in rows("arch_xception.csv") if row["block"].startswith("block")]
KERAS_NAMES = {
    "block1_conv1": ["stem"],
    "block1_conv2": ["block1"],
    "block5..block12 (x8)": [f"block{i}" for i in range(5, 13)],
    "block14_sepconv1": ["block14"],
    "block14_sepconv2": ["block15"],
}
PADDED = {"same": (1, 1, 1, 1), "valid": (0, 0, 0, 0)}


def names_of(row):
    """What the blocks of a row are called here."""
    return KERAS_NAMES.get(row["block"], [row["block"]])


def spelt(ops):
    """A module's main branch in the table's words: "relu,sepconv,bn,maxpool 3x3/2"."""
    words = []
    for op in ops:
        if isinstance(op, Activation):
            words.append(op.kind)
        elif isinstance(op, MaxPool):
            words.append(f"maxpool {op.kernel.height}x{op.kernel.width}/{op.stride.height}")
        elif isinstance(op, Conv) and op.is_depthwise:
            assert op.batch_norm_eps is None and op.activation is None
        elif isinstance(op, Conv):
            assert op.batch_norm_eps is not None and not op.has_bias
            words += ["sepconv", "bn", *([op.activation] if op.activation else [])]
    return ",".join(words)


def main_branch(row):
    """A row's main branch in the same words: what is there three times is said three times, channels are left out."""
    words = row["op"].replace("(relu,sepconv,bn) x3 + identity shortcut", ",".join(["relu,sepconv,bn"] * 3))
    return words.replace(" 728", "").replace(" 1024", "")


@pytest.mark.parametrize("row", XCEPTION, ids=lambda row: f"{row['block']}, {row['op'][:12]}")
def test_xception(row):
    for name in names_of(row):
        ops = [op for op in network("xception").ops if op.origin.block == name]
        shortcut = [op for op in ops if op.name.endswith(".shortcut")]
        main = [op for op in ops if op not in shortcut]
        listed = [int(number) for number in row["out_ch"].split(" then ")]
        shape = (side(row["kernel"]), int(row["stride"]))
        if row["op"] == "residual 1x1 conv":
            assert [(window(op), op.out_channels) for op in shortcut] == [(shape, *listed)]
            assert shortcut[0].batch_norm_eps is not None and isinstance(main[-1], Add)
        elif row["op"] == "conv":
            assert [(window(op), op.out_channels, op.activation) for op in ops] == [(shape, *listed, "relu")]
            assert ops[0].padding == PADDED[row["padding"]] and ops[0].batch_norm_eps is not None
        else:
            filters = [op for op in main if isinstance(op, Conv) and op.is_depthwise]
            channels = [op.out_channels for op in main if isinstance(op, Conv) and not op.is_depthwise]
            assert spelt(main) == main_branch(row)
            assert {(window(op), op.padding) for op in filters} == {(shape, PADDED[row["padding"]])}
            assert channels == (listed if len(listed) > 1 else listed * len(channels))
            assert isinstance(main[-1], Add) == ("sepconv1" not in row["block"] and "sepconv2" not in row["block"])
            assert bool(shortcut) == bool(strides(main))


def test_xception_begins_and_ends_as_in_the_table():
    graph = network("xception")
    assert graph.shape_of("block4.add") == (728, 19, 19)
    listed = {name for row in XCEPTION for name in names_of(row)}
    assert {op.origin.block for op in graph.ops} - listed == {"", "pool", "dropout", "classifier"}
    assert [type(op) for op in graph.ops[-3:]] == [GlobalPool, Dropout, Linear]
    assert graph["dropout"].rate == 0.5
    for name, block in (("pool", "avg_pool"), ("classifier", "predictions")):
        assert graph.shape_of(name) == (int(one_row("arch_xception.csv", block=block)["out_ch"]), 1, 1)


# SqueezeNet: arXiv:1602.07360, Table 1, and the authors' files


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_squeezenet(version):
    name, table = f"squeezenet{version.replace('.', '_')}", rows("arch_squeezenet.csv", version=version)
    found = [ops for group in blocks(network(name)).values() for ops in group if not isinstance(ops[0], Dropout)]
    params = {block: sum(op.params for op in ops) for block, ops in groupby(cost(name).ops, key=lambda op: op.block)}
    assert len(found) == len(table)
    for ops, row in zip(found, table, strict=True):
        convs = [op for op in ops if isinstance(op, Conv)]
        assert all(op.has_bias and op.batch_norm_eps is None and op.activation == "relu" for op in convs)
        if row["op"] == "fire":
            squeeze, expand1, expand3 = convs
            assert [window(op) for op in convs] == [(1, 1), (1, 1), (3, int(row["stride"]))]
            assert [op.out_channels for op in convs] == [int(row[key]) for key in ("s1x1", "e1x1", "e3x3")]
            assert expand1.inputs == expand3.inputs == (squeeze.name,)
            assert isinstance(ops[-1], Concat) and ops[-1].shape.channels == int(row["out_ch"])
        else:
            (op,) = [op for op in ops if isinstance(op, Conv | MaxPool)]
            assert window(op) == (side(row["kernel"]), int(row["stride"]))
            assert not row["out_ch"] or op.shape.channels == int(row["out_ch"])
        if row["params"]:
            assert params[ops[0].origin.block] == int(row["params"])


def test_squeezenet_drops_out_before_its_last_convolution_and_pools_behind_it():
    graph = network("squeezenet1_0")
    last = graph["classifier"]
    assert isinstance(graph["dropout"], Dropout) and last.inputs == ("dropout",)
    assert isinstance(graph.ops[-1], GlobalPool) and graph.ops[-1].inputs == ("classifier",)


# ShuffleNet V1: arXiv:1707.01083, Table 1, and the authors' code


def check_stage(found, number, row, channels):
    """One line of a stage: its first unit, which has the stride, or those that follow."""
    units = found[number][:1] if row["stride"] == "2" else found[number][1:]
    assert len(units) == int(row["repeat"])
    for ops in units:
        assert ops[-1].shape == (channels, int(row["out_hw"]), int(row["out_hw"]))
        assert set(strides(ops)) == ({2} if row["stride"] == "2" else set())
        assert {window(op)[0] for op in ops if isinstance(op, Conv) and op.is_depthwise} == {3}


def check_table(graph, table, column):
    """The lines that both ShuffleNets' tables have."""
    found = blocks(graph)
    for row in table:
        match row["layer"]:
            case "Image":
                assert graph.image == (int(row[column]), int(row["out_hw"]), int(row["out_hw"]))
            case "Conv1" | "MaxPool" | "Conv5":
                op = graph[{"Conv1": "stem", "MaxPool": "max_pool1", "Conv5": "block17"}[row["layer"]]]
                assert op.shape == (int(row[column]), int(row["out_hw"]), int(row["out_hw"]))
                assert window(op) == (side(row["kernel"]), int(row["stride"]))
            case "Stage2" | "Stage3" | "Stage4":
                check_stage(found, int(row["layer"][-1]), row, int(row[column]))
            case "GlobalPool":
                assert graph.shape_of(graph["pool"].inputs[0]).height == side(row["kernel"])
            case "FC":
                assert graph.shape_of("classifier").channels == int(row[column])


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_shufflenet_v1(groups):
    graph, table = network(f"shufflenet_v1_g{groups}"), rows("arch_shufflenet_v1.csv")
    check_table(graph, table, f"g{groups}")
    printed = next(row[f"g{groups}"] for row in table if row["layer"] == "Complexity_MMACs")
    assert 0 <= cost(f"shufflenet_v1_g{groups}").macs / 1e6 - int(printed) < 1.4  # 143.1, 140.8, 137.5, 134.3, 138.4


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_shufflenet_v1_units(groups):
    """The rule below the table: 1x1, shuffle, depthwise, 1x1; a quarter of the channels inside; add, or join the pooled input."""
    for stage, units in blocks(network(f"shufflenet_v1_g{groups}")).items():
        for number, ops in enumerate(units if stage in (2, 3, 4) else ()):
            reduce, depthwise, restore = (op for op in ops if isinstance(op, Conv))
            pools = [op for op in ops if isinstance(op, AveragePool)]
            out = ops[-1].shape.channels
            assert [op.groups for op in ops if isinstance(op, ChannelShuffle)] == [groups] * (groups > 1)
            assert reduce.groups == (1 if (stage, number) == (2, 0) else groups) and restore.groups == groups
            assert reduce.out_channels == depthwise.out_channels == out // 4
            assert depthwise.is_depthwise and depthwise.activation is None
            assert isinstance(ops[-1], Add if number else Concat)
            assert [window(op) for op in pools] == ([] if number else [(3, 2)])
            assert restore.out_channels == out - sum(op.shape.channels for op in pools)


SCALES = rows("arch_shufflenet_v1_scales.csv")


def test_shufflenet_v1_scales():
    for row in SCALES:
        graph = network(f"shufflenet_v1_g{row['group']}", float(row["scale"].rstrip("x")))
        found = [graph.shape_of(name).channels for name in graph.features]
        stem, stages = int(row["stem"]), [int(row[f"stage{i}"]) for i in (2, 3, 4)]
        assert found == [stem, stem, *stages], (row["group"], row["scale"])


# ShuffleNet V2: arXiv:1807.11164, Table 5, and both codes


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 2.0])
def test_shufflenet_v2(width):
    for family in ("shufflenet_v2", "shufflenet_v2_authors"):
        check_table(network(family, width), rows("arch_shufflenet_v2.csv"), f"x{width}".replace(".", "_"))


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 2.0])
def test_shufflenet_v2_costs_below_the_table(width):
    column, found = f"x{width}".replace(".", "_"), cost("shufflenet_v2_authors", width)
    below = {row["layer"]: float(row[column]) for row in rows("arch_shufflenet_v2.csv") if row["layer"].endswith("_M")}
    assert found.macs / 1e6 == pytest.approx(below["FLOPs_M"], abs=0.6)
    assert found.params / 1e6 == pytest.approx(below["Weights_M"], abs=0.05)


@pytest.mark.parametrize("width", [0.5, 2.0])
@pytest.mark.parametrize("family", ["shufflenet_v2", "shufflenet_v2_authors"])
def test_shufflenet_v2_units(family, width):
    graph = network(family, width)
    for stage in (2, 3, 4):
        for number, ops in enumerate(blocks(graph)[stage]):
            shortcut = [op for op in ops if isinstance(op, Conv) and ".shortcut." in op.name]
            main = [op for op in ops if isinstance(op, Conv) and op not in shortcut]
            out = ops[-1].shape.channels
            entering = graph.shape_of(ops[0].inputs[0]).channels
            is_authors = family == "shufflenet_v2_authors"
            assert [op.kernel.height for op in main] == [1, 3, 1]
            assert [op.activation for op in main] == ["relu", None, "relu"]
            assert [op.out_channels for op in main[:2]] == [out // 2] * 2
            if number:
                assert not shortcut and main[2].out_channels == out // 2 == entering // 2
                assert [op.shape.channels for op in ops if isinstance(op, Split)] == [out // 2] * 2
            else:
                passing = entering if is_authors else out // 2
                assert [op.out_channels for op in shortcut] == [entering, passing]
                assert [window(op) for op in shortcut] == [(3, 2), (1, 1)]
                assert main[2].out_channels == out - passing
            shuffles = [op.name for op in ops if isinstance(op, ChannelShuffle)]
            assert len(shuffles) == (0 if is_authors and not number else 1)
            assert not shuffles or shuffles[0] == ops[0 if is_authors else -1].name
    assert graph["classifier"].has_bias == (family == "shufflenet_v2")


# MobileNetV4: arXiv:2404.10518 and timm's lists


def check_v4_block(graph, ops, row, stride):
    """One line's numbers; a depthwise kernel of 0 is a layer that is not there."""
    convs = [op for op in ops if isinstance(op, Conv)]
    entering = graph.shape_of(ops[0].inputs[0]).channels
    start, kernel = (int(row[key] or 0) for key in ("start_dw_kernel", "kernel_or_middle_dw"))
    assert strides(ops) == [stride] * (stride > 1)
    assert convs[-1].out_channels == int(row["out_ch"])
    assert all(op.batch_norm_eps is not None and not op.has_bias for op in convs)
    if row["op"].startswith("conv_bn_relu"):
        (op,) = convs
        assert window(op) == (kernel, stride) and op.activation == "relu"
        return
    hidden = entering * int(row["expand"])
    if row["op"] == "fused_ib":
        fused, project = convs
        assert window(fused) == (kernel, stride) and fused.out_channels == hidden and fused.groups == 1
    else:
        depthwise = [(number, op) for number, op in enumerate(convs) if op.is_depthwise]
        expand = convs[1 if start else 0]
        assert [op.kernel.height for _, op in depthwise] == [size for size in (start, kernel) if size]
        assert [number for number, _ in depthwise] == [0] * (start > 0) + [1 + (start > 0)] * (kernel > 0)
        assert (window(expand), expand.out_channels, expand.activation) == ((1, 1), hidden, "relu")
        project = convs[-1]
    assert window(project) == (1, 1) and project.activation is None
    assert isinstance(ops[-1], Add) == (stride == 1 and entering == project.out_channels)


@pytest.mark.parametrize("model", ["conv_small", "conv_medium", "conv_large"])
def test_mobilenet_v4(model):
    graph, table = network(f"mobilenet_v4_{model}"), rows("arch_mobilenet_v4.csv", model=model)
    found = [group for group in blocks(graph).values() if not isinstance(group[0][0], Dropout)]
    assert len(found) == len(table)
    for group, row in zip(found, table, strict=True):
        assert len(group) == int(row["repeats"])
        first_stride = int(row["stride"].split()[0] if row["stride"] else 1)
        for number, ops in enumerate(group):
            match row["op"]:
                case "global avg pool":
                    assert isinstance(ops[0], GlobalPool)
                case "fc":
                    assert isinstance(ops[0], Linear) and ops[0].shape.channels == int(row["out_ch"])
                case _:
                    check_v4_block(graph, ops, row, 1 if number else first_stride)
