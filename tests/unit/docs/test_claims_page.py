"""The page of the papers' claims: words follow from numbers by its rule, what papers print is what the references say."""

import json
import math
import re
from pathlib import Path

import paper_claims as benchmark
import pytest
from charts import ERRORS
from claims_page import INTRODUCTION, LIMIT_OF_THREE, UNSEEN, beside, cost_words, paper_claims_pages, verdict
from claims_printed import CLAIMS, NO_NUMBERS, OSMR_USUAL, PLAIN, SEPARABLE, THIN, osmr, points_per_doubling, printed
from elastic_vs_individual import IMAGES, JUDGED
from speed import newest

from figures import one_row
from pocketvision.model.resolve import resolve

DOCS = Path(__file__).parents[3] / "docs"
DATE = "2026-01-02"


def way(name, top1=86.0, macs=4_000_000):
    return {"name": name, "top1": top1, "macs": macs, "params": 800_000, "dead_percent": 0.0}


def compared(points, error, one="a 0.5 at 32", other="b 0.5 at 32", macs=(4_000_000, 4_000_000), ratio=1.0, noise=0.1):
    clock = {"ratio": ratio, "noise": noise}
    return {
        "one": way(one, macs=macs[0]),
        "other": way(other, macs=macs[1]),
        "points": points,
        "standard_error": error,
        "one image, ratio of times": clock,
        "a training step, ratio of times": clock,
    }


def made_up(points=0.41, error=0.2, dead=0, date=DATE):
    """A finished result with the benchmark's own networks and invented numbers."""
    ways = dict.fromkeys(way for pair in benchmark.CLAIMS.values() for way in pair)
    names = [f"{way.name}, seed {seed}" for way in ways for seed in benchmark.SEEDS]
    names += [f"{way.name}, seed 0" for curve in benchmark.CURVES.values() for way in curve]
    cells = {
        name: {"top1": 0.8 + 0.001 * number, "dead": 0, "filters": 0 if "standard" in name else 1000}
        for number, name in enumerate(dict.fromkeys(names))
    }
    cells["mobilenet_v2 0.5 at 16, seed 0"]["dead"] = dead
    curves = {
        name: {
            "points": [
                {"width": way.width, "resolution": way.resolution, "macs": 2**number * 10**6, "top1": 80.0 + number}
                for number, way in enumerate(ways)
            ],
            "points_per_doubling": 1.0,
            "explained": 1.0,
        }
        for name, ways in benchmark.CURVES.items()
    }
    claims = {name: compared(points, error, one.name, other.name) for name, (one, other) in benchmark.CLAIMS.items()}
    head = {"question": "paper_claims", "date": date, "device": "a machine", "commit": "abc", "is_finished": True}
    return head | {"cells": cells, "summary": {"claims": claims, "curves": curves}}


def pages(folder, result):
    (folder / f"paper_claims_a-machine_{result['date']}.json").write_text(json.dumps(result), encoding="utf-8")
    return paper_claims_pages(Path("docs"), "<!-- note -->", folder)


def page(folder, result):
    return pages(folder, result)[Path("docs/paper_claims.md")]


def test_a_difference_is_one_beyond_two_standard_errors():
    found = [verdict(THIN, compared(points, 0.2)) for points in (0.41, 0.4, 0.0, -0.4, -0.41)]
    assert found == ["holds here", UNSEEN, UNSEEN, UNSEEN, "the other way here"]


@pytest.mark.parametrize(
    ("points", "words"),
    [(-0.41, "0.4 points lost"), (0.41, "0.4 points gained"), (-0.4, UNSEEN)],
)
def test_of_the_trade_it_says_what_is_lost_and_saved(points, words):
    assert verdict(SEPARABLE, compared(points, 0.2, macs=(2, 17))) == f"{words}, 8.5 times fewer multiply-adds"


def test_every_claim_has_its_words_and_its_result():
    assert list(benchmark.CLAIMS) == list(CLAIMS) == list(newest("paper_claims")["summary"]["claims"])


def test_the_introduction_says_what_the_benchmark_does():
    words = " ".join(INTRODUCTION.split())
    assert f"{IMAGES:,} training images" in words and f"{JUDGED:,} test images" in words
    assert f"enlarged to {benchmark.SIDE})" in words and f"{benchmark.EPOCHS} epochs" in words
    assert f"output stride {benchmark.STRIDE}, {len(benchmark.SEEDS)} seeds" in words
    assert f"width {benchmark.V1.width} (Xception {benchmark.XCEPTION.width})" in words
    assert benchmark.V2.width == benchmark.V1.width


def test_last_maps_are_as_large_as_is_said():
    for family in ("mobilenet_v1", "mobilenet_v2"):
        graphs = {side: resolve(family, 0.5, side, 10, 1, output_stride=benchmark.STRIDE) for side in benchmark.SIDES}
        sides = {side: graph.shape_of(graph["pool"].inputs[0]).height for side, graph in graphs.items()}
        assert sides == {16: 1, 20: 2, 24: 2, 28: 2, 32: 2}


def test_students_limit_for_three_seeds():
    share = 0.975
    assert pytest.approx((2 * share - 1) / (2 * share * (1 - share)) ** 0.5, abs=0.05) == LIMIT_OF_THREE  # 2 degrees
    assert len(benchmark.SEEDS) == 3


V1_TABLES, OSMR_TABLE = "mobilenet_v1_paper_tables.csv", "osmr_models.csv"


