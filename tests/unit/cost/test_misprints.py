"""Figures that are wrong where they were published: what is printed, what the rows give, and what explains it, if anything."""

import pytest

from figures import cost, macs, network, one_row, params, params_without_norms, rows
from pocketvision.model.graph import Conv, Mul

V1_TABLES, V2_TABLES = "mobilenet_v1_paper_tables.csv", "mobilenet_v2_paper_tables.csv"


def millions(family, width=1.0, resolution=None):
    return cost(family, width, resolution).macs / 1e6


def printed(file, column, **wanted):
    """All that a file has in a column, rows with other values left out."""
    return {row[column] for row in rows(file, **wanted)}


# MobileNetV1


def test_misprint_v1_table_1_stride_of_the_last_depthwise_layer():
    """2 is printed, between two maps of 7x7."""
    row = one_row("arch_mobilenet_v1.csv", block="13", op="depthwise")
    graph = network("mobilenet_v1")
    op = graph["block13.depthwise"]
    assert row["in_hw"] == row["out_hw"] == "7" and "prints stride 2" in row["note"]
    assert op.stride == (1, 1) and op.shape == graph.shape_of(op.inputs[0]) == (1024, 7, 7)
    assert graph.shape_of(graph["pool"].inputs[0]) == (1024, 7, 7)


def test_misprint_v1_table_2_conv_3x3_share():
    """1.19 is printed; only 1.91 makes the column add up to 100."""
    shares = {row["item"]: float(row["macs_m"].rstrip("%")) for row in rows(V1_TABLES, table="Table 2")}
    found = cost("mobilenet_v1")
    assert shares.pop("Conv 3x3") == 1.19
    assert round(100 * found.by_kind()["Conv 3x3"].macs / found.macs, 2) == 1.91
    assert sum(shares.values()) + 1.91 == pytest.approx(100, abs=0.02)


def test_misprint_v1_table_4_leaves_the_classifier_out_of_4866_million():
    """All other tables count it."""
    found = cost("mobilenet_v1_standard")
    assert printed(V1_TABLES, "macs_m", item="Conv MobileNet") == {"4866"}
    assert (found.params, found.macs) == (29_294_088, 4_867_293_184)
    assert round((found.macs - found.by_kind()["Fully connected"].macs) / 1e6) == 4866


def test_misprint_v1_table_9_squeezenet_counts_operations():
    """1,700 million mult-adds are printed: two operations each. "22 times less compute" is 11 times less."""
    authors = one_row("other_nets_results.csv", model="SqueezeNet v1.0", verified="seen")
    exact = {side: millions("squeezenet1_0", resolution=side) for side in (224, 227)}
    assert printed(V1_TABLES, "macs_m", item="SqueezeNet") == {"1700"}
    assert "1.72 GFLOPs" in authors["note"] and float(authors["macs_m"]) == 1720 / 2
    assert [round(number) for number in exact.values()] == [819, 833]
    assert 2 * exact[227] == pytest.approx(1700, rel=0.03)
    mobilenet = millions("mobilenet_v1", 0.5, 160)
    assert round(1700 / mobilenet) == 22 and round(exact[227] / mobilenet) == 11


def test_misprint_v1_section_4_4_planet_is_in_billions():
    """0.58 million mult-adds are printed, less than the first layer has; the body and the last layer have 0.58 billion."""
    (row,) = {(row["macs_m"], row["params_m"]) for row in rows("applications.csv", item="PlaNet MobileNet")}
    found = cost("mobilenet_v1")
    classifier = found.by_kind()["Fully connected"]
    assert row == ("580", "13")
    assert next(op.macs for op in found.ops if op.name == "stem") > 580_000
    assert (found.macs - classifier.macs) / 1e6 + 10 == pytest.approx(580, abs=5)
    assert round((found.params - classifier.params) / 1e6) + 10 == 13


def test_misprint_v1_section_4_5_baseline_of_75_million_parameters():
    """Table 12 has 7.5, and so has Table 14 for a baseline of as many mult-adds."""
    baselines = [
        (row["macs_m"], row["params_m"])
        for task, item in (("face_attributes", "Baseline"), ("facenet_distillation", "FaceNet"))
        for row in rows("applications.csv", task=task, item=item)
    ]
    assert baselines == [("1600", "7.5")] * 2


