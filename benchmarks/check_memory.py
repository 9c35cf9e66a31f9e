"""How much memory does `pocketvision data check` take, and how much more where there are more images?

    python benchmarks/check_memory.py --against COMMIT      # about 6 minutes: the working tree, and that commit

The images are made here: smooth random colours, as JPEG of 500 x 375 pixels and as PNG of 4000 x 3000. A figure is the peak of
the resident memory of a process of its own. Writes benchmarks/results/check_memory_<device>_<date>.json.
"""

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import ROOT, Results, checked_out, environment, print_estimate
from PIL import Image

CELLS = (6, 8, 3)  # random colours of an image, which become its pixels by interpolation
SETS: dict[str, tuple[str, tuple[int, int], dict[str, int], tuple[int, int]]] = {
    "jpeg": (".jpg", (500, 375), {"quality": 90}, (200, 2000)),
    "png": (".png", (4000, 3000), {"compress_level": 1}, (5, 100)),
}
"""Suffix, width and height, options of the encoder, and the two numbers of images that are compared."""
MOST_GROWTH_MB = {"jpeg": 30, "png": 300}
CHECK = """
import sys
from pocketvision.cli.app import run
from pocketvision.run.footprint import peak_memory_mb
code = run(["data", "check", "--json", sys.argv[1]])
sys.stdout.write(f"\\n{code} {peak_memory_mb()}")
"""  # `pocketvision data check`, then its exit code and what it took


def write_images(folder: Path, name: str, count: int) -> Path:
    """Write images of two classes, each different; return the folder."""
    suffix, size, options, _ = SETS[name]
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        cells = np.random.default_rng(number).integers(0, 256, CELLS, np.uint8)
        Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return folder


def peak_mb(source: Path, images: Path) -> float:
    """Check the images with the package in `source`; return the peak memory of that process, in 10^6 bytes."""
    words = [sys.executable, "-c", CHECK, str(images)]
    done = subprocess.run(
        words, env=environment() | {"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    )
    code, peak = done.stdout.splitlines()[-1].split()
    if code not in ("0", "1"):  # 1: there are findings
        sys.exit(done.stderr)
    return round(float(peak), 1)


def main() -> None:
    """Measure what is not there yet; leave with 1 where memory grows by more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", required=True, help="another commit")
    parser.add_argument("--suffix", default="")
    options = parser.parse_args()
    print_estimate(6)
    results = Results("check_memory", ("numpy", "pillow"), options.suffix)
    if results.is_finished:
        return
    summary: dict[str, Any] = {"against": options.against}
    with checked_out(options.against) as other:
        for name, (*_, counts) in SETS.items():
            for count in counts:
                with tempfile.TemporaryDirectory() as folder:
                    images = write_images(Path(folder), name, count)
                    for when, source in ((options.against, other / "src"), ("now", ROOT / "src")):
                        results.cell(f"{when}: {count} {name}", partial(peak_mb, source, images))
            for when in (options.against, "now"):
                few, many = (results.content["cells"][f"{when}: {count} {name}"] for count in counts)
                summary[f"{when}: {name}, growth in MB"] = round(many - few, 1)
    met = {name: summary[f"now: {name}, growth in MB"] < most for name, most in MOST_GROWTH_MB.items()}
    results.finish(summary | {"goals": {name: f"below {most} MB" for name, most in MOST_GROWTH_MB.items()}, "met": met})
    if not all(met.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
