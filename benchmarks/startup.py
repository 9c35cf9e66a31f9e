"""How long from the start of the process to the first label, and how large is the install?

    python benchmarks/startup.py
    python benchmarks/startup.py --base-env PATH --engines-env PATH    # environments with `pip install <this repository>` without
                                                                       # extras and with [openvino], else made anew

Ours: mobilenet_v1 1.0, 224 pixels, 1000 classes, in a base environment (made in a temporary folder). Beside it what timm
(the same network) and torchvision (mobilenet_v2: it has no V1) need in this environment. All networks are untrained, so
that nothing is downloaded; the peers are thereby spared reading their weights from a file, which ours does. Where OpenVINO is
installed, too, ours chooses between two engines: the first time by measuring, after that from its cache.
A time is that of the whole process, from its start to its end: what a person at a shell waits for.
Writes benchmarks/results/startup_<device>_<date>.json.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from functools import partial
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import measure
import skimage.data
from networks import untrained_model
from PIL import Image

from pocketvision.model.resolve import resolve

PACKAGES = ("numpy", "pillow", "onnxruntime", "timm", "torch", "torchvision", "scikit-image")
PEERS = ("timm", "torchvision")
TWO_ENGINES, MEASURING = "first label, two engines", "first label, two engines, the first time"
MOST_MS = {"help": 400, "import": 400, "first label": 500, TWO_ENGINES: 500, MEASURING: 2500}
MOST_MB = 300  # of the base environment
LEAST_RATIO = 8  # peer over ours, to the first label
SHOWN = 10  # costliest imports, largest packages


def write_photograph(path: Path) -> None:
    """Write a photograph that comes with scikit-image."""
    Image.fromarray(skimage.data.chelsea()).save(path, "JPEG", quality=90)


def make_environment(folder: Path, extras: str = "") -> None:
    """Make an environment that has pocketvision, without extras or with some."""
    print(f"installing an environment{f' with {extras}' * bool(extras)} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    quietly = ("--quiet", "--quiet", "--disable-pip-version-check")
    subprocess.run([folder / "bin" / "pip", "install", *quietly, f"{measure.ROOT}{extras}"], check=True)


def commands(base: Path, engines: Path) -> dict[str, list[str | Path]]:
    """Return what is started; `first label, again` is the A/A pair, which shows what a difference of nothing looks like.

    A cache folder below a file cannot be written, so that the choice of an engine is measured at every start.
    """
    python, peers = base / "bin" / "python", Path(__file__).parent / "peers"
    words = ["-m", "pocketvision.run", "model.onnx", "photo.jpg"]
    label = [python, *words]
    choosing = [engines / "bin" / "python", *words]
    return {
        "python": [python, "-c", "pass"],
        "import": [python, "-c", "import pocketvision"],
        "help": [base / "bin" / "pocketvision", "--help"],
        "first label": label,
        "first label, again": label,
        TWO_ENGINES: ["env", "POCKETVISION_CACHE=cache", *choosing],
        MEASURING: ["env", "POCKETVISION_CACHE=photo.jpg/none", *choosing],
        **{peer: [sys.executable, peers / f"first_label_{peer}.py", "photo.jpg"] for peer in PEERS},
    }


def installed(base: Path) -> dict[str, Any]:
    """Return how large the base environment is, in 10^6 bytes, and what is in it."""
    (packages,) = base.glob("lib/python*/site-packages")
    sizes = {f"{found.name} {found.version}": _size_mb(found) for found in distributions(path=[str(packages)])}
    find = "import importlib.util; print(importlib.util.find_spec('torch') is not None)"
    asked = [base / "bin" / "python", "-c", find]
    said = subprocess.run(asked, env=measure.environment(), capture_output=True, text=True, check=True).stdout
    files = [path for path in base.rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        "size_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "packages_mb": dict(sorted(sizes.items(), key=lambda item: -item[1])),
        "has_torch": said.strip() == "True",
    }


def _size_mb(found: Distribution) -> float:
    paths = [Path(str(found.locate_file(file))) for file in found.files or ()]
    return round(sum(path.stat().st_size for path in paths if path.is_file()) / 1e6, 2)


def imports(base: Path, folder: Path) -> dict[str, Any]:
    """Return the costliest imports of our three commands."""
    return {
        name: costliest_imports(base / "bin" / "python", commands(base, base)[name], folder)
        for name in ("import", "help", "first label")
    }


def costliest_imports(python: Path, command: list[str | Path], folder: Path) -> dict[str, Any]:
    """Return the modules that took longest with what they import, and each package's own share, in milliseconds."""
    words = command[1:] if command[0] == python else command
    done = subprocess.run(
        [python, "-X", "importtime", *words],
        cwd=folder,
        env=measure.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return parse_imports(done.stderr)


def parse_imports(text: str) -> dict[str, Any]:
    """Read what `python -X importtime` says: own microseconds | with all it imports | name."""
    found = re.findall(r"^import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)$", text, re.MULTILINE)
    with_all = {name: int(microseconds) / 1000 for _, microseconds, name in found}
    own: Counter[str] = Counter()
    for microseconds, _, name in found:
        own[name.split(".")[0]] += int(microseconds)
    longest = sorted(with_all.items(), key=lambda item: -item[1])
    return {
        "modules_with_all_they_import_ms": {name: round(ms, 1) for name, ms in longest[:SHOWN]},
        "packages_own_ms": {name: round(microseconds / 1000, 1) for name, microseconds in own.most_common(SHOWN)},
        "all_ms": round(own.total() / 1000, 1),
    }


def summarize(times: Mapping[str, Any], install: Mapping[str, Any]) -> dict[str, Any]:
    """Return ratios, and which goals are met."""
    ours = times["first label"]
    ratios = {peer: measure.ratio(times[peer], ours) for peer in PEERS}
    goals = {f"{name} < {most} ms": times[name]["median_ms"] < most for name, most in MOST_MS.items()}
    goals |= {f"{peer} >= {LEAST_RATIO} x ours": ratios[peer]["ratio"] >= LEAST_RATIO for peer in PEERS}
    goals |= {f"base < {MOST_MB} MB": install["size_mb"] < MOST_MB, "no torch in base": not install["has_torch"]}
    return {
        "median_ms": {name: timing["median_ms"] for name, timing in times.items()},
        "noise_ms": {name: timing["noise_ms"] for name, timing in times.items()},
        "peer_over_ours": ratios,
        "a_a": measure.ratio(times["first label, again"], ours),
        "base_mb": install["size_mb"],
        "goals": goals,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-env", type=Path, help="an environment to reuse")
    parser.add_argument("--engines-env", type=Path, help="one with the extra openvino")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--suffix", default="", help="of the result's name, for a second one today")
    options = parser.parse_args()
    results = measure.Results("startup", PACKAGES, options.suffix)
    if results.is_finished:
        return
    measure.print_estimate(1 + options.rounds / 4)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        base = options.base_env.resolve() if options.base_env else here / "base"
        engines = options.engines_env.resolve() if options.engines_env else here / "engines"
        if not options.base_env:
            make_environment(base)
        if not options.engines_env:
            make_environment(engines, "[openvino]")
        (here / "model.onnx").write_bytes(untrained_model(resolve("mobilenet_v1")))
        write_photograph(here / "photo.jpg")
        install = results.cell("install", partial(installed, base))
        times = results.cell("times", partial(measure.time_processes, commands(base, engines), options.rounds, here))
        results.cell("imports", partial(imports, base, here))
        results.finish(summarize(times, install))


if __name__ == "__main__":
    main()
