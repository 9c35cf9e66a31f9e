import json
import pickle
from collections.abc import Sequence

import pytest

from pocketvision.errors import BadOption
from pocketvision.run.results import Label, Labels
from refusals import refused

CAT, DOG, EEL = Label("cat", 0.93, index=4), Label("dog", 0.05, index=0), Label("eel", 0.02, index=2)


def test_label_prints_its_name_and_rounded_probability():
    assert repr(CAT) == "Label(name='cat', probability=0.93)"
    assert repr(Label("it's", 1 / 3, index=0)) == """Label(name="it's", probability=0.333)"""
    assert CAT.index == 4


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("", 0.5, 0), "empty"),
        (("cat", 1.5, 0), "'cat': the probability is 1.5"),
        (("cat", float("nan"), 0), "'cat': the probability is nan"),
        (("cat", 0.5, -1), "'cat': the index is -1"),
    ],
)
def test_label_refuses(arguments, named):
    with refused(BadOption, named):
        Label(*arguments)


def test_labels_are_an_ordered_sequence():
    labels = Labels([EEL, CAT, DOG])
    assert isinstance(labels, Sequence)
    assert list(labels) == [CAT, DOG, EEL]
    assert labels.top == labels[0] == CAT and labels[-1] == EEL
    assert labels[:2] == (CAT, DOG)
    assert len(labels) == 3 and DOG in labels and labels.index(DOG) == 1
    assert labels.unknown is False


def test_equally_probable_labels_keep_their_order():
    first, second = Label("b", 0.5, index=0), Label("a", 0.5, index=1)
    assert list(Labels(iter([first, second]))) == [first, second]


def test_labels_print_as_a_list_and_say_where_they_are_unknown():
    assert repr(Labels([CAT])) == "[Label(name='cat', probability=0.93)]"
    assert repr(Labels([DOG], unknown=True)) == "unknown, nearest [Label(name='dog', probability=0.05)]"


def test_labels_compare_hash_pickle_and_do_not_change():
    labels = Labels([CAT, DOG], unknown=True)
    assert labels == Labels([DOG, CAT], unknown=True) != Labels([DOG, CAT])
    assert hash(labels) == hash(Labels([DOG, CAT], unknown=True))
    assert pickle.loads(pickle.dumps(labels)) == labels  # noqa: S301  our own bytes: DataLoader workers send results
    with pytest.raises(AttributeError):
        labels.unknown = False
    with pytest.raises(TypeError):
        labels[0] = DOG


def test_labels_need_one():
    with refused(BadOption, "labels"):
        Labels([])


def test_labels_as_json():
    record = Labels([DOG, CAT], unknown=True).to_json()
    assert json.loads(json.dumps(record)) == {
        "labels": [{"name": "cat", "probability": 0.93}, {"name": "dog", "probability": 0.05}],
        "unknown": True,
    }
