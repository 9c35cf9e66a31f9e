"""The page of the papers' claims, from the newest result of `benchmarks/paper_claims.py`. `docs/generate.py` writes it."""

from pathlib import Path
from typing import Any

from charts import Curve, Difference, curves_chart, differences_chart
from speed import newest, table, where

ERRORS = 2  # standard errors beyond which a difference is one
LEAST_SHOWN = 80.0  # top-1 in percent: points of curves below stand at the edge
SEPARABLE = "separable and standard convolution"
TOPS = {"mobilenet_v1": "MobileNetV1", "mobilenet_v2": "MobileNetV2"}
CLAIMS = {  # what the papers say of each comparison, in words of our own
    SEPARABLE: "MobileNets (arXiv:1704.04861, Table 4): with separable convolutions 70.6 % of ImageNet instead of 71.7 %, "
    "for 569 instead of 4,866 million "
    "multiply-adds. So the claim is a trade: about a point for eight to nine times fewer multiply-adds.",
    "thin and shallow": "MobileNets (Table 5): at about the same cost a thinner network (width 0.75: 68.4 %, 325 million) "
    "beats a shallower one (65.3 %, 307 million). "
    "Here the thin one is `mobilenet_v1` at 0.75 times the other's width, as there.",
    "linear and ReLU6 bottleneck": "MobileNetV2 (arXiv:1801.04381, section 6.3 and Figure 6a): an activation in the narrow "
    "tensors destroys what they carry. The paper shows curves, no numbers.",
    "shortcut between bottlenecks and between expansions": "MobileNetV2 (Figure 6b): shortcuts between the narrow tensors "
    "are better than between the wide ones, the other way round than "
    "in residual networks. Curves, no numbers.",
    "shortcut between bottlenecks and none": "MobileNetV2 (Figure 6b): a shortcut is better than none. Curves, no numbers.",
    "Xception without and with ReLU in the middle": "Xception (arXiv:1610.02357, section 4.7): nothing between the "
    "depthwise and the pointwise convolution learns faster and ends better "
    "than ReLU or ELU there. Curves, no numbers.",
    "MobileNetV1 without and with norm and ReLU6 in the middle": "What Xception found, asked of MobileNetV1, which has both "
    "there. No paper says it; osmr/imgclsmob's networks without them are 0.5 points "
    "better at width 0.25, 1.1 at 0.5, 0.8 at 0.75 and 1.4 at 1.0 on ImageNet.",
    "MobileNetV1, depthwise filters without and with decay": "MobileNets (section 3.2): little or no weight decay on "
    "depthwise filters, as they have so few parameters. No numbers. Here: the decay that all other "
    "filters have.",
    "MobileNetV1, depthwise filters without and with ten times the decay": "The same, with ten times that decay.",
    "MobileNetV2, depthwise filters without and with ten times the decay": "The same of MobileNetV2.",
}
INTRODUCTION = f"""
The MobileNet papers argue with ImageNet and weeks of training. Which of their arguments can be seen on anybody's machine, in
hours, on small images? Each was asked
again of networks of this house: 20,000 training images of Fashion-MNIST at 32 pixels, 4 epochs of the default recipe, width
0.5 (Xception 0.25), output stride 16, 3 seeds. Two networks
answer the same 10,000 test images, seed by seed; a difference counts where it is more than {ERRORS} standard errors, of which
the larger counts: that over the seeds or that over the images.

What follows is about small images and short trainings. It can show that an effect is there; that one is not seen here says
little of ImageNet.
"""


def paper_claims_pages(folder: Path, note: str) -> dict[Path, str]:
    """Return the page and its pictures by path."""
    result = newest("paper_claims")
    found, curves = result["summary"]["claims"], result["summary"]["curves"]
    rows = [Difference(name, cell["points"], cell["standard_error"]) for name, cell in found.items()]
    lines = [
        Curve(name, tuple((p["macs"] / 1e6, p["top1"]) for p in curve["points"])) for name, curve in curves.items()
    ]
    title = "By how many points the first is better"
    return {
        folder / "paper_claims.md": page(result, note),
        folder / "paper_claims_differences.svg": differences_chart(
            title, rows, f"points of top-1, bars of {ERRORS} standard errors"
        ),
        folder / "paper_claims_curves.svg": curves_chart(
            "Top-1 over multiply-adds", lines, "million multiply-adds", "top-1 in percent", LEAST_SHOWN
        ),
    }


