"""How fast does a network answer: ours with the chosen engine, and what timm and torchvision offer for the same network?

    python benchmarks/inference.py                # about 35 minutes; run again, it skips what is done

Peers are installed by `pip install .[train,bench]`. All contenders start from the same uint8 array (N, R, R, 3) and end with its
logits; peers normalise and change the layout in the fastest way we found for each: a table of the 256 values for ONNX Runtime and
LiteRT, OpenVINO's own preprocessing, a view for torch. LiteRT runs the network of keras.applications, converted by TensorFlow.
Ours is the engine that `auto` chooses for that number of threads, one call at a time. A cell in which we take more than
1.15 times the best peer that reads ONNX is run twice more, and its median counts. Writes one result file.
"""

import argparse
import contextlib
import importlib.util
import io
import math
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import openvino
import torch
from measure import Results, print_estimate, ratio, time_calls
from networks import MEAN, NETWORKS, STD, Peers, export_timm, make_keras, untrained_model
from numpy.typing import NDArray

from pocketvision.run.engines import images_per_call, open_engine
from pocketvision.run.fastest import fastest_engine
from pocketvision.run.goldens import golden_images
from pocketvision.run.record import record_of
from pocketvision.run.timing import Call, always

BATCHES, THREADS = (1, 32), (1, 2)
SECONDS = {1: 12.0, 32: 60.0}  # for one cell, by batch
WORTH_AGAIN = 1.15
PACKAGES = ("ai-edge-litert", "numpy", "onnxruntime", "openvino", "tensorflow-cpu", "timm", "torch", "torchvision")
READ_ONNX = ("timm, onnxruntime", "timm, openvino")  # the peers that read the same kind of file as ours
EAGER = ("timm, torch", "torchvision, torch")


def measure_cell(peers: Peers, batch: int, threads: int) -> dict[str, Any]:
    """Time all contenders on one batch."""
    torch.set_num_threads(threads)
    images = np.repeat(golden_images(1, peers.resolution, 3), batch, axis=0)
    model = untrained_model(peers.graph)
    at_once = 1 if batch == 1 else images_per_call(peers.resolution)
    chosen = fastest_engine(model, record_of(model), threads, at_once).engine
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "timm.onnx")
        export_timm(peers, path)
        content = path.read_bytes()
    calls: dict[str, Call] = {
        "ours": partial(open_engine(model, chosen, threads).run, images),
        "ours, again": partial(open_engine(model, chosen, threads).run, images),
        "ours, onnxruntime": partial(open_engine(model, "onnxruntime", threads).run, images),
        "ours, openvino": partial(open_engine(model, "openvino", threads).run, images),
        "timm, onnxruntime": plain_onnxruntime(content, threads, images),
        "timm, openvino": plain_openvino(content, threads, images),
        "timm, torch": eager(peers.timm(), images),
        "timm, torch.compile": compiled(peers.timm(), images),
    }
    if peers.torchvision is not None:
        calls["torchvision, torch"] = eager(peers.torchvision(), images)
    lite = litert(peers, threads, images)
    if lite is not None:
        calls["keras, litert"] = lite
    timings = time_calls({name: always(call) for name, call in calls.items()}, SECONDS[batch])
    best = min(READ_ONNX, key=lambda name: timings[name]["median_ms"])
    return {
        "chosen": chosen,
        "best_peer": best,
        "over_best_peer": ratio(timings["ours"], timings[best]),
        "a_a": ratio(timings["ours, again"], timings["ours"]),
        "timings": timings,
    }


def plain_onnxruntime(model: bytes, threads: int, images: NDArray[np.uint8]) -> Call:
    """As a user of plain ONNX Runtime does it, quickly: 256 values a channel are normalised once, and looked up."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tables = [((np.arange(256) / 255 - mean) / std).astype(np.float32) for mean, std in zip(MEAN, STD, strict=True)]
    planes = np.empty((len(images), 3, *images.shape[1:3]), np.float32)

    def call() -> Any:
        for channel, table in enumerate(tables):
            np.take(table, images[..., channel], out=planes[:, channel], mode="clip")
        return session.run(None, {"image": planes})

    return call


def plain_openvino(model: bytes, threads: int, images: NDArray[np.uint8]) -> Call:
    """As a user of plain OpenVINO does it, quickly: its own preprocessing, for exactly this number of images."""
    core = openvino.Core()
    network = core.read_model(model, b"")
    prepost = openvino.preprocess.PrePostProcessor(network)
    source = prepost.input()
    source.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    source.model().set_layout(openvino.Layout("NCHW"))
    steps = source.preprocess().convert_element_type(openvino.Type.f32)
    steps.mean([255 * mean for mean in MEAN]).scale([255 * std for std in STD])
    network = prepost.build()
    network.reshape(list(images.shape))
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": str(threads), "NUM_STREAMS": "1"}
    request = core.compile_model(network, "CPU", settings).create_infer_request()

    def call() -> Any:
        request.infer({0: images}, share_inputs=True)
        return request.get_output_tensor(0).data

    return call


def eager(network: torch.nn.Module, images: NDArray[np.uint8]) -> Call:
    """As the library ships it."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) * 255 for values in (MEAN, STD))

    def call() -> Any:
        with torch.inference_mode():
            planes = (
                torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
            )
            return network(planes.sub_(mean).div_(std))

    return call


