"""pocketvision cut: another size of a finished elastic run."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from pocketvision.cli.budget import LatencyMs, Macs, MemoryMb, SizeMb, Target, Threads, read_budget
from pocketvision.cli.loading import loading
from pocketvision.cli.output import print_json, print_line
from pocketvision.errors import BadOption
from pocketvision.files import check_out_path


def cut(
    run: Annotated[Path, Argument(help="The run folder that `pocketvision fit --elastic -o` wrote.")],
    out: Annotated[Path, Option("--out", "-o", help="File to write; with --all the folder.")],
    latency_ms: LatencyMs = None,
    size_mb: SizeMb = None,
    memory_mb: MemoryMb = None,
    macs: Macs = None,
    target: Target = None,
    threads: Threads = 1,
    precision: Annotated[
        str, Option(help="Of the file: auto, fp32, int8 or fp16-storage. int8, also by auto, needs --data.")
    ] = "auto",
    data: Annotated[str | None, Option(help="The images of the run, which int8 needs.")] = None,
    all_: Annotated[bool, Option("--all", help="Write a few sizes along the front, and an index.")] = False,
    json: Annotated[bool, Option("--json", help="Write what was done as JSON.")] = False,
) -> None:
    """Cut a finished elastic run to another budget: another verified file in seconds, without training; int8 needs images."""
    if not (all_ and out.is_dir()):
        check_out_path(out)
    with loading():
        from pocketvision.cli.progress import watch
        from pocketvision.jobs.cut import cut_all, cut_run

    budget = read_budget(latency_ms, size_mb, memory_mb, macs)
    if all_ and (budget or target is not None or precision != "auto" or data is not None):
        raise BadOption(
            "--all writes fp32 files along the whole front; it takes no budget, precision or data.",
            "either of the two",
        )
    work: Any = cut_all(run, out, threads) if all_ else cut_run(run, out, budget, target, threads, precision, data)
    found = watch(work)
    if json:
        print_json([each.to_json() for each in found] if all_ else found.to_json())
        return
    for each in found if all_ else [found]:
        _print(each)
    if not all_:
        print_line(f"Next: pocketvision predict {out} IMAGE")


def _print(written: Any) -> None:
    score, latency = written.score, written.measurement.latency
    print_line(
        f"{written.file}: {written.name}, top-1 {score.top1:.4f} +- {score.standard_error:.4f} on {score.images:,} "
        f"{score.part} images; here {latency.median_ms:.3f} +- {latency.noise_ms:.3f} ms, {written.spent.size_mb:.2f} MB"
    )
