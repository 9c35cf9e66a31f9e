"""count against what was published of MobileNetV2, V3 and EfficientNet-Lite. Misprints are tests of their own names."""

import pytest
from test_count import rows

from pocketvision.cost.count import count
from pocketvision.cost.memory import live_bytes
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import Conv
from pocketvision.model.resolve import resolve

SLIM_V2 = [
    row
    for row in rows("mobilenet_v2_variants.csv")
    if row["source"].startswith("tensorflow/models") and "truncated" in row["note"]
]
D_LI14_V2 = [
    row for row in rows("mobilenet_v2_variants.csv") if row["source"].startswith("d-li14") and row["alpha"] != "0.1"
]
V3 = rows("mobilenet_v3_variants.csv")
COMPUTED = rows("exact_costs_computed.csv")
V3_RULES = {
    "expansion = ratio x rounded input, head not thinned": "",
    "torchvision rule: expansion and head scaled directly": "_tv",
    "1024 head": "",
    "1280 head": "_head1280",
}


def cost(name, width=1.0, resolution=None):
    return count(resolve(name, float(width), resolution and int(resolution)))


def batch_norm_params(graph):
    return sum(p.size for p in graph.parameters() if p.role in ("scale", "shift"))


def computed_family(row):
    """The family that a row of the computed file is about, and the width to ask it for."""
    name, _, rule = row["model"].partition(" (")
    is_lite = name.startswith("efficientnet")  # whose width is in its number
    return name + V3_RULES.get(rule.rstrip(")"), ""), 1.0 if is_lite else float(row["width"])


@pytest.mark.parametrize("row", COMPUTED, ids=lambda row: f"{row['model']}-{row['width']}-{row['resolution']}")
def test_what_the_layer_tables_give(row):
    family, width = computed_family(row)
    found = cost(family, width, row["resolution"])
    assert (found.params, found.macs) == (int(row["params"]), int(row["macs"]))


def test_all_22_sizes_of_v2_and_the_others_are_there():
    models = [computed_family(row)[0] for row in COMPUTED]
    assert len(SLIM_V2) == models.count("mobilenet_v2") == 22
    assert {name for name in models if "v3" in name} == {
        name for name in FAMILIES if "v3" in name and "min" not in name
    }
    assert sum(name.startswith("efficientnet_lite") for name in models) == 5


@pytest.mark.parametrize("row", SLIM_V2, ids=lambda row: f"{row['alpha']}-{row['resolution']}")
def test_v2_multiply_adds_are_cut_off_not_rounded_in_slims_list(row):
    assert int(cost("mobilenet_v2", row["alpha"], row["resolution"]).macs / 1e6) == int(row["macs_m"])


@pytest.mark.parametrize("row", SLIM_V2, ids=lambda row: f"{row['alpha']}-{row['resolution']}")
def test_v2_parameters_leave_batch_norm_out_in_slims_list(row):
    graph = resolve("mobilenet_v2", float(row["alpha"]), int(row["resolution"]))
    without = count(graph).params - batch_norm_params(graph)
    assert without / 1e6 == pytest.approx(float(row["params_m"]), abs=0.0101)  # cut off or rounded, row by row


@pytest.mark.parametrize("row", D_LI14_V2, ids=lambda row: f"{row['alpha']}-{row['resolution']}-{row['top1']}")
def test_v2_of_another_code(row):
    """Its counter adds half a tenth of a percent (pooling)."""
    found = cost("mobilenet_v2", row["alpha"], row["resolution"])
    assert found.macs / 1e6 == pytest.approx(float(row["macs_m"]), rel=6e-4)
    assert found.params / 1e6 == pytest.approx(float(row["params_m"]), abs=1e-3)


def test_v2_at_0_1_of_that_code_is_another_network():
    """Below 0.35 it rounds to multiples of 4, with at least 4 channels; slim's rule keeps 8."""
    (row,) = (row for row in rows("mobilenet_v2_variants.csv") if row["alpha"] == "0.1")
    assert cost("mobilenet_v2", 0.1).macs / 1e6 > 2 * float(row["macs_m"])


def paper_table_4(item):
    return next(row for row in rows("mobilenet_v2_paper_tables.csv", table="Table 4") if row["item"] == item)


def test_v2_in_table_4_of_its_paper():
    row, graph = paper_table_4("MobileNetV2"), resolve("mobilenet_v2")
    assert int(count(graph).macs / 1e6) == int(row["macs_m"])
    assert (count(graph).params - batch_norm_params(graph)) / 1e6 == pytest.approx(float(row["params_m"]), abs=0.1)


def test_misprint_table_4_prints_6_9_million_parameters_for_v2_at_1_4():
    row, found = paper_table_4("MobileNetV2 (1.4)"), cost("mobilenet_v2", 1.4)
    assert found.params == 6_108_776 and row["params_m"] == "6.9"
    assert found.macs / 1e6 == pytest.approx(float(row["macs_m"]), abs=3)  # 585 printed, 582 exact


