"""Networks in integers, ours beside onnxruntime.quantization and NNCF, from the same float file: accuracy and speed.

    python benchmarks/int8.py                     # about 100 minutes; run again, it skips what is done

Accuracy: Fashion-MNIST at 32 pixels from scratch, and the cut-out set (five folds) with published weights. Each float file is
trained by `fit`, and made integers by each way: ours (`compress`: ranges and rungs are chosen on validation images, which the
others do not ask for), ONNX Runtime's static quantisation with its defaults and with a step for each channel, and NNCF's; the
others from the same training images. All are scored on the test images. Float files stay in the cache folder, as they take
longest. Speed at 224 pixels is measured on untrained networks, in turns, as it does not depend on the weights.
Peers: `pip install .[train,bench]`.
"""

import argparse
import itertools
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cutouts import FOLDS, write_fold
from measure import Results, print_estimate, ratio, time_calls
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import pocketvision as pv
from pocketvision.compress.ladder import Ladder
from pocketvision.data.pixels import Pixels
from pocketvision.data.read import read_dataset
from pocketvision.errors import CompressionFailed
from pocketvision.events import drain
from pocketvision.files import cache_folder
from pocketvision.jobs.compress import compress_file
from pocketvision.jobs.finish.int8 import trace_json
from pocketvision.jobs.finish.parts import prepare_images
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.goldens import golden_images
from pocketvision.run.predictor import Predictor
from pocketvision.run.timing import always

FAMILIES = {
    "V1": "mobilenet_v1",
    "V2": "mobilenet_v2",
    "V3-small": "mobilenet_v3_small",
    "V3-large": "mobilenet_v3_large",
    "Lite0": "efficientnet_lite0",
}
FASHION = ("V1", "V2", "V3-small", "Lite0")
FASHION_OPTIONS: dict[str, Any] = {"width": 0.5, "resolution": 32, "epochs": 6, "weights": "none"}
CUTOUTS = {"V2": "torchvision/mobilenet_v2.IMAGENET1K_V1", "Lite0": "ml-illustrated/efficientnet-lite0"}
CUTOUT_MINUTES = 2.5
SECONDS = 12.0
PACKAGES = ("nncf", "numpy", "onnx", "onnxruntime", "torch")

Quantise = Callable[[bytes, NDArray[np.uint8]], bytes]


class Reader(CalibrationDataReader):
    """Gives images one by one, as ONNX Runtime asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next image; None: there are no more."""
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}


def by_onnxruntime(model: bytes, images: NDArray[np.uint8], **options: Any) -> bytes:
    """QDQ by onnxruntime.quantization, after the preparation that its documentation asks for."""
    with tempfile.TemporaryDirectory() as folder:
        source, ready, target = (str(Path(folder, name)) for name in ("float.onnx", "ready.onnx", "int8.onnx"))
        Path(source).write_bytes(model)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantize_static(ready, target, Reader(images), quant_format=QuantFormat.QDQ, **options)
        return Path(target).read_bytes()


def by_nncf(model: bytes, images: NDArray[np.uint8]) -> bytes:
    """NNCF's post-training quantisation with its defaults."""
    import nncf

    data = nncf.Dataset([image[None] for image in images], lambda image: {"image": image})
    quantised = nncf.quantize(onnx.load_model_from_string(model), data, subset_size=len(images))
    content: bytes = quantised.SerializeToString()
    return content


PEERS: dict[str, Quantise] = {
    "onnxruntime": by_onnxruntime,
    "onnxruntime, per channel": partial(by_onnxruntime, per_channel=True),
    "nncf": by_nncf,
}


def float_file(name: str, fold: int | None) -> tuple[Path, str]:
    """Return a float file that `fit` trained, now or before, and the data that it was trained on."""
    folder = cache_folder() / "benchmarks" / "int8" / (f"fashion-{name}" if fold is None else f"cutouts-{name}-{fold}")
    folder.mkdir(parents=True, exist_ok=True)
    if fold is None:
        data, options = "fashion-mnist", {"family": FAMILIES[name], **FASHION_OPTIONS}
    else:
        data, options = str(write_fold(folder / "data", fold)), {"weights": CUTOUTS[name], "minutes": CUTOUT_MINUTES}
    model = folder / "run" / "model.onnx"
    if not model.exists():
        pv.fit(data, folder / "run", restart=True, **options)
    return model, data


