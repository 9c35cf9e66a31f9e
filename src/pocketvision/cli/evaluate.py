"""pocketvision evaluate: accuracy and calibration of a file on labelled images."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pocketvision.cli.output import print_json, print_table


def evaluate(
    file: Annotated[Path, Argument(help="A model file that pocketvision fit wrote.")],
    data: Annotated[str, Argument(help="Folder of class folders, CSV file, IDX folder, or a name: fashion-mnist.")],
    part: Annotated[
        str, Option(help="auto, train, validation, test or all. auto: test, if the file's own data.")
    ] = "auto",
    threads: Annotated[int | None, Option(help="Threads for one call. [default: all cores]", min=1)] = None,
    engine: Annotated[str, Option(help="onnxruntime, openvino, or auto: the fastest of those installed.")] = "auto",
    json: Annotated[bool, Option("--json", help="Write the figures as JSON.")] = False,
) -> None:
    """Measure the file on labelled images, from their original bytes."""
    from pocketvision.cli.progress import watch
    from pocketvision.data.check import check
    from pocketvision.export.evaluate import evaluate_file, select_part
    from pocketvision.run.predictor import Predictor

    model = Predictor.open(file, threads, engine=engine)
    dataset = watch(check(data)).dataset  # without what `fit` would leave out
    indices, chosen = select_part(model.record, dataset, part)

    result = watch(evaluate_file(model, dataset, indices, chosen))
    if json:
        print_json(result.to_json())
        return
    rows = [
        (f"top-1 on {result.images:,} images ({result.part})", f"{result.top1:.4f} +- {result.standard_error:.4f}"),
        ("expected calibration error", f"{result.ece:.4f} ({result.ece_uncalibrated:.4f} uncalibrated)"),
        ('answered "unknown"', f"{result.unknown:.4f}"),
    ]
    print_table(("measure", "value"), rows, left=2)
