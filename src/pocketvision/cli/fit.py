"""pocketvision fit: images in, one verified file out."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from pocketvision.cli.loading import loading


def fit(
    data: Annotated[str, Argument(help="Folder of class folders, CSV file, IDX folder, or a name: fashion-mnist.")],
    out: Annotated[Path, Option("--out", "-o", help="Run folder; must be new.")],
    minutes: Annotated[
        float | None, Option(help="Time from start to model.onnx. [default: 15, unless --epochs]")
    ] = None,
    epochs: Annotated[int | None, Option(help="Passes over the training images, instead of a time.")] = None,
    family: Annotated[
        str, Option(help="Family of networks, see `pocketvision models`; auto goes by the images.")
    ] = "auto",
    width: Annotated[float | None, Option(help="Width multiplier. [default: by images and time]")] = None,
    resolution: Annotated[int | None, Option(help="Input side in pixels. [default: by images and time]")] = None,
    output_stride: Annotated[
        int | None, Option(help="Input side over last map's side. [default: by resolution]")
    ] = None,
    recipe: Annotated[str, Option(help="How to train: modern or paper.")] = "modern",
    lr: Annotated[float | None, Option(help="Learning rate. [default: the recipe's]")] = None,
    batch_size: Annotated[int | None, Option(help="Images in a step. [default: the recipe's]")] = None,
    class_weights: Annotated[str, Option(help="auto, balanced or none.")] = "auto",
    flip: Annotated[
        bool | None, Option("--flip/--no-flip", help="Mirror training images. [default: by class names]")
    ] = None,
    seed: Annotated[int, Option(help="Of weights, order and augmentation.")] = 0,
    accelerator: Annotated[str, Option(help="Where training runs: auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, Option(help="auto, float32 or bfloat16.")] = "auto",
    restart: Annotated[bool, Option("--restart", help="Move an old run folder aside and start over.")] = False,
    json: Annotated[bool, Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Train a network on your images; write RUN/model.onnx, proven to answer as the trained network does."""
    with loading():
        from pocketvision.cli.output import print_json, print_line
        from pocketvision.cli.progress import watch
        from pocketvision.fit.flow import fit as run_fit
        from pocketvision.fit.options import FitOptions

    options = FitOptions(
        minutes=minutes,
        epochs=epochs,
        family=family,
        width=width,
        resolution=resolution,
        output_stride=output_stride,
        recipe=recipe,
        lr=lr,
        batch_size=batch_size,
        class_weights=class_weights,
        flip=flip,
        seed=seed,
        accelerator=accelerator,
        precision=precision,
    )
    finished = watch(run_fit(data, out, options, restart))
    score = finished.evaluation
    if json:
        print_json(
            {"model": str(finished.model), "network": finished.name, **score.to_json(), "minutes": finished.minutes}
        )
        return
    print_line(
        f"{finished.model}: {finished.name}, top-1 {score.top1:.4f} +- {score.standard_error:.4f} on {score.images:,} "
        f"{score.part} images, {finished.minutes:.1f} minutes"
    )
    print_line(f"Next: pocketvision predict {finished.model} IMAGE")