def right_answers(model: bytes, images: Pixels, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images ONNX Runtime gets right with a file."""
    engine = OnnxRuntime(model)
    found = [engine.run(images[start : start + 64])["logits"].argmax(1) for start in range(0, len(images), 64)]
    return np.concatenate(found) == labels


def measure_accuracy(name: str, fold: int | None) -> dict[str, Any]:
    """Make integers of one float file by each way, score on the test images."""
    source, data = float_file(name, fold)
    model = source.read_bytes()
    images = drain(prepare_images(Predictor.open(model, engine="onnxruntime"), read_dataset(data)))
    files, refused = {"float": model}, {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            ours = drain(compress_file(source, data, Path(folder, "int8.onnx")))
            files["ours"] = ours.file.read_bytes()
            said = trace_json(ours.climbed)
        except CompressionFailed as error:
            refused["ours"], said = str(error), {}
    for peer, quantise in PEERS.items():
        try:
            files[peer] = quantise(model, images.ranges[:])
        except Exception as error:  # what a peer cannot do is part of the answer
            refused[peer] = f"{type(error).__name__}: {error}"[:300]
    right = {who: right_answers(content, images.test, images.test_labels) for who, content in files.items()}
    return {
        "images": len(images.test_labels),
        "right": {who: int(hits.sum()) for who, hits in right.items()},
        "lost": {who: int((right["float"] & ~hits).sum()) for who, hits in right.items()},
        "won": {who: int((hits & ~right["float"]).sum()) for who, hits in right.items()},
        "bytes": {who: len(content) for who, content in files.items()},
        "refused": refused,
        "ladder": said,
    }


def pooled(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Points of top-1 that each way loses over all images of some cells, with the standard error; and the rungs."""
    images = sum(cell["images"] for cell in cells)
    said: dict[str, Any] = {
        "images": images,
        "float_top1": round(sum(cell["right"]["float"] for cell in cells) / images, 4),
        "rungs": [cell["ladder"].get("rung") for cell in cells],
    }
    for who in ("ours", *PEERS):
        if all(who in cell["right"] for cell in cells):
            lost, won = (sum(cell[what][who] for cell in cells) for what in ("lost", "won"))
            error = math.sqrt(max(lost + won - (lost - won) ** 2 / images, 0.0)) / images
            said[who] = {"drop": round(100 * (lost - won) / images, 2), "standard_error": round(100 * error, 2)}
    return said


def measure_speed(name: str, threads: int) -> dict[str, Any]:
    """Time untrained networks at 224 pixels, each way's integers and floats in turn."""
    graph = resolve(FAMILIES[name], 1.0, 224)
    arrays = initial_arrays(graph, 0)
    model, images = write_onnx(graph, arrays), golden_images(8, 224, 3)
    ladder = Ladder(images, images, np.zeros(len(images), np.int64), max_drop=100.0)
    files = {"float": model, "ours": drain(ladder.climb(graph, arrays)).model}
    for peer, quantise in PEERS.items():
        try:
            files[peer] = quantise(model, images)
        except Exception as error:
            print(f"{name}, {peer}: {type(error).__name__}: {error}"[:200])
    image = images[:1]
    calls = {who: partial(OnnxRuntime(content, threads).run, image) for who, content in files.items()}
    calls["ours, again"] = partial(OnnxRuntime(files["ours"], threads).run, image)
    timings = time_calls({who: always(call) for who, call in calls.items()}, SECONDS)
    best = min((who for who in timings if who in PEERS), key=lambda who: timings[who]["median_ms"])
    return {
        "best_peer": best,
        "over_best_peer": ratio(timings["ours"], timings[best]),
        "float_over_ours": ratio(timings["float"], timings["ours"]),
        "a_a": ratio(timings["ours, again"], timings["ours"]),
        "timings": timings,
    }


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("speed", "accuracy"), help="a part, for a first look")
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    print_estimate(100.0)
    results = Results("int8", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    speeds, sets = {}, {}
    if asked.only != "accuracy":
        for name, threads in itertools.product(FAMILIES, (1, 2)):
            cell = f"speed, {name}, {threads} thread{'s' * (threads > 1)}"
            speeds[cell] = results.cell(cell, partial(measure_speed, name, threads))
            medians = {who: round(timing["median_ms"], 3) for who, timing in speeds[cell]["timings"].items()}
            print(cell, speeds[cell]["over_best_peer"], medians, flush=True)
    if asked.only != "speed":
        places: dict[str, list[tuple[str, int | None]]] = {f"fashion-mnist, {name}": [(name, None)] for name in FASHION}
        places |= {f"cut-outs, {name}": [(name, fold) for fold in range(FOLDS)] for name in CUTOUTS}
        for key, parts in places.items():
            cells = []
            for name, fold in parts:
                cell = key if fold is None else f"{key}, {fold}"
                cells.append(results.cell(cell, partial(measure_accuracy, name, fold)))
            sets[key] = pooled(cells)
            print(key, sets[key], flush=True)
    if asked.only:
        return
    line_1 = [found["over_best_peer"]["ratio"] for cell, found in speeds.items() if "V3-large" not in cell]
    results.finish(
        {
            "accuracy": sets,
            "over_best_peer": {cell: found["over_best_peer"]["ratio"] for cell, found in speeds.items()},
            "over_best_peer_mean": round(statistics.geometric_mean(line_1), 4),
            "float_over_ours": {cell: found["float_over_ours"]["ratio"] for cell, found in speeds.items()},
        }
    )


if __name__ == "__main__":
    main()
