"""Load time and memory of one network alone: python -m pocketvision.run.footprint THREADS ENGINE < model.onnx.

A process of its own, as memory that was freed earlier would be reused and not be counted.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from pocketvision.run.engines import open_engine

MORE_CALLS = 2


def main() -> None:
    """Print one JSON document.

    load_ms; first_ms, of the first answer after that; and the process's peak memory in 10^6 bytes, without the network and with
    it.
    """
    threads, name, model = int(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read()
    empty = peak_memory_mb() - len(model) / 1e6
    began = time.perf_counter()
    engine = open_engine(model, name, threads)
    load_ms = 1000 * (time.perf_counter() - began)
    del model
    image = np.zeros(engine.image_shape, np.uint8)
    began = time.perf_counter()
    engine.run(image)
    first_ms = 1000 * (time.perf_counter() - began)
    for _ in range(MORE_CALLS):
        engine.run(image)
    content = {"load_ms": load_ms, "first_ms": first_ms, "process_mb": empty, "rss_mb": peak_memory_mb()}
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in content.items()}))


def peak_memory_mb() -> float:
    """Return the peak memory of this process.

    Linux states it for this program alone; getrusage's figure may be that of the program which started this one.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found[1]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
