"""The page of the papers' claims, from the newest result of `benchmarks/paper_claims.py`. `docs/generate.py` writes it.

All that is said of the numbers follows from them, by the rules that the page states.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from charts import ERRORS, Curve, Difference, curves_chart, differences_chart
from claims_printed import (
    CLAIMS,
    OSMR_USUAL,
    PLAIN,
    SEPARABLE,
    THIN,
    Printed,
    in_millions,
    osmr,
    points_per_doubling,
    printed,
)
from speed import RESULTS, finished, newest, table, where

Cell = Mapping[str, Any]
LIMIT_OF_THREE = 4.3  # standard errors: 95 % of Student's t with two degrees of freedom, which three seeds have
LEAST_SHOWN = 80.0  # top-1 in percent: points of curves below stand at the edge
STRAIGHT = 0.9  # share of the variance from which points lie on a line
STEEPER = 1.5  # times: another slope
FEW = 0.01  # of a network's depthwise filters: fewer dead ones are hardly any
UNSEEN = "no difference that these data can show"
TOOK = {  # by date, what the result file does not hold
    "2026-11-27": "The run of 2026-11-27 took 67 minutes for the trainings, with other work on the machine, and three and a half "
    "for the times, with none."
}
INTRODUCTION = f"""
The MobileNet papers argue with ImageNet. Which of their arguments show on small images, in short trainings? Each was asked
again with networks of this house: 20,000 training images of Fashion-MNIST (28 pixels, enlarged to 32), 4 epochs of the default
recipe, width 0.5 (Xception 0.25), output stride 16, 3 seeds. Two networks are compared seed by seed and image by image on the
same 10,000 test images; the standard error is the larger of that over the seeds and that over the images.

**The rule.** With a difference of more than {ERRORS} standard errors a claim *holds here* or goes *the other way here*; any other
difference is *{UNSEEN}*. The separable convolution is a trade: there it says what is lost and what
is saved. Ratios of times come with the noise of the clock; one within it is no difference.

**What this can say.** That an effect is there with small images and few steps, and which way it goes. It cannot say that a claim
about ImageNet is wrong: four epochs judge how fast a network learns as much as how good it gets, and last maps of 2x2 pixels
leave little to filter. Points are not the same either: the papers' are of 1000 classes, these of 10.

