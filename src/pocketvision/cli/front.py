"""pocketvision front: accuracy and cost of every cut of an elastic run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line, print_table


def front(
    run: Annotated[Path, Argument(help="The run folder that `pocketvision fit --elastic -o` wrote.")],
    target: Annotated[
        Path | None, Option(help="Device file that `pocketvision probe` wrote. [default: as measured by fit]")
    ] = None,
    all_: Annotated[bool, Option("--all", help="Show also the cuts that a cheaper one beats.")] = False,
    json: Annotated[bool, Option("--json", help="Write all cuts as JSON.")] = False,
) -> None:
    """Show the front of an elastic run: the sizes worth having, and what one more millisecond or megabyte buys."""
    with loading():
        from pocketvision.cli.progress import watch
        from pocketvision.jobs.cut import read_front

    content = watch(read_front(run, target))
    if json:
        print_json(content)
        return
    rows = sorted(
        (row for row in content["cuts"] if all_ or row["is_on_front"]),
        key=lambda row: (row["latency_ms"] or 0.0, row["macs"]),
    )
    best = max(row["validation_top1"] for row in rows)
    worst = min(row["validation_top1"] for row in rows)
    print_table(
        ("network", "top-1", "", "ms", "+-", "MB", "M MACs", "better than all cheaper", "more buys"),
        [
            (
                row["network"],
                f"{row['validation_top1']:.4f}",
                bar((row["validation_top1"] - worst) / (best - worst or 1)),
                "" if row["latency_ms"] is None else f"{row['latency_ms']:.3f}",
                "" if row["noise_ms"] is None else f"{row['noise_ms']:.3f}",
                f"{row['size_mb']:.2f}",
                f"{row['macs'] / 1e6:.1f}",
                "yes" if row["is_on_front"] else "",
                more_buys(row, content["cuts"]),
            )
            for row in rows
        ],
    )
    print_line(f"top-1: on validation images. Cuts of {content['network']}; latencies on {content['device']}.")
    print_line(f"Next: pocketvision cut {run} --latency-ms MS -o small.onnx")


def more_buys(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the cheapest size of the front that is clearly better, with its gain and its additional cost.

    >>> small = {"network": "s", "next_better": "m", "latency_ms": 1.0, "size_mb": 0.5, "validation_top1": 0.8}
    >>> medium = {"network": "m", "next_better": None, "latency_ms": 1.5, "size_mb": 0.9, "validation_top1": 0.85}
    >>> more_buys(small, [small, medium]), more_buys(medium, [small, medium])
    ('+5.0 points for +0.500 ms, +0.40 MB: m', '')
    """
    better = next((one for one in rows if one["network"] == row["next_better"]), None)
    if better is None:
        return ""
    costs = [f"{better['size_mb'] - row['size_mb']:+.2f} MB"]
    if None not in (row["latency_ms"], better["latency_ms"]):
        costs.insert(0, f"{better['latency_ms'] - row['latency_ms']:+.3f} ms")
    points = 100 * (better["validation_top1"] - row["validation_top1"])
    return f"{points:+.1f} points for {', '.join(costs)}: {better['network']}"


def bar(share: float, width: int = 20) -> str:
    """Return a share as a bar.

    >>> bar(0.5, 4), bar(0.0, 4)
    ('##', '')
    """
    return "#" * round(share * width)
