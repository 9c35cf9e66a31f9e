"""pocketvision fit: images in, one verified file out."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.budget import LatencyMs, Macs, MemoryMb, SizeMb, Target, Threads, read_budget, show_result
from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line, print_table
from pocketvision.errors import UsageError
from pocketvision.text import command


def fit(
    data: Annotated[str, Argument(help="Folder of class folders, CSV file, IDX folder, or a name: fashion-mnist.")],
    out: Annotated[
        Path | None, Option("--out", "-o", help="Run folder; must be new. [default: required, unless --plan]")
    ] = None,
    latency_ms: LatencyMs = None,
    size_mb: SizeMb = None,
    memory_mb: MemoryMb = None,
    macs: Macs = None,
    target: Target = None,
    threads: Threads = 1,
    plan: Annotated[bool, Option("--plan", help="Show what would be trained, and stop.")] = False,
    minutes: Annotated[
        float | None, Option(help="Time from start to model.onnx. [default: 15, unless --epochs]")
    ] = None,
    epochs: Annotated[int | None, Option(help="Passes over the training images, instead of a time.")] = None,
    family: Annotated[
        str,
        Option(help="Family of networks, or several with commas, see `pocketvision models`; auto: by the images."),
    ] = "auto",
    width: Annotated[float | None, Option(help="Width multiplier. [default: by images, budget and time]")] = None,
    resolution: Annotated[
        int | None, Option(help="Input side in pixels. [default: by images, budget and time]")
    ] = None,
    output_stride: Annotated[
        int | None, Option(help="Input side over last map's side. [default: by resolution]")
    ] = None,
    weights: Annotated[
        str,
        Option(help="Where training starts: auto, none, a name from `pocketvision weights list`, a file or a folder."),
    ] = "auto",
    recipe: Annotated[
        str, Option(help="How to train: auto, modern, paper or finetune. auto: finetune with weights, else modern.")
    ] = "auto",
    lr: Annotated[float | None, Option(help="Learning rate. [default: the recipe's]")] = None,
    batch_size: Annotated[int | None, Option(help="Images in a step. [default: the recipe's]")] = None,
    class_weights: Annotated[str, Option(help="auto, balanced or none.")] = "auto",
    flip: Annotated[
        bool | None, Option("--flip/--no-flip", help="Mirror training images. [default: by class names]")
    ] = None,
    elastic: Annotated[bool, Option("--elastic/--no-elastic", help="Train all sizes at once, then cut.")] = False,
    seed: Annotated[int, Option(help="Of weights, order and augmentation.")] = 0,
    accelerator: Annotated[str, Option(help="Where training runs: auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[
        str,
        Option(help="Of the file: auto, fp32, int8 or fp16-storage; auto: int8 if the budget gains by it."),
    ] = "auto",
    training_precision: Annotated[str, Option(help="auto, float32 or bfloat16.")] = "auto",
    cache_gb: Annotated[
        float, Option(help="Largest size of the folder of decoded images, in GB; 0: no such folder.")
    ] = 10.0,
    restart: Annotated[bool, Option("--restart", help="Move an old run folder aside and start over.")] = False,
    recheck: Annotated[
        bool, Option("--recheck", help="Check images again that the run has seen and that have the same size and time.")
    ] = False,
    json: Annotated[bool, Option("--json", help="Write the result as JSON.")] = False,
) -> None:
    """Train a network on your images that fits your budget; write RUN/model.onnx, proven to answer as the trained one does."""
    asked = dict(locals())  # the values of all options, by the names that FitOptions has for them
    if out is None and not plan:
        raise UsageError("a run folder is missing: where model.onnx goes.", "-o run, or --plan to look first")
    with loading():
        from pocketvision.cli.progress import watch
        from pocketvision.jobs.fit import fit as run_fit
        from pocketvision.jobs.options import FitOptions
        from pocketvision.jobs.preview import preview

    budget = read_budget(latency_ms, size_mb, memory_mb, macs)
    own = {field.name: asked[field.name] for field in fields(FitOptions) if field.name in asked}
    options = FitOptions(budget=budget, **own)
    if out is None or plan:
        planned = watch(preview(data, options))
        print_json(planned.to_json()) if json else _print_plan(planned)
        return
    show_result(run_fit(data, out, options, restart, recheck), _print_json if json else _print_result)


def _print_json(finished: Any) -> None:
    print_json(finished.to_json())


def _print_result(finished: Any) -> None:
    score, latency = finished.evaluation, finished.measurement.latency
    print_line(
        f"{finished.model}: {finished.name}, top-1 {score.top1:.4f} +- {score.standard_error:.4f} on {score.images:,} "
        f"{score.part} images, {finished.minutes:.1f} minutes"
    )
    print_line(
        f"here: {latency.median_ms:.3f} +- {latency.noise_ms:.3f} ms an image, {finished.measurement.label.median_ms:.3f} ms "
        f"with decoding; {finished.spent.size_mb:.2f} MB, {finished.spent.memory_mb:.2f} MB of memory, "
        f"{finished.spent.macs / 1e6:.1f} M multiply-adds"
    )
    if (page := finished.model.with_name("report.html")).exists():
        print_line(f"report: {page}")
    print_line(f"Next: {command('predict', finished.model, 'IMAGE')}")


def _print_plan(planned: Any) -> None:
    header = ("network", "ImageNet", "ms", "+-", "MB", "memory MB", "M MACs", "verdict")
    finalists = {candidate.name for candidate in planned.found.finalists}
    rows = []
    for candidate in planned.found.candidates:
        latency, spent = candidate.latency, candidate.spent
        is_predicted = latency is not None and latency.is_predicted
        verdict = "pick" if candidate is planned.pick else "tried" if candidate.name in finalists else ""
        rows.append(
            (
                candidate.name,
                f"{candidate.expected_top1:.0f}",
                "" if latency is None else f"{latency.median_ms:.3f}{'*' if is_predicted else ''}",
                "" if latency is None else f"{latency.noise_ms:.3f}",
                f"{spent.size_mb:.2f}",
                f"{spent.memory_mb:.2f}",
                f"{spent.macs / 1e6:.1f}",
                candidate.dropped or verdict,
            )
        )
    print_table(header, rows)
    print_line("ImageNet: top-1 of published networks at that cost, in percent; *: predicted between measured widths.")
    print_line(f"Device: {planned.device}. Pick: {planned.pick.name}, {planned.found.reason}.")
    epochs = planned.plan.epochs + planned.plan.epochs_on_all
    print_line(
        f"{epochs} epochs in about {planned.training_minutes:.1f} minutes; {planned.disk_mb:.0f} MB of disk, "
        f"about {planned.memory_mb:,.0f} MB of memory. Nothing was trained or written."
    )
