"""What one network alone takes of a process, asked by python -m pocketvision.run.footprint THREADS < model.onnx.

A process of its own, since memory that was freed before would be used again and not be seen.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from pocketvision.run.engines import OnnxRuntime

CALLS = 3


def main() -> None:
    """Print one JSON document: load_ms, and the process's peak memory in 10^6 bytes without and with the network."""
    threads, model = int(sys.argv[1]), sys.stdin.buffer.read()
    empty = peak_memory_mb() - len(model) / 1e6
    began = time.perf_counter()
    engine = OnnxRuntime(model, threads)
    load_ms = 1000 * (time.perf_counter() - began)
    del model
    image = np.zeros(engine.image_shape, np.uint8)
    for _ in range(CALLS):
        engine.run(image)
    content = {"load_ms": round(load_ms, 3), "process_mb": round(empty, 2), "rss_mb": round(peak_memory_mb(), 2)}
    sys.stdout.write(json.dumps(content))


def peak_memory_mb() -> float:
    """Return the most memory this process has had at once.

    Linux says it of this program alone; getrusage's figure may be that of the program which started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