"""


def paper_claims_pages(folder: Path, note: str, results: Path = RESULTS) -> dict[Path, str]:
    """Return the page and its pictures by path; nothing while no result is finished.

    Args:
        folder: where they go.
        note: first line of the page.
        results: folder of the result files.
    """
    if not finished("paper_claims", results):
        return {}
    result = newest("paper_claims", results)
    found, curves = result["summary"]["claims"], result["summary"]["curves"]
    rows = [Difference(name, cell["points"], cell["standard_error"]) for name, cell in found.items()]
    lines = [
        Curve(name, tuple((p["macs"] / 1e6, p["top1"]) for p in curve["points"]), "resolution" in name)
        for name, curve in curves.items()
    ]
    title = "By how many points of top-1 the first is better"
    return {
        folder / "paper_claims.md": page(result, note),
        folder / "paper_claims_differences.svg": differences_chart(
            title, rows, f"points; bars of {ERRORS} standard errors"
        ),
        folder / "paper_claims_curves.svg": curves_chart(
            "Top-1 over multiply-adds", lines, "million multiply-adds", "top-1 in percent", LEAST_SHOWN
        ),
    }


def page(result: dict[str, Any], note: str) -> str:
    """All sections."""
    found, curves, cells = result["summary"]["claims"], result["summary"]["curves"], result["cells"]
    lines = [
        note,
        "# The papers' claims, on small images",
        *INTRODUCTION.splitlines(),
        where(result),
        "",
        "![Differences with their errors](paper_claims_differences.svg)",
        "",
        f"Green: the first is better; orange: the second; open: {UNSEEN}.",
        "",
        *overview(found, cells),
        "",
        *(line for name, cell in found.items() for line in section(name, cell, cells, curves)),
        *dead_filters(found, cells),
        *curves_section(curves, cells),
        "## Again",
        "",
        "`.venv/bin/python benchmarks/paper_claims.py` first says how long it will take; stopped, it goes on where it was. "
        f"`make docs` writes this page. {TOOK.get(result['date'], '')}".rstrip(),
        "",
    ]
    return "\n".join(lines)


def overview(found: Mapping[str, Cell], cells: Cell) -> Iterator[str]:
    """Every comparison as a row, and which of them stand on few seeds."""
    rows, weak = [], []
    for name, cell in found.items():
        apart, source = by_seed(cell, cells), printed(name)
        error = cell["standard_error"]
        shares = [f"{cell[which]['top1']:.2f} %" for which in ("one", "other")]
        ahead = f"{sum(points > 0 for points in apart)} of {len(apart)}"
        elsewhere = f"{source.points:+.1f}" if source else ""
        rows.append([name, *shares, f"{cell['points']:+.2f} ± {error:.2f}", ahead, elsewhere, verdict(name, cell)])
        if ERRORS * error < abs(cell["points"]) <= LIMIT_OF_THREE * error:
            weak.append(f"{name} ({abs(cell['points']) / error:.1f})")
    head = [
        "first and second",
        "first",
        "second",
        "points",
        "seeds with the first ahead",
        "points on ImageNet, printed",
    ]
    yield from table([*head, "verdict"], rows)
    if weak:
        yield ""
        yield (
            f"An error from three seeds is itself rough: Student's limit of 95 % is then {LIMIT_OF_THREE} errors, not {ERRORS}. "
            f"Verdicts between the two: {'; '.join(weak)}."
        )


def verdict(name: str, cell: Cell) -> str:
    """Say what the numbers say, by the page's rule.

    >>> verdict("thin and shallow", {"points": -0.5, "standard_error": 0.25})
    'no difference that these data can show'
    """
    points, is_seen = cell["points"], abs(cell["points"]) > ERRORS * cell["standard_error"]
    if name == SEPARABLE:
        lost = f"{abs(points):.1f} points {'lost' if points < 0 else 'gained'}" if is_seen else UNSEEN
        return f"{lost}, {cost_words(cell['one']['macs'], cell['other']['macs'])}"
    if not is_seen:
        return UNSEEN
    return "holds here" if points > 0 else "the other way here"


def cost_words(one: float, other: float) -> str:
    """Compare two costs in multiply-adds.

    >>> cost_words(2, 17), cost_words(2.2, 2), cost_words(3, 3)
    ('8.5 times fewer multiply-adds', '1.10 times as many multiply-adds', 'as many multiply-adds')
    """
    if one == other:
        return "as many multiply-adds"
    ratio = max(one, other) / min(one, other)
    return f"{ratio:.{1 if ratio > 2 else 2}f} times {'fewer' if one < other else 'as many'} multiply-adds"


def by_seed(cell: Cell, cells: Cell) -> list[float]:
    """Return by how many points the first is better, seed by seed."""
    one, other = (seeds(cells, cell[which]["name"]) for which in ("one", "other"))
    return [round(100 * (a["top1"] - b["top1"]), 2) for a, b in zip(one, other, strict=True)]


def seeds(cells: Cell, way: str) -> list[Cell]:
    """Return the trainings of one network, the first seed first."""
    return [cells[name] for name in sorted(cells) if name.rpartition(", seed ")[0] == way]


def section(name: str, cell: Cell, cells: Cell, curves: Mapping[str, Cell]) -> Iterator[str]:
    """One claim: what was said, what was found, what both cost."""
    source = printed(name)
    rows = [
        [f"`{way['name']}`", f"{way['top1']:.2f} %", f"{way['macs'] / 1e6:.2f}", f"{way['params'] / 1e6:.2f}"]
        for way in (cell["one"], cell["other"])
    ]
    for each in source or ():
        network = f"ImageNet: `{each.family} {each.width:g} at {each.resolution}`, {each.source}"
        rows.append([network, f"{each.top1:g} %", in_millions(each.macs), in_millions(each.params)])
    apart = ", ".join(f"{points:+.2f}" for points in by_seed(cell, cells))
    costs = "" if name == SEPARABLE else f", with {cost_words(cell['one']['macs'], cell['other']['macs'])}"
    yield from (f"## {name[0].upper()}{name[1:]}", "", CLAIMS[name], "")
    yield from table(["network", "top-1", "million multiply-adds", "million parameters"], rows)
    yield ""
    yield (
        f"Here the first is {cell['points']:+.2f} ± {cell['standard_error']:.2f} points from the second (seed by seed {apart})"
        f"{costs}: **{verdict(name, cell)}**. {beside(name, cell, source, curves)}{times(cell)}"
    )
    yield ""


def beside(name: str, cell: Cell, source: Printed | None, curves: Mapping[str, Cell]) -> str:
    """Say how large it is in print, and which costs differ."""
    if source is None:
        return ""
    if name == PLAIN:
        sizes = ", ".join(f"{osmr(width).points:+.1f} at width {width:g}" for width in OSMR_USUAL)
        return f"In print, on ImageNet: {sizes}. "
    one, other = (float(in_millions(each.macs)) for each in source)
    text = f"In print, on ImageNet: {source.points:+.1f} points with {cost_words(one, other)}. "
    if name == THIN:
        share = cell["one"]["macs"] / cell["other"]["macs"]
        worth = curves["MobileNetV1, width"]["points_per_doubling"] * math.log2(share)
        text += (
            f"The costs are only about equal: the thin one has {share:.2f} times the shallow one's multiply-adds here and "
            f"{one / other:.2f} times in the paper. At the rate of the width curve below, {share:.2f} times is worth about "
            f"{worth:+.1f} points. "
        )
    return text


def times(cell: Cell) -> str:
    """Say how long the first takes beside the second, and where the clock cannot tell."""
    ratios = [cell[f"{what}, ratio of times"] for what in ("one image", "a training step")]
    image, step = (f"{found['ratio']:.2f} ± {found['noise']:.2f}" for found in ratios)
    one, other = (cell[which]["name"].partition(", decay")[0] for which in ("one", "other"))
    if one == other:
        return f"The clock met one network twice: {image} times as long for one image, {step} for a training step."
    seen = ["" if round(abs(found["ratio"] - 1), 3) > found["noise"] else " (no difference)" for found in ratios]
    return f"One image (ONNX Runtime, one thread) takes {image} times as long{seen[0]}, a training step {step} times{seen[1]}."


def dead_filters(found: Mapping[str, Cell], cells: Cell) -> Iterator[str]:
    """Dead depthwise filters: of V1 and V2 with each decay, and of all trainings."""
    compared = [
        found[name][which]["name"] for name in found if "depthwise filters" in name for which in ("one", "other")
    ]
    rows = []
    for way in dict.fromkeys(compared):
        trained = seeds(cells, way)
        dead, filters = (sum(cell[what] for cell in trained) for what in ("dead", "filters"))
        counts = ", ".join(str(cell["dead"]) for cell in trained)
        rows.append([f"`{way}`", f"{trained[0]['filters']:,}", counts, f"{100 * dead / filters:.2f} %"])
    yield from ("## Dead depthwise filters", "")
    yield (
        "MobileNetV1 is known for depthwise filters that shrink to nothing and leave a channel with a constant in it "
        "([what counts as dead](../src/pocketvision/model/dead_filters.py)). Do they here, and more in V1 than in V2, or more "
        "with decay on them than without?"
    )
    yield ""
    yield from table(["network", "depthwise filters", "dead, seed by seed", "share"], rows)
    yield from ("", *dead_in_all(cells), "")


def dead_in_all(cells: Cell) -> Iterator[str]:
    """Count the dead filters of all trainings, and name the network with most."""
    filtered = {name: cell for name, cell in cells.items() if cell.get("filters")}
    worst = max(filtered, key=lambda name: filtered[name]["dead"] / filtered[name]["filters"])
    share = filtered[worst]["dead"] / filtered[worst]["filters"]
    totals = []
    for words, family in (("MobileNetV1", "mobilenet_v1"), ("MobileNetV2", "mobilenet_v2")):
        mine = [cell for name, cell in filtered.items() if name.startswith(family)]
        dead, filters = (sum(cell[what] for cell in mine) for what in ("dead", "filters"))
        totals.append(f"{dead:,} of {filters:,} in {words}")
    yield (
        f"In all trainings, those of the curves and the variants too, {' and '.join(totals)} are dead. Most in one network: "
        f"{filtered[worst]['dead']:,} of {filtered[worst]['filters']:,} ({100 * share:.2f} %) in `{worst}`, whose top-1 is "
        f"{100 * filtered[worst]['top1']:.1f} %. "
        + (
            "Hardly any die, so these trainings say nothing of V1 against V2 or of decay."
            if share < FEW
            else f"That is more than {100 * FEW:g} %."
        )
    )


def fit(points: Sequence[Cell]) -> tuple[float, float, float]:
    """Return a line's points of top-1 for each doubling of multiply-adds, its share of the variance, and the doublings covered.

    >>> [round(value, 3) for value in fit([{"macs": 1, "top1": 80}, {"macs": 2, "top1": 81}, {"macs": 4, "top1": 82}])]
    [1.0, 1.0, 2.0]
    """
    x, y = np.log2([point["macs"] for point in points]), np.array([point["top1"] for point in points], np.float64)
    slope, level = np.polyfit(x, y, 1)
    left = ((y - slope * x - level) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    return float(slope), 1 - float(left), float(np.ptp(x))


def curves_section(curves: Mapping[str, Cell], cells: Cell) -> Iterator[str]:
    """Accuracy against the logarithm of multiply-adds."""
    rows, straight = [], []
    for name, curve in curves.items():
        points = sorted(curve["points"], key=lambda point: point["macs"])
        lines = fit(points), fit(points[1:])
        rows.append([name, *(f"{slope:.2f} | {100 * share:.0f} % | {wide:.2f}" for slope, share, wide in lines)])
        if min(share for _, share, _ in lines) >= STRAIGHT and 1 / STEEPER < lines[1][0] / lines[0][0] < STEEPER:
            straight.append(name)
    lowest = min(point["top1"] for curve in curves.values() for point in curve["points"])
    marked = f" (an arrow: below {LEAST_SHOWN:g} %)" if lowest < LEAST_SHOWN else ""
    below, above = halves(curves["MobileNetV1, width"])
    yield from ("## Width and resolution against multiply-adds", "")
    yield (
        "MobileNets (section 4.2 and Figure 4): over widths and resolutions accuracy follows the logarithm of the multiply-adds, "
        f"with a jump at width 0.25. In Table 6 a doubling is worth {points_per_doubling(0.5, 1.0):.1f} points between widths "
        f"0.5 and 1, {points_per_doubling(0.25, 0.5):.1f} between 0.25 and 0.5. Here, one seed a point"
        f"{marked}:"
    )
    yield from ("", "![Top-1 over multiply-adds](paper_claims_curves.svg)", "")
    kinds = ["points a doubling", "variance on the line", "doublings covered"]
    yield from table(["curve", *kinds, *(f"{kind}, without the cheapest" for kind in kinds)], rows)
    yield ""
    yield (
        f"One line, that is at least {100 * STRAIGHT:g} % of the variance with the cheapest point and without, and slopes within "
        f"{STEEPER:g} times of each other: {'; '.join(straight) or 'none of them'}. MobileNetV1's widths gain {above:.2f} points "
        f"a doubling from 0.25 to 0.5 and {below:.2f} from 0.125 to 0.25: "
        f"{'a' if below > STEEPER * above else 'no'} jump at 0.25, which more than {STEEPER:g} times as much would be."
    )
    yield from ("", *caveats(cells), "")


def halves(curve: Cell) -> list[float]:
    """Return what a doubling is worth from width 0.125 to 0.25, and from 0.25 to 0.5."""
    by_width = {point["width"]: point for point in curve["points"]}
    ends = [(by_width[narrow], by_width[wide]) for narrow, wide in ((0.125, 0.25), (0.25, 0.5))]
    return [(high["top1"] - low["top1"]) / math.log2(high["macs"] / low["macs"]) for low, high in ends]


def caveats(cells: Cell) -> Iterator[str]:
    """Say why curves of resolutions are no lines here, and how far seeds lie apart."""
    yield (
        "Resolution is hardly a dial of cost here: with output stride 16 the last map of 20, 24, 28 and 32 pixels is 2x2, that "
        "of 16 is 1x1. A line through all five goes through two places; among the other four the multiply-adds hardly change, "
        "and what can be seen does (32 is an enlargement of 28)."
    )
    yield ""
    ends = []
    for words, family in (("MobileNetV1", "mobilenet_v1"), ("MobileNetV2", "mobilenet_v2")):
        found = [100 * cell["top1"] for cell in seeds(cells, f"{family} 0.5 at 32")]
        above = found[0] - sum(found) / len(found)
        ends.append(
            f"{words} {max(found) - min(found):.1f} points, and the curve's seed is {above:+.1f} from their mean"
        )
    yield (
        f"At the right end, where there are more seeds, the best and the worst lie apart: {'; '.join(ends)}. Steps of a curve "
        "that are no larger say nothing."
    )
