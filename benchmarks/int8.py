"""Networks in integers, ours beside onnxruntime.quantization and NNCF, from the same float file: accuracy and speed.

    python benchmarks/int8.py                     # about 40 minutes; run again, it skips what is done

Fashion-MNIST at 32 pixels: each network is trained for a few epochs of the default recipe, exported, and made integers by each
way from the same 512 training images: ours (the ladder; ranges and rungs are chosen on validation images, which the others do
not ask for), ONNX Runtime's static quantisation with its defaults and with a step for each channel, and NNCF's. All are scored
on the 10,000 test images and timed in turns. Speed at 224 pixels is measured on untrained networks, as it does not depend on
the weights. Peers: `pip install .[train,bench]`.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from measure import Results, print_estimate, ratio, time_calls
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from pocketvision.compress.ladder import Ladder
from pocketvision.data.loader import Pixels, steps_per_epoch, training_batches
from pocketvision.data.read import read_dataset
from pocketvision.data.split import split
from pocketvision.events import finish
from pocketvision.fit.compress import CALIBRATION_IMAGES
from pocketvision.fit.contest import look_at_nothing
from pocketvision.fit.plan import chosen_augmentation
from pocketvision.model.graph import Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.network import build
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.resolve import resolve
from pocketvision.run.artifact import golden_images
from pocketvision.run.engines import OnnxRuntime
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.run.timing import always
from pocketvision.train.loop import Trainer
from pocketvision.train.memory import keep_memory
from pocketvision.train.recipe import find_recipe

FAMILIES = {
    "V1": "mobilenet_v1",
    "V2": "mobilenet_v2",
    "V3-small": "mobilenet_v3_small",
    "V3-large": "mobilenet_v3_large",
    "Lite0": "efficientnet_lite0",
}
WIDTH, SIDE = 0.5, 32
EPOCHS = 6
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


class Parts:
    """Fashion-MNIST as `fit` divides it, prepared once."""

    def __init__(self) -> None:
        dataset = read_dataset("fashion-mnist")
        parts = split(dataset)
        self.train, self.validation, self.test = (
            Pixels(dataset, indices, SIDE, 1, FROM_SCRATCH) for indices in (parts.train, parts.validation, parts.test)
        )
        for pixels in (self.train, self.validation, self.test):
            for _ in pixels.decode(""):
                pass

    @property
    def calibration(self) -> NDArray[np.uint8]:
        """As many training images as `compress` takes."""
        return self.train[:: len(self.train) // CALIBRATION_IMAGES][:CALIBRATION_IMAGES]


def trained(graph: Graph, parts: Parts) -> dict[str, NDArray[np.float32]]:
    """Train a network; return its averaged weights."""
    recipe = find_recipe("modern")
    torch.manual_seed(0)
    trainer = Trainer(build(graph), recipe, EPOCHS, steps_per_epoch(len(parts.train), recipe.batch_size))
    changes = chosen_augmentation(recipe, graph, EPOCHS)
    for _ in trainer.run(partial(training_batches, parts.train, recipe.batch_size, changes, 0), look_at_nothing):
        pass
    return trainer.average.network.arrays()


def top1(model: bytes, images: Pixels) -> float:
    """What ONNX Runtime gets right with a file."""
    engine = OnnxRuntime(model)
    found = [engine.run(images[start : start + 64])["logits"].argmax(1) for start in range(0, len(images), 64)]
    return float((np.concatenate(found) == images.labels).mean())


def measure_accuracy(name: str, parts: Parts) -> dict[str, Any]:
    """Train, make integers by each way, score on the test images."""
    graph = resolve(FAMILIES[name], WIDTH, SIDE, 10, 1, output_stride=16)
    arrays = trained(graph, parts)
    model = write_onnx(graph, arrays)
    ladder = Ladder(parts.calibration, parts.validation, parts.validation.labels)
    climbed = finish(ladder.climb(graph, arrays))
    files = {"ours": climbed.model}
    refused = {}
    for peer, quantise in PEERS.items():
        try:
            files[peer] = quantise(model, parts.calibration)
        except Exception as error:  # what a peer cannot do is part of the answer
            refused[peer] = f"{type(error).__name__}: {error}"[:300]
    whole = top1(model, parts.test)
    return {
        "float": whole,
        "rung": climbed.rung,
        "tried": [[step.rung, step.what, round(step.verdict.drop, 3)] for step in climbed.trace],
        "drop": {who: round(100 * (whole - top1(content, parts.test)), 2) for who, content in files.items()},
        "size": {who: round(len(content) / len(model), 3) for who, content in files.items()},
        "refused": refused,
    }


def measure_speed(name: str, threads: int) -> dict[str, Any]:
    """Time untrained networks at 224 pixels, each way's integers and floats in turn."""
    graph = resolve(FAMILIES[name], 1.0, 224)
    arrays = initial_arrays(graph, 0)
    model, images = write_onnx(graph, arrays), golden_images(8, 224, 3)
    ladder = Ladder(images, images, np.zeros(len(images), np.int64), max_drop=100.0)
    files = {"float": model, "ours": finish(ladder.climb(graph, arrays)).model}
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
    parser.add_argument("--networks", nargs="+", default=list(FAMILIES))
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    print_estimate(8.0 * len(asked.networks))
    results = Results("int8", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    keep_memory()
    parts, speeds, accuracies = Parts(), {}, {}
    for name in asked.networks:
        for threads in (1, 2):
            cell = f"speed, {name}, {threads} thread{'s' * (threads > 1)}"
            speeds[cell] = results.cell(cell, partial(measure_speed, name, threads))
            medians = {who: round(timing["median_ms"], 3) for who, timing in speeds[cell]["timings"].items()}
            print(cell, speeds[cell]["over_best_peer"], medians, flush=True)
        accuracies[name] = results.cell(f"accuracy, {name}", partial(measure_accuracy, name, parts))
        print(name, accuracies[name], flush=True)
    results.finish(
        {
            "drop": {name: found["drop"] for name, found in accuracies.items()},
            "rung": {name: found["rung"] for name, found in accuracies.items()},
            "over_best_peer": {cell: found["over_best_peer"]["ratio"] for cell, found in speeds.items()},
            "float_over_ours": {cell: found["float_over_ours"]["ratio"] for cell, found in speeds.items()},
        }
    )


if __name__ == "__main__":
    main()
