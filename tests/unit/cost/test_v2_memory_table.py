"""V2's Table 3, the memory that its tensors take, and what is really alive. Its misprints: `test_misprints.py`."""

import pytest

from figures import rows
from pocketvision.model.graph import Conv
from pocketvision.model.resolve import resolve

# Table 3 pairs each INPUT size with the row group's largest OUTPUT channels, at 16 bits: not what is alive at any time
MEMORY = {
    "mobilenet_v1": {56: 128, 28: 256, 14: 512, 7: 1024, 1: 1024},
    "mobilenet_v2": {56: 32, 28: 64, 14: 160, 7: 320, 1: 1280},
}
KILOBITS = 1000  # of the table, give or take its rounding


@pytest.mark.parametrize("version", ["later version (arXiv rendering)", "other version (PDF text dump)"])
@pytest.mark.parametrize("family", MEMORY)
def test_v2_table_3_by_its_own_pairing(version, family):
    for row in rows("mobilenet_v2_memory.csv", paper_version=version):
        if row["size"].isdigit() and int(row["size"]) in MEMORY[family]:
            size = int(row["size"])
            channels, printed = (int(number) for number in row[family].split("/"))
            assert channels == MEMORY[family][size] == largest_output(family, size)
            exact = 16 * channels * size**2 / 8 / KILOBITS  # 16-bit numbers, in kilobytes as its "Kb"
            if (family, size) != ("mobilenet_v1", 7):
                assert printed == pytest.approx(exact, rel=0.05, abs=1)


def largest_output(family, size):
    """Most channels that a layer reading a map of `size` gives, expansions aside (they are split, section 5.1)."""
    graph = resolve(family)
    if size == 1:
        return graph.shape_of("pool").channels
    wide = [op for op in graph.ops if isinstance(op, Conv) and not op.name.endswith(("expand", "depthwise"))]
    blocks = {op.origin.block: op for op in wide if not (family == "mobilenet_v2" and op.origin.block == "block18")}
    convs = [op for op in graph.ops if isinstance(op, Conv)]
    if family == "mobilenet_v1":  # whose table lists depthwise and pointwise layers, each with its input
        return max(op.out_channels for op in convs if graph.shape_of(op.inputs[0]).height == size)
    reads = {op.origin.block: graph.shape_of(op.inputs[0]).height for op in reversed(convs)}
    return max(op.out_channels for block, op in blocks.items() if reads[block] == size)


def test_the_tensors_of_v2_that_are_really_alive_between_blocks():
    graph = resolve("mobilenet_v2")
    blocks = {op.origin.block: op for op in graph.ops if op.origin.block.startswith("block")}
    between = {}
    for op in blocks.values():
        if op.shape.height > 1 and op.name != "block18":
            between[op.shape.height] = max(between.get(op.shape.height, 0), op.shape.channels)
    assert between == {112: 16, 56: 24, 28: 32, 14: 96, 7: 320}
