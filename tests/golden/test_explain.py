"""Explanations as they are printed, whole. Review their diffs: `python tests/golden/test_explain.py` rewrites them."""

import io
from contextlib import redirect_stdout
from pathlib import Path

from pocketvision.cli.app import run

FOLDER = Path(__file__).parent / "explain"
# file -> what is asked for: each kind of block, what differs inside of some, and another size
GOLDEN = {
    "mobilenet_v1_layer7": "mobilenet_v1 --layer 7",
    "mobilenet_v1_stem": "mobilenet_v1 --layer 0",
    "mobilenet_v1_width0.5_resolution128": "mobilenet_v1 --width 0.5 --resolution 128",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v2_layer1": "mobilenet_v2 --layer 1",
    "mobilenet_v2_layer18": "mobilenet_v2 --layer 18",
    "mobilenet_v2_wide_shortcut": "mobilenet_v2_wide_shortcut",
    "mobilenet_v3_large_layer5": "mobilenet_v3_large --layer 5",
    "mobilenet_v4_conv_small": "mobilenet_v4_conv_small",
    "mobilenet_v4_conv_medium_layer1": "mobilenet_v4_conv_medium --layer 1",
    "xception": "xception",
    "xception_layer3": "xception --layer 3",
    "shufflenet_v1_g3": "shufflenet_v1_g3",
    "shufflenet_v1_g3_layer1": "shufflenet_v1_g3 --layer 1",
    "shufflenet_v1_g1": "shufflenet_v1_g1",
    "shufflenet_v2": "shufflenet_v2",
    "shufflenet_v2_authors_layer1": "shufflenet_v2_authors --layer 1",
    "squeezenet1_1": "squeezenet1_1",
    "effnet": "effnet",
}


def printed(words):
    out = io.StringIO()
    with redirect_stdout(out):
        assert run(["explain", *words.split()]) == 0
    return out.getvalue()


def test_they_are_as_they_were():
    for name, words in GOLDEN.items():
        assert printed(words) == (FOLDER / f"{name}.txt").read_text(encoding="utf-8"), (
            "python tests/golden/test_explain.py"
        )


def test_no_file_is_left_over():
    assert {path.stem for path in FOLDER.iterdir()} == set(GOLDEN)


if __name__ == "__main__":
    for file, words in GOLDEN.items():
        (FOLDER / f"{file}.txt").write_text(printed(words), encoding="utf-8")