def test_misprint_v1_table_14_first_of_two_rows_0_75_128_is_0_75_160():
    first = one_row("applications.csv", item="0.75 MobileNet-128 (first row)")
    assert first["macs_m"] == "166" == f"{millions('mobilenet_v1', 0.75, 160):.0f}"
    assert round(millions("mobilenet_v1", 0.75, 128)) == 107


SLIM = {"source": "tensorflow/models research/slim/nets/mobilenet_v1.md"}


def test_misprint_slims_page_of_v1_is_low_at_0_75():
    """All four are 2.6 % low; the paper's Tables 5 and 6 have 325."""
    found = {int(row["resolution"]): row["macs_m"] for row in rows("mobilenet_v1_variants.csv", alpha="0.75", **SLIM)}
    assert found == {224: "317", 192: "233", 160: "162", 128: "104"}
    exact = {side: millions("mobilenet_v1", 0.75, side) for side in found}
    assert [round(number, 1) for number in exact.values()] == [325.4, 239.3, 166.4, 106.8]
    for side, text in found.items():
        assert 1 - float(text) / exact[side] == pytest.approx(0.026, abs=0.001)


def test_misprint_slims_page_of_v1_34_million_at_0_25_192():
    assert printed("mobilenet_v1_variants.csv", "macs_m", alpha="0.25", resolution="192", **SLIM) == {"34"}
    assert round(millions("mobilenet_v1", 0.25, 192), 1) == 30.2


def test_misprint_keras_has_529_million_for_v1_at_every_resolution():
    assert [round(millions("mobilenet_v1", 1.0, side)) for side in (224, 192, 160, 128)] == [569, 418, 291, 186]


# MobileNetV2


def test_misprint_v2_table_4_has_575_million_for_v1():
    assert printed(V2_TABLES, "macs_m", item="MobileNetV1") == {"575"}
    assert round(millions("mobilenet_v1")) == 569


def test_misprint_v2_table_4_has_6_9_million_parameters_and_585_million_at_1_4():
    row, graph = one_row(V2_TABLES, item="MobileNetV2 (1.4)"), network("mobilenet_v2", 1.4)
    assert (row["params_m"], row["macs_m"]) == ("6.9", "585")
    assert round(params(graph), 2) == 6.11 and round(params_without_norms(graph), 2) == 6.06
    assert round(macs(graph)) == 582


def test_misprint_slims_page_of_v2_cuts_multiply_adds_off():
    row = one_row("mobilenet_v2_variants.csv", alpha="0.35", resolution="96")
    assert row["macs_m"] == "11"
    assert round(millions("mobilenet_v2", 0.35, 96), 2) == 11.93


def memory(version):
    """Kilobits that V2's Table 3 has for each network and size, and the largest that it says there is."""
    kilobits = {
        row["size"]: {
            name: int(row[name].partition("/")[2]) for name in ("mobilenet_v1", "mobilenet_v2", "shufflenet_2x_g3")
        }
        for row in rows("mobilenet_v2_memory.csv", paper_version=version)
        if "O(1)" not in row["mobilenet_v1"]
    }
    return kilobits.pop("max"), kilobits


def test_misprint_v2_table_3_maxima_with_and_without_the_first_layer():
    """In one version it counts for both MobileNets, not for ShuffleNet; in the other it is not there."""
    largest, sizes = memory("later version (arXiv rendering)")
    assert largest == {"mobilenet_v1": 1600, "mobilenet_v2": 400, "shufflenet_2x_g3": 600}
    assert sizes["112"] == {"mobilenet_v1": 1600, "mobilenet_v2": 400, "shufflenet_2x_g3": 800}
    smaller, without = memory("other version (PDF text dump)")
    assert smaller == {"mobilenet_v1": 800, "mobilenet_v2": 200, "shufflenet_2x_g3": 600}
    assert smaller == {name: max(size[name] for size in without.values()) for name in smaller}


def test_misprint_v2_table_3_has_199_for_v1_at_7x7():
    assert printed("mobilenet_v2_memory.csv", "mobilenet_v1", size="7") == {"1024/199"}
    assert round(16 * 1024 * 7 * 7 / 8 / 1000) == 100


# MobileNetV3 and V4


def test_misprint_v3_small_66_million_is_of_no_head():
    """2.9 million parameters are of a head of 1280 channels, 2.5 million of one of 1024; 66 million multiply-adds of neither."""
    found = [cost(name) for name in ("mobilenet_v3_small_head1280", "mobilenet_v3_small")]
    assert {"66", "56"} <= printed("mobilenet_v3_variants.csv", "macs_m", model="Small 1.0")
    assert [(round(each.params / 1e6, 2), round(each.macs / 1e6, 1)) for each in found] == [(2.95, 56.9), (2.54, 56.5)]