def page(result: dict[str, Any], note: str) -> str:
    """All sections."""
    found = result["summary"]["claims"]
    return "\n".join(
        [
            note,
            "# The papers' claims, on small images",
            *INTRODUCTION.splitlines(),
            f"{where(result)} By `benchmarks/paper_claims.py`: an hour and a half on two cores with other work beside it; "
            f"the times were taken at the end, with none.",
            "",
            "![Differences with their errors](paper_claims_differences.svg)",
            "",
            *table(
                ["comparison: first and second", "first, top-1", "second, top-1", "points", "±", "here"],
                [
                    [name, *(f"{cell[which]['top1']:.2f} %" for which in ("one", "other")), f"{cell['points']:+.2f}",
                     f"{cell['standard_error']:.2f}", verdict(name, cell)]
                    for name, cell in found.items()
                ],
            ),
            "",
            *(line for name, cell in found.items() for line in section(name, cell)),
            *dead_filters(found),
            *curves_section(result["summary"]["curves"], result["cells"]),
            "## Again",
            "",
            "`.venv/bin/python benchmarks/paper_claims.py`; stopped, it goes on where it was. `make docs` writes this page.",
            "",
        ]
    )  # fmt: skip


def verdict(name: str, cell: dict[str, Any]) -> str:
    """Say what the numbers say: the first is better, the second is, or nothing can be seen.

    >>> verdict("thin and shallow", {"points": -0.5, "standard_error": 0.25})
    'nothing to be seen'
    """
    if abs(cell["points"]) <= ERRORS * cell["standard_error"]:
        return "nothing to be seen"
    if name == SEPARABLE:
        return "a trade" if cell["points"] < 0 else "a gain"
    return "holds" if cell["points"] > 0 else "the other way round"


def section(name: str, cell: dict[str, Any]) -> list[str]:
    """One claim: what the paper says, what was found, what both cost."""
    one, other = cell["one"], cell["other"]
    rows = [
        [f"`{way['name']}`", f"{way['top1']:.2f} %", f"{way['macs'] / 1e6:.2f}", f"{way['params']:,}"]
        for way in (one, other)
    ]
    times = "; ".join(
        f"{what} {cell[f'{what}, ratio of times']['ratio']:.2f} ± {cell[f'{what}, ratio of times']['noise']:.2f} times as long"
        for what in ("one image", "a training step")
    )
    ratio = other["macs"] / one["macs"]
    costs = "at the same cost" if one["macs"] == other["macs"] else f"for {ratio:.2f} times fewer multiply-adds"
    return [
        f"## {name[0].upper()}{name[1:]}",
        "",
        CLAIMS[name],
        "",
        *table(["network", "top-1", "million multiply-adds", "parameters"], rows),
        "",
        f"The first is {cell['points']:+.2f} ± {cell['standard_error']:.2f} points away from the second, {costs}: "
        f"**{verdict(name, cell)}**. It takes: {times}.",
        "",
    ]


def dead_filters(found: dict[str, Any]) -> list[str]:
    """Dead depthwise filters of every network that was trained."""
    shares = {way["name"]: way["dead_percent"] for cell in found.values() for way in (cell["one"], cell["other"])}
    shares = {name: share for name, share in shares.items() if "standard" not in name}
    most = max(shares.values())
    ends = (
        f"At most {most:.2f} % of a network's filters are dead: four epochs are too few for it, with the decay or without."
        if most < 1
        else f"The most are {most:.2f} % of a network's filters."
    )
    return [
        "## Dead depthwise filters",
        "",
        "MobileNetV1 is known for depthwise filters that decay to nothing and leave a constant channel ([what counts as "
        "dead](../src/pocketvision/model/dead_filters.py)); V2 less so. "
        f"Averaged over the seeds: {ends}",
        "",
        *table(["network", "dead filters"], [[f"`{name}`", f"{share:.2f} %"] for name, share in shares.items()]),
        "",
    ]


def spread(cells: dict[str, Any], family: str) -> float:
    """Return how many points lie between the seeds of a family's largest network."""
    found = [100 * cell["top1"] for name, cell in cells.items() if name.startswith(f"{family} 0.5 at 32, seed")]
    return max(found) - min(found)


def curves_section(curves: dict[str, Any], cells: dict[str, Any]) -> list[str]:
    """Accuracy against the logarithm of multiply-adds."""
    rows = [
        [name, f"{curve['points_per_doubling']:.2f}", f"{100 * curve['explained']:.0f} %"]
        for name, curve in curves.items()
    ]
    below = [
        f"{name} at {point['resolution']} pixels and width {point['width']:g}: {point['top1']:.1f} %"
        for name, curve in curves.items()
        for point in curve["points"]
        if point["top1"] < LEAST_SHOWN
    ]
    return [
        "## Width and resolution against multiply-adds",
        "",
        "MobileNets (Figure 4): accuracy follows the logarithm of the multiply-adds over all widths and resolutions, with a jump "
        "at width 0.25. One seed a point here: "
        + ", ".join(
            f"{words} at the right end had {spread(cells, family):.1f} points" for family, words in TOPS.items()
        )
        + " between its best and its worst seed. Output stride 16 makes the last map of 20 to 32 pixels 2x2: these resolutions "
        "differ little in multiply-adds and more in what can be seen.",
        "",
        "![Top-1 over multiply-adds](paper_claims_curves.svg)",
        "",
        *table(["curve", "points for each doubling", "of the variance on a straight line"], rows),
        "",
        *(["At the lower edge, as they are below it: " + "; ".join(below) + ".", ""] if below else []),
    ]
