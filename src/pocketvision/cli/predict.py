"""pocketvision predict: labels for images."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

Write = Callable[[str, Any], None]  # (image's name, its Labels)


def predict(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    sources: Annotated[list[str], Argument(help="Images, folders of images, or - for one image's bytes from stdin.")],
    top: Annotated[int, Option(help="Labels per image.", min=1)] = 1,
    batch: Annotated[int, Option(help="Images in one call of the network.", min=1)] = 32,
    threads: Annotated[int | None, Option(help="Threads for one call. [default: all cores]", min=1)] = None,
    json: Annotated[bool, Option("--json", help="One JSON document per line.")] = False,
    csv: Annotated[bool, Option("--csv", help="Comma-separated, with a header.")] = False,
) -> None:
    """Say what is in the images. An image that cannot be read is named on stderr; the others are answered."""
    import sys

    from pocketvision.errors import BadOption
    from pocketvision.run.predictor import Predictor

    if json and csv:
        raise BadOption("--json and --csv contradict each other: one form of output at a time.", "one of the two")
    model = Predictor.open(file, threads)
    images, top = list(_expand(sources)), min(top, len(model.record.labels))
    write = _json if json else _csv(top) if csv else _table(images, model.record.labels, top)
    code = 0
    for answer in model.stream(images, top, batch):
        if answer.error is not None:
            sys.stderr.write(f"{type(answer.error).__name__}: {answer.error}\n")
            code = answer.error.exit_code
        else:
            write(_name(answer.source), answer.labels)
    if code:
        raise Exit(code)


def _expand(sources: list[str]) -> Any:
    """Yield each image: files as they are, folders' images in order, stdin's bytes."""
    import sys

    from pocketvision.run.predictor import image_files

    for source in sources:
        if source == "-":
            yield sys.stdin.buffer.read()
        elif Path(source).is_dir():
            yield from image_files(source)
        else:
            yield source


def _name(source: Any) -> str:
    return "-" if isinstance(source, bytes) else str(source)


def _json(name: str, labels: Any) -> None:
    """Write one image's labels as a line of JSON."""
    from pocketvision.cli.output import print_json

    print_json({"source": name} | labels.to_json(), indent=None)


def _csv(top: int) -> Write:
    """Write the header; return the function that writes one image's labels."""
    import csv
    import sys

    rows = csv.writer(sys.stdout, lineterminator="\n")
    columns = [part for rank in range(1, top + 1) for part in (f"label_{rank}", f"probability_{rank}")]
    rows.writerow(["source", "unknown", *columns])

    def write(name: str, labels: Any) -> None:
        cells = [cell for label in labels for cell in (label.name, f"{label.probability:.6f}")]
        rows.writerow([name, str(labels.unknown).lower(), *cells])

    return write


def _table(images: list[Any], names: tuple[str, ...], top: int) -> Write:
    """Return the function that writes one image's labels, and the header above the first. Widths are known before."""
    from pocketvision.cli.output import print_line

    first, column = max(5, *(len(_name(image)) for image in images)), max(5, *map(len, names))
    header = [f"{'image':{first}}" + f"  {'label':{column}}  prob." * top]

    def write(name: str, labels: Any) -> None:
        if header:
            print_line(header.pop())
        cells = "".join(f"  {label.name:{column}}  {label.probability:.3f}" for label in labels)
        print_line(f"{name:{first}}{cells}{'  unknown' if labels.unknown else ''}")

    return write
