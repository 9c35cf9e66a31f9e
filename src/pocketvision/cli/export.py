"""pocketvision export: published weights straight to a file."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line
from pocketvision.errors import BadWeights
from pocketvision.files import check_out_path


def export(
    family: Annotated[str, Argument(help="Family of networks; see `pocketvision models`.")],
    out: Annotated[Path, Option("--out", "-o", help="File to write.")],
    weights: Annotated[str, Option(help="auto, or a name, file or folder; see `pocketvision weights list`.")] = "auto",
    width: Annotated[float | None, Option(help="Width of the published network. [default: the weights', or 1]")] = None,
    resolution: Annotated[int | None, Option(help="Input side in pixels. [default: the weights']")] = None,
    json: Annotated[bool, Option("--json", help="Write what was done as JSON.")] = False,
) -> None:
    """Write published weights as one verified file, labels and preprocessing inside; nothing is trained."""
    from pocketvision.model.families import find_family

    find_family(family)
    check_out_path(out)
    with loading():
        from pocketvision.jobs.export import export as write
        from pocketvision.model.weights.load import load_weights

    weights = _published(family, width) if weights == "auto" else weights
    loaded = load_weights(weights, (family,))
    options = loaded.graph.source
    if options.family != family or (width is not None and width != options.width):
        raise BadWeights(
            f"{loaded.name} holds {options.family} at width {options.width:g}, and {family} was asked for.",
            f"pocketvision export {options.family} --weights {weights} -o {out}",
        )
    exported = write(loaded, out, resolution)
    if json:
        print_json(
            {
                "file": str(exported.file),
                "network": exported.network,
                "weights": loaded.name,
                "classes": exported.classes,
                "difference": exported.difference,
                "assumed": loaded.assumed,
            }
        )
        return
    if loaded.assumed:
        print_line(loaded.assumed)
    print_line(
        f"{exported.file}: {exported.network} from {loaded.name}, {exported.classes} classes; file and network agree to "
        f"{exported.difference:.1e}"
    )
    print_line(f"Next: pocketvision predict {exported.file} IMAGE")


def _published(family: str, width: float | None) -> str:
    """Return the name of the family's published weights at that width, those on this machine first."""
    from pocketvision.model.published import PUBLISHED
    from pocketvision.model.weights.locate import find_here

    asked = 1.0 if width is None else width
    of_family = [published for published in PUBLISHED if published.family == family]
    known = [published for published in of_family if published.width == asked]
    if not known:
        widths = sorted({f"{published.width:g}" for published in of_family})
        raise BadWeights(
            f"no published weights of {family} at width {asked:g} are known; there are {', '.join(widths) or 'none'}.",
            "pocketvision weights list",
        )
    return next((published for published in known if find_here(published)), known[0]).name
