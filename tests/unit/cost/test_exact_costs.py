"""Every row that was worked out from the papers' layer tables, without this package, is met to the last digit."""

from figures import cost, rows

COMPUTED = rows("exact_costs_computed.csv")
FAMILIES = {
    "mobilenet_v1": "mobilenet_v1",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_large": "mobilenet_v3_large",
    "mobilenet_v3_large (expansion = ratio x rounded input, head not thinned)": "mobilenet_v3_large",
    "mobilenet_v3_large (torchvision rule: expansion and head scaled directly)": "mobilenet_v3_large_tv",
    "mobilenet_v3_small (1024 head)": "mobilenet_v3_small",
    "mobilenet_v3_small (1280 head)": "mobilenet_v3_small_head1280",
    "mobilenet_v3_small (expansion = ratio x rounded input, head not thinned)": "mobilenet_v3_small",
    "mobilenet_v3_small (torchvision rule: expansion and head scaled directly)": "mobilenet_v3_small_tv",
    "mobilenet_v4_conv_small": "mobilenet_v4_conv_small",
    "mobilenet_v4_conv_medium": "mobilenet_v4_conv_medium",
    "mobilenet_v4_conv_large": "mobilenet_v4_conv_large",
    "efficientnet_lite0": "efficientnet_lite0",
    "efficientnet_lite1": "efficientnet_lite1",
    "efficientnet_lite2": "efficientnet_lite2",
    "efficientnet_lite3": "efficientnet_lite3",
    "efficientnet_lite4": "efficientnet_lite4",
    "xception": "xception",
    "shufflenet_v1_g1": "shufflenet_v1_g1",
    "shufflenet_v1_g2": "shufflenet_v1_g2",
    "shufflenet_v1_g3": "shufflenet_v1_g3",
    "shufflenet_v1_g4": "shufflenet_v1_g4",
    "shufflenet_v1_g8": "shufflenet_v1_g8",
    "shufflenet_v2_torchvision": "shufflenet_v2",
    "shufflenet_v2_megvii": "shufflenet_v2_authors",
    "squeezenet 1.0": "squeezenet1_0",
    "squeezenet 1.1": "squeezenet1_1",
}


def width_of(row):
    """A Lite's width is in its family's rows; Xception and SqueezeNet have none."""
    is_lite = row["model"].startswith("efficientnet_lite")
    return 1.0 if is_lite else float(row["width"].rstrip("x") or 1)


def test_every_row_is_met_exactly():
    assert {row["model"] for row in COMPUTED} == set(FAMILIES), "a row that nobody compares is no oracle"
    found = {}
    for row in COMPUTED:
        ours = cost(FAMILIES[row["model"]], width_of(row), int(row["resolution"]))
        found[row["model"], row["width"], row["resolution"]] = (str(ours.params), str(ours.macs))
    assert found == {(row["model"], row["width"], row["resolution"]): (row["params"], row["macs"]) for row in COMPUTED}


def test_all_that_the_papers_tables_list_is_there():
    sizes = {
        model: [(float(row["width"]), int(row["resolution"])) for row in COMPUTED if row["model"] == model]
        for model in ("mobilenet_v1", "mobilenet_v2")
    }
    assert set(sizes["mobilenet_v1"]) == {(w, r) for w in (1.0, 0.75, 0.5, 0.25) for r in (224, 192, 160, 128)}
    assert set(sizes["mobilenet_v2"]) == {(1.4, 224), (1.3, 224)} | {
        (w, r) for w in (1.0, 0.75, 0.5, 0.35) for r in (224, 192, 160, 128, 96)
    }
    assert len(COMPUTED) == 71