def test_misprint_table_4_prints_575_million_multiply_adds_for_v1():
    assert paper_table_4("MobileNetV1")["macs_m"] == "575"
    assert round(cost("mobilenet_v1").macs / 1e6) == 569


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


def test_misprint_table_3_prints_199_for_v1_at_7x7():
    row = rows("mobilenet_v2_memory.csv", size="7")[0]
    assert row["mobilenet_v1"] == "1024/199"
    assert round(16 * 1024 * 7 * 7 / 8 / KILOBITS) == 100


def test_the_tensors_of_v2_that_are_really_alive_between_blocks():
    graph = resolve("mobilenet_v2")
    blocks = {op.origin.block: op for op in graph.ops if op.origin.block.startswith("block")}
    between = {}
    for op in blocks.values():
        if op.shape.height > 1 and op.name != "block18":
            between[op.shape.height] = max(between.get(op.shape.height, 0), op.shape.channels)
    assert between == {112: 16, 56: 24, 28: 32, 14: 96, 7: 320}
    assert max(live_bytes(graph, splits=6)) < max(live_bytes(graph)) / 2


V3_FAMILIES = {"large": "mobilenet_v3_large", "small": "mobilenet_v3_small"}


def v3_network(row):
    """(family, width) of a row, or None where it is another network or an ablation."""
    words = row["model"].lower().replace("_", " ").split()
    if words[0] not in V3_FAMILIES or not row["macs_m"] or "ablation" in row["note"]:
        return None
    is_minimal = "minimalistic" in words
    width = next((float(word) for word in words if word.replace(".", "").isdigit()), 1.0)
    return V3_FAMILIES[words[0]] + "_minimalistic" * is_minimal, width


V3_ROWS = [(row, *v3_network(row)) for row in V3 if v3_network(row)]
V3_IDS = [f"{row['model']}, {row['source'][:12]}" for row, *_ in V3_ROWS]
OLD_SMALL = ("Small", "small")  # the first version, with a head of 1280: 2.9 million, "66" million


def is_misprint(row):
    return row["macs_m"] in ("66", "65", "219", "44")


@pytest.mark.parametrize(("row", "family", "width"), V3_ROWS, ids=V3_IDS)
def test_v3_multiply_adds(row, family, width):
    if not is_misprint(row):
        within = 0.06 if "." in row["macs_m"] else 0.0025 * 356 if row["model"] == "Large 1.25" else 0.6
        assert cost(family, width).macs / 1e6 == pytest.approx(float(row["macs_m"]), abs=within)


@pytest.mark.parametrize(("row", "family", "width"), V3_ROWS, ids=V3_IDS)
def test_v3_parameters(row, family, width):
    digits = len(row["params_m"].partition(".")[2])
    if row["params_m"] in ("2.9", "2.4"):
        family += "_head1280"
    assert cost(family, width).params / 1e6 == pytest.approx(float(row["params_m"]), abs=1.5 * 10**-digits)


def test_misprint_v3_small_66_million_is_explained_by_no_head():
    assert any(row["macs_m"] == "66" for row, *_ in V3_ROWS)
    assert [round(cost(name).macs / 1e6, 1) for name in ("mobilenet_v3_small", "mobilenet_v3_small_head1280")] == [
        56.5,
        56.9,
    ]


def test_misprint_v3_small_minimalistic_65_million():
    assert round(cost("mobilenet_v3_small_minimalistic").macs / 1e6) == 52


def test_v3_large_219_of_the_iccv_version_is_1_percent_above_the_217_of_the_code():
    assert {row["macs_m"] for row, family, width in V3_ROWS if (family, width) == ("mobilenet_v3_large", 1.0)} >= {
        "217",
        "219",
    }
    assert round(cost("mobilenet_v3_large").macs / 1e6) == 217


def test_v3_small_0_75_at_44_million_counts_a_head_of_1280():
    assert [
        round(cost(name, 0.75).macs / 1e6, 1) for name in ("mobilenet_v3_small", "mobilenet_v3_small_head1280")
    ] == [43.4, 43.8]


@pytest.mark.parametrize("row", rows("other_nets_results.csv"), ids=lambda row: row["model"])
def test_lite_is_3_to_6_percent_cheaper_than_published(row):
    found = cost(row["model"].lower().replace("-", "_"))
    assert found.params / 1e6 == pytest.approx(float(row["params_m"]), abs=0.06)
    assert 1.03 <= float(row["macs_m"]) * 1e6 / found.macs <= 1.06
    assert FAMILIES[row["model"].lower().replace("-", "_")].resolution == int(row["resolution"])
