"""count against V1's paper, table by table, and TF-slim's own list of layers. Misprints: `test_misprints.py`."""

import pytest

from figures import one_row, rows
from graphs import builder
from pocketvision.cost.count import Sum, count
from pocketvision.model.builder import Builder
from pocketvision.model.graph import Shape
from pocketvision.model.resolve import resolve


def number(text):
    return float(text.rstrip("%"))


@pytest.mark.parametrize(("alpha", "resolution"), [("1.0", "224"), ("0.75", "128")])
def test_slims_list_of_layers(alpha, resolution):
    published = {
        row["layer"]: (int(row["params"]), int(row["macs"]))
        for row in rows("mobilenet_v1_layer_costs.csv", alpha=alpha, resolution=resolution)
    }
    total = published.pop("Total")
    cost = count(resolve("mobilenet_v1", float(alpha), int(resolution)))
    ours = {slim_name(op.name): (op.weights, op.macs) for op in cost.ops if op.macs and op.name != "classifier"}
    assert list(ours.items()) == list(published.items())
    assert tuple(map(sum, zip(*ours.values(), strict=True))) == total


def slim_name(op):
    """block3.depthwise -> Conv2d_3_depthwise."""
    return "Conv2d_0" if op == "stem" else op.replace("block", "Conv2d_").replace(".", "_")


def table_2():
    """Shares of each kind of layer in percent, as printed."""
    return {
        row["item"]: (number(row["macs_m"]), number(row["params_m"]))
        for row in rows("mobilenet_v1_paper_tables.csv", table="Table 2")
    }


def shares():
    """The same shares, counted; as in the paper parameters are weights without batch norm and biases."""
    cost = count(resolve("mobilenet_v1"))
    total = cost.total
    return {kind: (100 * s.macs / total.macs, 100 * s.weights / total.weights) for kind, s in cost.by_kind().items()}


def test_table_2_shares():
    printed, counted = table_2(), shares()
    assert list(counted) == ["Conv 1x1", "Conv DW 3x3", "Conv 3x3", "Fully connected"]
    for kind, (macs, weights) in printed.items():
        assert counted[kind][1] == pytest.approx(weights, abs=0.01)
        if kind != "Conv 3x3":
            assert counted[kind][0] == pytest.approx(macs, abs=0.01)


def layer(channels, size, separable):
    """The inner layer of Table 3: 3x3, as many channels out as in."""
    b = Builder(Shape(channels, size, size))
    x = "image"
    if separable:
        x = b.depthwise(x, "depthwise", kernel=3)
    b.conv(x, "conv", channels, kernel=1 if separable else 3)
    return b.graph("layer", {})


TABLE_3 = [
    ("Convolution 3x3x512x512 on 14x14", layer(512, 14, separable=False)),
    ("Depthwise separable", layer(512, 14, separable=True)),
    ("alpha=0.75 on top", layer(384, 14, separable=True)),
    ("rho=0.714 on top", layer(384, 10, separable=True)),
]


@pytest.mark.parametrize(("item", "graph"), TABLE_3, ids=[item for item, _ in TABLE_3])
def test_table_3(item, graph):
    row = one_row("mobilenet_v1_paper_tables.csv", table="Table 3", item=item)
    total = count(graph).total
    assert total.macs / 1e6 == pytest.approx(number(row["macs_m"]), abs=0.5 if row["macs_m"] == "462" else 0.06)
    assert total.weights / 1e6 == pytest.approx(number(row["params_m"]), abs=0.006)


PAPER_SIZES = [
    ("Table 4", "MobileNet", "mobilenet_v1", 1.0, 224),
    ("Table 5", "0.75 MobileNet", "mobilenet_v1", 0.75, 224),
    ("Table 5", "Shallow MobileNet", "mobilenet_v1_shallow", 1.0, 224),
    ("Table 8", "1.0 MobileNet-224", "mobilenet_v1", 1.0, 224),
    ("Table 9", "0.50 MobileNet-160", "mobilenet_v1", 0.5, 160),
]


@pytest.mark.parametrize(("table", "item", "family", "width", "resolution"), PAPER_SIZES)
def test_rows_of_the_papers_other_tables(table, item, family, width, resolution):
    row = one_row("mobilenet_v1_paper_tables.csv", table=table, item=item)
    cost = count(resolve(family, width, resolution))
    assert cost.macs / 1e6 == pytest.approx(number(row["macs_m"]), abs=0.6)  # 76.5 is printed as 76
    assert cost.params / 1e6 == pytest.approx(number(row["params_m"]), abs=0.05)


def test_table_5_shallow_is_exact():
    cost = count(resolve("mobilenet_v1_shallow"))
    assert (cost.params, cost.macs) == (2_887_976, 307_323_392)


def test_relu_costs_what_relu6_costs():
    assert count(resolve("mobilenet_v1_relu")).total == count(resolve("mobilenet_v1")).total


def small_net():
    b = builder()
    x = b.conv("image", "plain", 4, kernel=3, stride=2, bias=True)
    x = b.conv(x, "grouped", 6, kernel=3, groups=2, batch_norm=False)
    x = b.depthwise(x, "depthwise", kernel=5)
    return b.graph("net", {"logits": b.linear(b.global_pool(x, "pool"), "classifier", 10)})


def test_every_op_by_hand():
    cost = count(small_net())
    assert [(op.name, op.kind, op.params, op.weights, op.macs) for op in cost.ops] == [
        ("plain", "Conv 3x3", 4 * 3 * 9 + 4 + 2 * 4, 4 * 3 * 9, 4 * 3 * 9 * 16),
        ("grouped", "Conv 2 groups 3x3", 6 * 2 * 9, 6 * 2 * 9, 6 * 2 * 9 * 16),
        ("depthwise", "Conv DW 5x5", 6 * 25 + 2 * 6, 6 * 25, 6 * 25 * 16),
        ("pool", "GlobalPool", 0, 0, 0),
        ("classifier", "Fully connected", 6 * 10 + 10, 60, 60),
    ]
    assert cost.total == Sum(
        params=sum(op.params for op in cost.ops),
        weights=sum(op.weights for op in cost.ops),
        macs=sum(op.macs for op in cost.ops),
    )
