"""From a photograph's bytes to its label: ours against Pillow, torchvision's transforms and ONNX Runtime; and a whole folder.

    python benchmarks/bytes_to_label.py           # about 6 minutes; run again, it skips what is done

One core each. MobileNetV2 1.0-224, untrained, as a network trained from scratch: its record allows JPEGs to be decoded at a
fraction of their size. The peer's network is torchvision's own, exported by torch; its transforms are those of torchvision's
reference scripts. Photographs: those of the Debian package gcompris-qt-data, as JPEGs of 500 x 375 pixels and, enlarged and with
noise so that they are as hard to decode as a camera's, of 4000 x 3000. The folder is answered by `Predictor.stream` with one
thread and with two.
"""

import argparse
import io
import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from cutouts import read_photographs
from measure import Results, print_estimate, ratio, time_calls
from networks import MEAN, NETWORKS, STD, export_torchvision, untrained_model
from PIL import Image
from torchvision import transforms

from pocketvision.run.images import MAX_PIXELS, decode, prepare
from pocketvision.run.predictor import Predictor
from pocketvision.run.preprocessing import FROM_SCRATCH
from pocketvision.run.timing import Call, always

SMALL, LARGE = (500, 375), (4000, 3000)
COUNTS = {SMALL: 48, LARGE: 8}
FOLDER = {SMALL: 384, LARGE: 48}  # photographs answered in one pass
NOISE = 4.0  # levels
SECONDS = 60.0
WHOLE = replace(FROM_SCRATCH, draft=False)  # JPEGs are decoded at their full size
PACKAGES = ("numpy", "pillow", "onnxruntime", "openvino", "torch", "torchvision")


def photographs(size: tuple[int, int]) -> list[bytes]:
    """Return real photographs as JPEG files of a size."""
    rng = np.random.default_rng(0)
    return [_encoded(image, size, rng) for image in itertools.islice(read_photographs(), COUNTS[size])]


def _encoded(image: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> bytes:
    is_enlarged = image.size[0] < size[0]
    image = image.resize(size, Image.Resampling.BICUBIC)
    if is_enlarged:
        pixels = np.asarray(image) + rng.normal(0, NOISE, (size[1], size[0], 1)).astype(np.float32)
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def one_by_one(answer: Callable[[bytes], Any], files: Sequence[bytes]) -> Call:
    """Answer the next file with each call."""
    following = itertools.cycle(files)
    return lambda: answer(next(following))


def peer(model: bytes) -> Callable[[bytes], int]:
    """Pillow, torchvision's transforms and ONNX Runtime, one thread each."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    steps = transforms.Compose(
        [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )

    def answer(file: bytes) -> int:
        image = steps(Image.open(io.BytesIO(file)).convert("RGB"))
        return int(session.run(None, {"image": image.unsqueeze(0).numpy()})[0].argmax())

    return answer


def measure_size(size: tuple[int, int], ours: bytes, theirs: bytes) -> dict[str, Any]:
    """Time one photograph after the other, and each of our stages."""
    files = photographs(size)
    model = Predictor.open(ours, threads=1)
    plain = Predictor.open(untrained_model(NETWORKS["V2 1.0-224"].graph, WHOLE), threads=1)
    record = model.record
    side = record.preprocessing.draft_side(record.resolution)
    read = [decode(file, MAX_PIXELS, side) for file in files]
    ready = model.prepare(files[:1])
    answer = peer(theirs)
    calls: dict[str, Call] = {
        "ours": one_by_one(model.predict, files),
        "ours, again": one_by_one(model.predict, files),
        "ours, without draft": one_by_one(plain.predict, files),
        "peer": one_by_one(answer, files),
        "decode": one_by_one(lambda file: decode(file, MAX_PIXELS, side), files),
        "resize": one_by_one(
            lambda found: prepare(found[0], record.resolution, 3, record.preprocessing, found[1]), read
        ),
        "network": partial(model.engine.run, ready),
    }
    timings = time_calls({name: always(call) for name, call in calls.items()}, SECONDS)
    whole = timings["ours"]["median_ms"]
    return {
        "pixels": list(size),
        "engine": model.engine.name,
        "peer_over_ours": ratio(timings["peer"], timings["ours"]),
        "a_a": ratio(timings["ours, again"], timings["ours"]),
        "shares": {name: round(timings[name]["median_ms"] / whole, 3) for name in ("decode", "resize", "network")},
        "timings": timings,
    }


def measure_folder(size: tuple[int, int], ours: bytes) -> dict[str, Any]:
    """Time whole passes over a folder's files with one thread and with two."""
    few = photographs(size)
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name, f"{number}.jpg") for number in range(FOLDER[size])]
        for file, content in zip(files, itertools.cycle(few), strict=False):
            file.write_bytes(content)
        models = {threads: Predictor.open(ours, threads) for threads in (1, 2)}
        calls = {
            f"{threads} thread{'s' * (threads > 1)}": partial(lambda model: list(model.stream(files)), model)
            for threads, model in models.items()
        }
        timings = time_calls({name: always(call) for name, call in calls.items()}, SECONDS)
    per_second = {name: round(1000 * len(files) / taken["median_ms"], 1) for name, taken in timings.items()}
    return {
        "pixels": list(size),
        "images_per_second": per_second,
        "two_over_one": ratio(timings["1 thread"], timings["2 threads"]),
        "timings": timings,
    }


def main() -> None:
    """Run what is not there yet; each cell is written when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suffix", default="")
    asked = parser.parse_args()
    print_estimate(4 * (SECONDS + 20) / 60)
    results = Results("bytes_to_label", PACKAGES, asked.suffix)
    if results.is_finished:
        return
    torch.set_num_threads(1)
    network = NETWORKS["V2 1.0-224"]
    ours = untrained_model(network.graph)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "torchvision.onnx")
        export_torchvision(network, path)
        theirs = path.read_bytes()
    single = {
        size: results.cell(f"one, {size[0]} x {size[1]}", partial(measure_size, size, ours, theirs)) for size in COUNTS
    }
    folder_of = {
        size: results.cell(f"folder, {size[0]} x {size[1]}", partial(measure_folder, size, ours)) for size in COUNTS
    }
    small, large = single[SMALL]["peer_over_ours"]["ratio"], single[LARGE]["peer_over_ours"]["ratio"]
    gain = folder_of[SMALL]["two_over_one"]["ratio"]
    results.finish(
        {
            "peer_over_ours": {"500 x 375": small, "4000 x 3000": large},
            "a_a": [cell["a_a"]["ratio"] for cell in single.values()],
            "shares": {f"{size[0]} x {size[1]}": cell["shares"] for size, cell in single.items()},
            "two_threads_over_one": [cell["two_over_one"]["ratio"] for cell in folder_of.values()],
            "goals": {
                "500 x 375: not slower than the peer": small >= 1.0,
                "500 x 375: 1.2 times as fast": small >= 1.2,
                "4000 x 3000: 3 times as fast": large >= 3.0,
                "folder: 1.7 times on two cores": gain >= 1.7,
            },
        }
    )


if __name__ == "__main__":
    main()