def compiled(network: torch.nn.Module, images: NDArray[np.uint8]) -> Call:
    """The same, compiled for exactly this number of images."""
    torch.compiler.reset()
    call = eager(torch.compile(network, dynamic=False), images)
    call()
    return call


def litert(peers: Peers, threads: int, images: NDArray[np.uint8]) -> Call | None:
    """As a user of LiteRT does it, quickly: 256 values are normalised once, and looked up."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        return None
    network = make_keras(peers, peers.resolution)
    if network is None:
        return None
    import tensorflow
    from ai_edge_litert.interpreter import Interpreter

    with contextlib.redirect_stdout(io.StringIO()):  # it lists every variable
        content = tensorflow.lite.TFLiteConverter.from_keras_model(network).convert()
    interpreter = Interpreter(model_content=content, num_threads=threads)
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, images.shape)
    interpreter.allocate_tensors()
    scale = 1.0 if peers.keras.startswith("MobileNetV3") else 127.5
    table = (np.arange(256, dtype=np.float32) - (scale > 1) * scale) / scale
    values = np.empty(images.shape, np.float32)

    def call() -> Any:
        np.take(table, images, out=values, mode="clip")
        interpreter.set_tensor(source, values)
        interpreter.invoke()
        return interpreter.get_tensor(target)

    return call


def again(results: Results, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return a cell; where we look slow it is run twice more, and the median of the three counts."""
    cells = [results.cell(name, measure)]
    if cells[0]["over_best_peer"]["ratio"] > WORTH_AGAIN:
        cells += [results.cell(f"{name}, run {number}", measure) for number in (2, 3)]
    return sorted(cells, key=lambda cell: cell["over_best_peer"]["ratio"])[len(cells) // 2]


def summary(counted: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what all cells say together."""
    over = {name: cell["over_best_peer"]["ratio"] for name, cell in counted.items()}
    eager_over = [
        min(cell["timings"][peer]["median_ms"] for peer in EAGER if peer in cell["timings"])
        / cell["timings"]["ours"]["median_ms"]
        for name, cell in counted.items()
        if ", batch 1," in name
    ]
    return {
        "ours_over_best_onnx_peer": round(geometric_mean(over.values()), 3),
        "worst": dict([max(over.items(), key=lambda item: item[1])]),
        "eager_over_ours_batch_1": round(geometric_mean(eager_over), 2),
        "a_a": round(statistics.median(abs(cell["a_a"]["ratio"] - 1) for cell in counted.values()), 3),
        "goals": {
            "ours_over_best_onnx_peer <= 1.02": geometric_mean(over.values()) <= 1.02,
            "every cell <= 1.15": max(over.values()) <= WORTH_AGAIN,
            "eager_over_ours_batch_1 >= 2": geometric_mean(eager_over) >= 2,
        },
    }


def geometric_mean(values: Any) -> float:
    """Return the mean of ratios.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(statistics.fmean(math.log(value) for value in values))


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    print_estimate(len(asked.networks) * len(THREADS) * sum(1.5 * SECONDS[batch] + 40 for batch in BATCHES) / 60)
    results = Results("inference", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    counted = {}
    for network in asked.networks:
        for batch in BATCHES:
            for threads in THREADS:
                name = f"{network}, batch {batch}, {threads} thread{'s' * (threads > 1)}"
                counted[name] = again(results, name, partial(measure_cell, NETWORKS[network], batch, threads))
                medians = {who: round(taken["median_ms"], 3) for who, taken in counted[name]["timings"].items()}
                print(name, counted[name]["over_best_peer"], counted[name]["chosen"], medians, flush=True)
    results.finish(summary(counted))


if __name__ == "__main__":
    main()
