import numpy as np
import pytest

from pocketvision.errors import BadArtifact, BadOption, CheckFailed
from pocketvision.run.decode import decode_labels
from refusals import refused

NAMES = ["ant", "bee", "cat", "dog"]
PROBABILITIES = np.array([0.125, 0.25, 0.5, 0.125], np.float32)


def test_names_and_order():
    labels = decode_labels(PROBABILITIES, NAMES, threshold=None)
    assert [(label.name, label.probability, label.index) for label in labels] == [
        ("cat", 0.5, 2),
        ("bee", 0.25, 1),
        ("ant", 0.125, 0),
        ("dog", 0.125, 3),
    ]
    assert type(labels.top.probability) is float and type(labels.top.index) is int


def test_top_counts_at_most_the_classes():
    assert [len(decode_labels(PROBABILITIES, NAMES, None, top)) for top in (1, 3, 4, 9)] == [1, 3, 4, 4]


@pytest.mark.parametrize(("threshold", "unknown"), [(None, False), (0.0, False), (0.5, False), (0.51, True), (1, True)])
def test_unknown_is_below_the_threshold(threshold, unknown):
    assert decode_labels(PROBABILITIES, NAMES, threshold).unknown is unknown


def test_a_softmax_that_rounds_above_1_is_1():
    assert decode_labels(np.array([1.0000001, -1e-9], np.float32), NAMES[:2]).top.probability == 1.0


@pytest.mark.parametrize("classes", [3, 5])
def test_another_number_of_names(classes):
    with refused(BadArtifact, f"shape ({classes},)", "4 labels"):
        decode_labels(np.full(classes, 0.2, np.float32), NAMES)


def test_a_batch_is_refused():
    with refused(BadArtifact, "shape (1, 4)", "4 labels"):
        decode_labels(PROBABILITIES[None], NAMES)


@pytest.mark.parametrize(("wrong", "shown"), [(np.nan, "nan to nan"), (np.inf, "0.125 to inf"), (-2, "-2.0 to 0.25")])
def test_what_is_no_probability(wrong, shown):
    values = PROBABILITIES.copy()
    values[2] = wrong
    with refused(CheckFailed, shown):
        decode_labels(values, NAMES)


def test_options_out_of_range():
    with refused(BadOption, "top is 0", attempt="top=1"):
        decode_labels(PROBABILITIES, NAMES, top=0)
    with refused(BadOption, "threshold is 95", attempt="threshold=0.5"):
        decode_labels(PROBABILITIES, NAMES, threshold=95)
