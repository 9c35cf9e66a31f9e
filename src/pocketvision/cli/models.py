"""pocketvision models: all families of networks."""

from typing import Annotated, Any

from typer import Option

from pocketvision.cli.output import print_json, print_table


def models(
    json: Annotated[
        bool, Option("--json", help="Write the list as JSON, with all published figures, weights and costs.")
    ] = False,
) -> None:
    """List the families of networks: cost and published ImageNet top-1 at width 1 and the paper's resolution, and weights."""
    from pocketvision.choose.figures import own_top1
    from pocketvision.cost.count import count
    from pocketvision.model.families import FAMILIES
    from pocketvision.model.published import PUBLISHED
    from pocketvision.model.resolve import resolve

    found = [(family, count(resolve(family))) for family in FAMILIES.values()]
    if json:
        print_json([_content(family, cost) for family, cost in found])
        return
    rows = []
    for family, cost in found:
        top1 = own_top1(family.name, 1.0, family.resolution)
        weights = sum(known.family == family.name for known in PUBLISHED)
        rows.append(
            (
                family.name,
                str(family.resolution),
                f"{cost.params:,}",
                f"{cost.macs:,}",
                "-" if top1 is None else f"{top1:.1f} %",
                str(weights or "-"),
            )
        )
    print_table(("family", "resolution", "parameters", "multiply-adds", "top-1", "weights"), rows)


def _content(family: Any, cost: Any) -> dict[str, Any]:
    """Return everything that is known about a family; costs are exact, figures as published."""
    from pocketvision.choose.figures import published_figures
    from pocketvision.model.published import PUBLISHED

    return {
        **{name: getattr(family, name) for name in ("name", "title", "source", "resolution", "min_resolution")},
        "widths": list(family.widths) or None,
        "params": cost.params,
        "macs": cost.macs,
        "published": [
            {name: getattr(figure, name) for name in ("width", "resolution", "data", "top1", "source")}
            for figure in published_figures().get(family.name, ())
        ],
        "weights": [
            {name: getattr(known, name) for name in ("name", "width", "resolution", "top1", "origin")}
            for known in PUBLISHED
            if known.family == family.name
        ],
        "claims": [
            {name: getattr(claim, name) for name in ("width", "resolution", "classes", "params", "macs", "source")}
            for claim in family.claims
        ],
    }
