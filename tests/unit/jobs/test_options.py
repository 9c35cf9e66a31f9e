"""What `fit` can be asked for: every refusal, read whole."""

import math

import pytest

from pocketvision.errors import BadOption, UnknownFamily, UsageError
from pocketvision.jobs.options import FitOptions
from pocketvision.model.families import FAMILIES


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"minutes": 1, "epochs": 1},
            "--minutes and --epochs contradict each other: time or epochs, not both. Try: one of the two",
        ),
        ({"epochs": 0}, "epochs must be above 0; got 0. Try: --epochs 1"),
        ({"epochs": -3}, "epochs must be above 0; got -3. Try: --epochs 1"),
        ({"minutes": 0}, "minutes must be above 0; got 0. Try: --minutes 1"),
        ({"minutes": math.nan}, "minutes must be above 0; got nan. Try: --minutes 1"),
        ({"minutes": math.inf}, "minutes must be above 0; got inf. Try: --minutes 1"),
        ({"lr": -0.1}, "lr must be above 0; got -0.1. Try: --lr 0.1"),
        ({"batch_size": 1}, "batch-size must be above 1; got 1. Try: --batch-size 32"),
        ({"seed": -1}, "seed must be from 0 to 9223372036854775807; got -1. Try: --seed 0"),
        ({"seed": 2**63}, f"seed must be from 0 to 9223372036854775807; got {2**63}. Try: --seed 0"),
        ({"recipe": "modem"}, "no recipe 'modem'. Known: modern, paper, finetune. Try: --recipe modern"),
        (
            {"accelerator": "gpu"},
            "accelerator must be one of auto, cpu, cuda, mps; got 'gpu'. Try: --accelerator cpu",
        ),
        (
            {"training_precision": "float23"},
            "training-precision must be one of auto, float32, bfloat16; got 'float23'. Try: --training-precision float32",
        ),
        (
            {"class_weights": "balance"},
            "class-weights must be one of auto, balanced, none; got 'balance'. Try: --class-weights balanced",
        ),
    ],
)
def test_refusals(options, message):
    with pytest.raises(BadOption) as caught:
        FitOptions(**options)
    assert str(caught.value) == message


def test_unknown_family():
    with pytest.raises(UnknownFamily) as caught:
        FitOptions(family="mobilenet_v1_shalow")
    assert str(caught.value) == (
        f"no family 'mobilenet_v1_shalow'. Known: {', '.join(FAMILIES)}. Try: mobilenet_v1_shallow"
    )
    assert issubclass(UnknownFamily, UsageError)


def test_fifteen_minutes_unless_something_is_asked():
    assert (FitOptions().minutes, FitOptions().epochs) == (15.0, None)
    assert FitOptions(epochs=3).minutes is None
    assert FitOptions(minutes=0.5).minutes == 0.5


def test_several_families():
    assert FitOptions().families == ()
    assert FitOptions(family="mobilenet_v2, mobilenet_v1").families == ("mobilenet_v2", "mobilenet_v1")
    with pytest.raises(UnknownFamily, match="no family 'mobilenet'"):
        FitOptions(family="mobilenet_v1,mobilenet")
