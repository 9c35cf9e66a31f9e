"""python -m pocketvision.run FILE IMAGE...: labels from a model file, with numpy, Pillow and one engine."""

import argparse
import io
import json
import sys

from pocketvision.errors import PocketvisionError
from pocketvision.run.predictor import Predictor


def main() -> int:
    """Print one line per image; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pocketvision.run", description="Label images with a model file.")
    parser.add_argument("file", help="a model file that pocketvision fit wrote")
    parser.add_argument("images", nargs="+", help="image files")
    parser.add_argument("--top", type=int, default=1, help="labels per image (default: 1)")
    parser.add_argument("--threads", type=int, default=None, help="threads for one call (default: all cores)")
    parser.add_argument("--engine", default="auto", help="onnxruntime, openvino or auto (default: the fastest)")
    parser.add_argument("--json", action="store_true", help="one JSON document per line")
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    code = 0
    try:
        for answer in Predictor.open(options.file, options.threads, engine=options.engine).stream(
            options.images, options.top
        ):
            if answer.labels is None:
                print(f"{type(answer.error).__name__}: {answer.error}", file=sys.stderr)
                code = answer.error.exit_code if answer.error else 1
            elif options.json:
                print(json.dumps({"source": str(answer.source)} | answer.labels.to_json(), ensure_ascii=False))
            else:
                labels = ", ".join(f"{label.name} {label.probability:.3f}" for label in answer.labels)
                print(f"{answer.source}: {labels}{' (unknown)' if answer.labels.unknown else ''}")
    except PocketvisionError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(main())
