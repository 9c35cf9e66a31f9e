"""pocketvision weights: published weights, the contents of a file, and weights of your own by name."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, Typer

from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line, print_table
from pocketvision.errors import BadWeights

weights = Typer(
    help="Published weights, the contents of a file, and weights of your own by name.", rich_markup_mode=None
)


@weights.command("list")
def list_(
    family: Annotated[str | None, Argument(help="Only weights of families whose names begin like that.")] = None,
    json: Annotated[bool, Option("--json", help="Write the list as JSON.")] = False,
) -> None:
    """List the weights known by name, with the network they are for; nothing is fetched."""
    with loading():
        from pocketvision.model.published import PUBLISHED
        from pocketvision.model.weights.load import imported_names
        from pocketvision.model.weights.locate import find_here

    known = [published for published in PUBLISHED if published.family.startswith(family or "")]
    here = {published.name for published in known if find_here(published) is not None}
    mine = [] if family else imported_names()
    if json:
        rows = [
            {name: getattr(published, name) for name in ("name", "family", "width", "resolution")}
            | {"imagenet_top1": published.top1, "is_here": published.name in here}
            for published in known
        ]
        print_json({"published": rows, "imported": mine})
        return
    header = ("name", "family", "width", "pixels", "ImageNet top-1", "here")
    table = [
        (
            published.name,
            published.family,
            f"{published.width:.2f}",
            str(published.resolution),
            "" if published.top1 is None else f"{published.top1:.1f}",
            "yes" if published.name in here else "",
        )
        for published in known
    ]
    print_table(header, [*table, *((name, "", "", "", "", "imported") for name in mine)], left=2)


@weights.command()
def info(
    name: Annotated[str, Argument(help="A name from `pocketvision weights list`, a file or a folder.")],
    json: Annotated[bool, Option("--json", help="Write it as JSON.")] = False,
) -> None:
    """Show which network weights are for and what they were trained with; published weights are fetched."""
    with loading():
        from pocketvision.model.weights.load import describe, load_weights

    found = describe(load_weights(name))
    if json:
        print_json(found)
        return
    print_table(("what", "value"), [(what.replace("_", " "), _words(value)) for what, value in found.items()], left=2)


@weights.command("import")
def import_(
    file: Annotated[Path, Argument(help="A .safetensors or .pth file, or a folder as timm or Transformers save it.")],
    name: Annotated[str, Argument(help="The name to keep it under, for --weights.")],
    family: Annotated[
        str | None, Option(help="Which family it is, if several have the same arrays. [default: the first]")
    ] = None,
) -> None:
    """Keep a copy of weights, in this project's names, under a name of your own."""
    with loading():
        from pocketvision.model.families import find_family
        from pocketvision.model.weights.imported import import_weights
        from pocketvision.model.weights.load import load_weights

    found = load_weights(str(file), () if family is None else (find_family(family).name,))
    if family not in (None, found.graph.source.family):
        raise BadWeights(
            f"{found.name} holds {found.graph.source.family}, and --family {family} was asked for.",
            f"--family {found.graph.source.family}",
        )
    folder = import_weights(found, name)
    if found.assumed:
        print_line(found.assumed)
    print_line(f"{name}: {found.graph.name}, {found.layout} names, kept in {folder}")
    print_line(f"Next: pocketvision fit IMAGES --family {found.graph.source.family} --weights {name} -o run")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