def test_misprint_v3_small_minimalistic_65_million():
    assert printed("mobilenet_v3_variants.csv", "macs_m", model="Small minimalistic float") == {"65"}
    assert round(millions("mobilenet_v3_small_minimalistic")) == 52


def test_misprint_v3_large_219_million_of_the_iccv_version():
    """1 % above the code's."""
    paper = "MobileNetV3 paper (arXiv 1905.02244) Table 3"
    assert printed("mobilenet_v3_variants.csv", "macs_m", model="Large 1.0", source=paper) == {"219"}
    assert round(millions("mobilenet_v3_large")) == 217


def test_misprint_v3_table_2_marks_a_gate_on_the_last_1x1_convolution():
    """No code has it, and with it the parameters of version 5 would not be met."""
    table = rows("arch_mobilenet_v3.csv", model="small")
    assert next(row["se"] for row in table if row["row"] == "13") == "1 (paper) / 0 (code)"
    graph = network("mobilenet_v3_small")
    gated = [op.origin.row for op in graph.ops if isinstance(op, Mul)]
    assert gated == [int(row["row"]) - 1 for row in table if row["se"] == "1"]
    last = [op for op in graph.ops if isinstance(op, Conv) and op.shape.height == 7][-1]
    assert (last.origin.row, last.kernel, last.out_channels) == (12, (1, 1), 576)
    assert graph["pool"].inputs == (last.name,)


def test_misprint_v3_accuracies_of_keras_are_not_slims():
    """And slim's V3-Small is 0.1 above the paper's."""
    top1 = {row["model"]: float(row["top1"]) for row in rows("mobilenet_v3_variants.csv") if row["macs_m"] != "219"}
    assert (top1["Large 1.0 float"], top1["large_1.0"]) == (75.2, 75.6)
    assert (top1["Small 1.0 float"], top1["small_1.0"]) == (67.5, 68.1)


def test_misprint_v4_params_and_macs_are_smaller_than_the_published_layer_lists():
    """timm's parameters, 9.72 and 32.59 million, are those of the lists; the paper's networks are 5 % smaller."""
    found = {
        row["model"]: (float(row["params_m"] or 0), float(row["macs_m"] or 0))
        for row in rows("mobilenet_v4_results.csv")
    }
    medium, large = (cost(f"mobilenet_v4_conv_{size}") for size in ("medium", "large"))
    assert found["MNv4-Conv-M"] == (9.2, 1000) and found["MNv4-Conv-L"] == (31, 5900)
    assert (round(medium.params / 1e6, 2), round(large.params / 1e6, 2)) == (9.72, 32.59)
    assert (round(medium.macs / 1e6), round(large.macs / 1e6)) == (1080, 6376)
    assert [round(31 / large.params * 1e6, 2), round(9.2 / medium.params * 1e6, 2)] == [0.95, 0.95]


# ShuffleNet and slimmable networks


def test_misprint_shufflenet_errors_of_paper_and_repository_differ():
    """V2 at 0.5x, and V1 at 1x with three groups; the repository's are lower."""
    error = {row["model"]: row["top1_err"] for row in rows("shufflenet_results.csv")}
    assert (error["ShuffleNet v2 0.5x"], error["ShuffleNetV2 0.5x"]) == ("39.7", "38.9")
    assert (error["ShuffleNet 1x g=3"], error["ShuffleNetV1 1.0x g=3"]) == ("32.6", "32.2")


def test_misprint_slimmable_v1_at_0_75_repeats_slims_317_million():
    """The repository of the same authors has 325. Its errors of ShuffleNet are 28.6 and 42.8, the paper's 28.7 and 42.7."""
    wide = {"backbone": "mobilenet_v1", "width": "0.75", "resolution": "224"}
    assert printed("elastic_networks.csv", "macs_m", method="slimmable (4 switches)", **wide) == {"317"}
    assert printed("elastic_networks.csv", "macs_m", method="us-net", **wide) == {"325"}
    assert round(millions("mobilenet_v1", 0.75)) == 325
    shufflenets = {row["width"]: row for row in rows("elastic_networks.csv", backbone="shufflenet")}
    assert [round(100 - float(shufflenets[width]["top1"]), 1) for width in ("2.0", "0.5")] == [28.7, 42.7]
    assert "28.6 and 42.8" in shufflenets["2.0"]["note"]
