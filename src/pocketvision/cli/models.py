"""pocketvision models: the families there are."""

from typing import Annotated

from typer import Option


def models(json: Annotated[bool, Option("--json", help="Write the list as JSON.")] = False) -> None:
    """List the families of networks, with their cost at width 1 and the paper's resolution."""
    from pocketvision.cli.output import print_json, print_table
    from pocketvision.cost.count import count
    from pocketvision.model.families import FAMILIES
    from pocketvision.model.resolve import resolve

    found = [(family, count(resolve(family))) for family in FAMILIES.values()]
    if json:
        print_json(
            [
                {
                    "name": family.name,
                    "title": family.title,
                    "source": family.source,
                    "resolution": family.resolution,
                    "params": cost.params,
                    "macs": cost.macs,
                }
                for family, cost in found
            ]
        )
        return
    rows = [
        (family.name, family.source, str(family.resolution), f"{cost.params:,}", f"{cost.macs:,}")
        for family, cost in found
    ]
    print_table(("family", "source", "resolution", "parameters", "multiply-adds"), rows, left=2)