@pytest.mark.parametrize(
    ("name", "table", "one", "other"),
    [
        (SEPARABLE, "Table 4", "MobileNet", "Conv MobileNet"),
        (THIN, "Table 5", "0.75 MobileNet", "Shallow MobileNet"),
    ],
)
def test_what_the_paper_prints(name, table, one, other):
    found = printed(name)
    assert found is not None
    for item, figure in zip((one, other), found, strict=True):
        row = one_row(V1_TABLES, table=table, item=item)
        assert row["verified"] == "seen"
        assert (figure.top1, figure.macs) == (float(row["value"]), f"{row['macs_m']} million")
        assert figure.params == f"{row['params_m']} million"


def test_what_osmr_prints():
    for width in OSMR_USUAL:
        found = osmr(width)
        size = f"x{width:g}" if width < 1 else "x1.0"
        for model, figure in (("MobileNetb", found.one), ("MobileNet", found.other)):
            row = one_row(OSMR_TABLE, model=f"{model} {size}")
            assert figure.top1 == float(row["top1"]) and figure.params == f"{int(row['params']):,}"
            assert row["verified"] == "seen"


def test_curves_are_called_curves():
    row = one_row("mobilenet_v2_paper_tables.csv", table="Figure 6")
    assert row["verified"] == "seen" and row["note"].startswith("curves only, no numbers")
    assert {name for name, words in CLAIMS.items() if NO_NUMBERS in words} == {
        "linear and ReLU6 bottleneck",
        "shortcut between bottlenecks and between expansions",
        "shortcut between bottlenecks and none",
        "Xception without and with ReLU in the middle",
    }
    assert [name for name in CLAIMS if printed(name)] == [SEPARABLE, THIN, PLAIN]


@pytest.mark.parametrize(("narrow", "wide"), [("0.5", "1.0"), ("0.25", "0.5")])
def test_doublings_of_table_6(narrow, wide):
    source = "MobileNetV1 paper (arXiv 1704.04861) Table 6"
    low, high = (one_row("mobilenet_v1_variants.csv", alpha=alpha, source=source) for alpha in (narrow, wide))
    doublings = math.log2(float(high["macs_m"]) / float(low["macs_m"]))
    expected = (float(high["top1"]) - float(low["top1"])) / doublings
    assert points_per_doubling(float(narrow), float(wide)) == pytest.approx(expected)


def test_costs_are_said_both_ways_round():
    assert cost_words(2_391_936, 2_815_488) == "1.18 times fewer multiply-adds"
    assert cost_words(325, 307) == "1.06 times as many multiply-adds"
    curves = {"MobileNetV1, width": {"points_per_doubling": 0.8}}
    text = beside(THIN, compared(-1.2, 0.5, macs=(3_000_000, 6_000_000)), printed(THIN), curves)
    assert "+3.1 points with 1.06 times as many multiply-adds" in text
    assert "0.50 times the shallow one's multiply-adds here and 1.06 times in the paper" in text
    assert "0.50 times is worth about -0.8 points" in text


def test_no_page_without_a_finished_result(tmp_path):
    assert paper_claims_pages(tmp_path, "", tmp_path) == {}
    assert pages(tmp_path, made_up() | {"is_finished": False}) == {}


def test_every_claim_has_a_section_with_its_verdict(tmp_path):
    text = page(tmp_path, made_up())
    for name, words in CLAIMS.items():
        (section,) = (part for part in text.split("\n## ")[1:] if part.startswith(f"{name[0].upper()}{name[1:]}\n"))
        expected = "0.4 points gained, as many multiply-adds" if name == SEPARABLE else "holds here"
        assert words in section and f"**{expected}**" in section
        assert re.search(rf"^\| {re.escape(name)} \|.*\| {expected} \|$", text, re.MULTILINE)
        assert ("ImageNet: `" in section) == (printed(name) is not None)


@pytest.mark.parametrize(
    ("points", "is_named"), [(ERRORS * 0.2, False), (0.41, True), (LIMIT_OF_THREE * 0.2, True), (0.87, False)]
)
def test_verdicts_on_few_seeds_are_named(tmp_path, points, is_named):
    text = page(tmp_path, made_up(points))
    assert (f"thin and shallow ({points / 0.2:.1f})" in text) == is_named == ("An error from three seeds" in text)


@pytest.mark.parametrize(
    ("dead", "words"), [(9, "Hardly any die"), (10, "That is more than 1 %."), (250, "That is more than 1 %.")]
)
def test_dead_filters_of_all_trainings_count(tmp_path, dead, words):
    text = page(tmp_path, made_up(dead=dead))
    assert f"{dead} of 1,000 ({dead / 10:.2f} %) in `mobilenet_v2 0.5 at 16, seed 0`" in text and words in text


def test_curves_are_lines_only_with_and_without_the_cheapest_point(tmp_path):
    result = made_up()
    curves = result["summary"]["curves"]
    curves["MobileNetV2, resolution"]["points"][0]["top1"] = 20.0
    text = page(tmp_path, result)
    assert "of each other: MobileNetV1, width; MobileNetV1, resolution; MobileNetV2, width. " in text
    assert "1.00 points a doubling from 0.25 to 0.5 and 1.00 from 0.125 to 0.25: no jump" in text
    curves["MobileNetV1, width"]["points"][0]["top1"] = 70.0
    assert ": a jump at 0.25" in page(tmp_path, result)
