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
                _more_buys(row, content["cuts"]),
            )
            for row in rows
        ],
    )
    print_line(f"top-1: on validation images. Cuts of {content['network']}; latencies on {content['device']}.")
    print_line(f"Next: pocketvision cut {run} --latency-ms MS -o small.onnx")


def _more_buys(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the cheapest size of the front that is clearly better, with its gain and its additional cost."""
    from pocketvision.choose.front import what_more_buys

    better = next((one for one in rows if one["network"] == row["next_better"]), None)
    if better is None:
        return ""
    points, size_mb = (better[name] - row[name] for name in ("validation_top1", "size_mb"))
    latencies = (row["latency_ms"], better["latency_ms"])
    return f"{what_more_buys(100 * points, latencies, size_mb)}: {better['network']}"


def bar(share: float, width: int = 20) -> str:
    """Return a share as a bar.

    >>> bar(0.5, 4), bar(0.0, 4)
    ('##', '')
    """
    return "#" * round(share * width)
