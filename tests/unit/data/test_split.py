"""The split: what it promises, on made-up data sets of many shapes."""

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest

from pocketvision.data.dataset import Dataset, Part, Sample
from pocketvision.data.split import Split, split
from pocketvision.errors import BadData
from refusals import refused

PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass
class Draft:
    """A data set in the making; `contents[i]` are the pixels of image i, so equal numbers are exact duplicates."""

    contents: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    parts: list[Part | None] = field(default_factory=list)

    def add(self, label: int, count: int = 1, group: str | None = None, part: Part | None = None) -> "Draft":
        for _ in range(count):
            self.contents.append(len(self.contents) + 1)
            self.labels.append(label)
            self.groups.append(group)
            self.parts.append(part)
        return self

    def dataset(self, order: list[int] | None = None, names: str = "image") -> Dataset:
        order = list(range(len(self.labels))) if order is None else order
        pixels = np.array([self.contents[i] for i in order], ">u4").view(np.uint8).reshape(-1, 2, 2)
        samples = tuple(Sample(f"{names}{i}", self.labels[i], self.parts[i], self.groups[i]) for i in order)
        return Dataset("draft", tuple("abcdefgh"[: max(self.labels) + 1]), samples, pixels)


def random_draft(seed: int, mixed_groups: bool) -> Draft:
    """Classes of unequal size, with groups and duplicates; groups over several classes where `mixed_groups`."""
    rng = random.Random(seed)
    draft = Draft()
    for label in range(rng.randint(2, 6)):
        for _ in range(rng.choice([2, 3, 5, 17, 60])):
            group = f"{'' if mixed_groups else label}/{rng.randrange(12)}" if rng.random() < 0.3 else None
            draft.add(label, group=group)
    for _ in range(rng.randrange(8)):
        twin = rng.randrange(len(draft.labels))
        draft.add(draft.labels[twin])
        draft.contents[-1] = draft.contents[twin]
    return draft


def units(dataset: Dataset) -> list[set[int]]:
    """Images joined by group or content, found by merging sets until nothing changes (slow, but plain)."""
    joined: list[set[int]] = []
    keys: list[set[str]] = []
    for index, sample in enumerate(dataset.samples):
        members, names = {index}, {dataset.content_hash(index)} | ({f"group {sample.group}"} if sample.group else set())
        for old in [number for number, known in enumerate(keys) if known & names][::-1]:
            members |= joined.pop(old)
            names |= keys.pop(old)
        joined.append(members)
        keys.append(names)
    return joined


def part_of(dataset: Dataset, made: Split) -> dict[int, Part]:
    found = {int(index): part for part in PARTS for index in getattr(made, part)}
    assert len(found) == len(made.train) + len(made.validation) + len(made.test) == len(dataset), "each image once"
    return found


def labels_of(dataset: Dataset, indices: np.ndarray) -> Counter[int]:
    return Counter(dataset.labels[indices].tolist())


MADE_UP = range(40)  # seeds of made-up data sets
BOTH = pytest.mark.parametrize("mixed_groups", [False, True], ids=["groups in a class", "groups over classes"])


@BOTH
def test_nothing_that_belongs_together_is_parted(mixed_groups: bool) -> None:
    for seed in MADE_UP:
        dataset = random_draft(seed, mixed_groups).dataset()
        parts = part_of(dataset, split(dataset))
        assert all(len({parts[index] for index in unit}) == 1 for unit in units(dataset)), seed


def test_quotas_are_met_within_one_unit() -> None:
    for seed in MADE_UP:
        dataset = random_draft(seed, mixed_groups=False).dataset()
        made, joined = split(dataset), units(dataset)
        for label, size in Counter(dataset.labels.tolist()).items():
            largest = max(len(unit) for unit in joined if dataset.samples[min(unit)].label == label)
            for part, quota in (("validation", max(1, 0.15 * size)), ("test", 0.15 * size)):
                assert abs(labels_of(dataset, getattr(made, part))[label] - quota) <= largest, (seed, label, part)


def contents(dataset: Dataset, part: np.ndarray) -> list[str]:
    return sorted(dataset.content_hash(int(index)) for index in part)


@BOTH
def test_neither_order_nor_names_matter(mixed_groups: bool) -> None:
    for seed in MADE_UP:
        draft = random_draft(seed, mixed_groups)
        order = random.Random(seed + 1).sample(range(len(draft.labels)), len(draft.labels))
        one, other = draft.dataset(), draft.dataset(order, names="DSC_")
        made, made_of_other = split(one), split(other)
        for part in PARTS:
            assert contents(one, getattr(made, part)) == contents(other, getattr(made_of_other, part)), (seed, part)


@BOTH
def test_every_class_trains_and_is_validated(mixed_groups: bool, caplog: pytest.LogCaptureFixture) -> None:
    for seed in MADE_UP:
        caplog.clear()
        dataset = random_draft(seed, mixed_groups).dataset()
        made = split(dataset)
        labels = [{dataset.samples[index].label for index in unit} for unit in units(dataset)]
        in_units = Counter(label for each in labels for label in each)
        assert set(labels_of(dataset, made.train)) == set(in_units), seed
        validated = set(labels_of(dataset, made.validation))
        if not mixed_groups:  # with them, the only training unit of one class may hold all of another
            assert {label for label, count in in_units.items() if count > 1} <= validated, seed
        missed = [f"'{dataset.classes[label]}'" for label in sorted(set(in_units) - validated)]
        assert len(caplog.messages) == len(missed), seed
        assert all(name in message for name, message in zip(missed, caplog.messages, strict=True))


def test_shares_of_a_plain_data_set() -> None:
    dataset = Draft().add(0, 100).add(1, 40).dataset()
    made = split(dataset)
    assert labels_of(dataset, made.train) == {0: 70, 1: 28}
    assert labels_of(dataset, made.validation) == {0: 15, 1: 6}
    assert labels_of(dataset, made.test) == {0: 15, 1: 6}
    assert "70% train, 15% validation, 15% test" in made.made
    assert all(
        (np.diff(part) > 0).all() and part.dtype == np.int64 for part in (made.train, made.validation, made.test)
    )


def test_a_share_is_the_nearest_whole_number() -> None:
    dataset = Draft().add(0, 11).add(1, 9).dataset()
    made = split(dataset)
    assert labels_of(dataset, made.validation) == labels_of(dataset, made.test) == {0: 2, 1: 1}


def test_the_order_is_by_content() -> None:
    dataset = Draft().add(0, 20).add(1, 20).dataset()
    of_class = [index for index in range(len(dataset)) if dataset.labels[index] == 1]
    by_hash = sorted(of_class, key=dataset.content_hash)
    made = split(dataset)
    assert set(by_hash[:3]) <= set(made.validation.tolist())
    assert set(by_hash[3:6]) <= set(made.test.tolist())
    assert set(by_hash[6:]) <= set(made.train.tolist())


def test_a_group_stands_where_its_smallest_hash_stands() -> None:
    draft = Draft().add(0, 20)
    for number in range(20):
        draft.add(1, 2, f"pair {number}")
    dataset = draft.dataset()
    pairs = sorted(sorted(map(dataset.content_hash, (index, index + 1))) for index in range(20, 60, 2))
    made = split(dataset)
    validated = {dataset.content_hash(int(index)) for index in made.validation if dataset.labels[index] == 1}
    assert validated == {content for pair in pairs[:3] for content in pair}


def test_a_small_share_of_validation_takes_nothing_from_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketvision.data.split.VALIDATION", 0.01)
    dataset = Draft().add(0, 40).add(1, 40).dataset()
    made = split(dataset)
    assert labels_of(dataset, made.validation) == {0: 1, 1: 1}
    assert labels_of(dataset, made.test) == {0: 6, 1: 6}


def test_two_images_a_class_are_enough() -> None:
    dataset = Draft().add(0, 2).add(1, 2).dataset()
    made = split(dataset)
    assert labels_of(dataset, made.train) == labels_of(dataset, made.validation) == {0: 1, 1: 1}
    assert len(made.test) == 0


def test_large_groups_go_to_train_but_the_smallest_validates() -> None:
    draft = Draft().add(1, 20)
    for group, size in (("x", 7), ("y", 9), ("z", 8)):
        draft.add(0, size, group)
    dataset = draft.dataset()
    made = split(dataset)
    assert {dataset.samples[index].group for index in made.validation} == {"x", None}
    assert labels_of(dataset, made.train)[0] == 17


def test_a_class_of_one_unit_trains_only(caplog: pytest.LogCaptureFixture) -> None:
    dataset = Draft().add(0, 20).add(1, 5, "one day").dataset()
    made = split(dataset)
    assert labels_of(dataset, made.train)[1] == 5
    (message,) = caplog.messages
    assert "'b'" in message and "validation" in message


def test_a_class_of_one_image_trains_only() -> None:
    dataset = Draft().add(0, 20).add(1).dataset()
    assert labels_of(dataset, split(dataset).train)[1] == 1


def test_training_comes_back_where_quotas_took_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pocketvision.data.split.VALIDATION", 0.49)
    monkeypatch.setattr("pocketvision.data.split.TEST", 0.49)
    for seed in range(20):
        rng = random.Random(seed)
        draft = Draft()
        for label in (0, 1, 2):
            for number in range(rng.randint(2, 4)):
                draft.add(label, rng.randint(1, 3), f"{label}/{number}")
        dataset = draft.dataset()
        made = split(dataset)
        assert set(labels_of(dataset, made.train)) == set(labels_of(dataset, made.validation)) == {0, 1, 2}, seed


def test_given_parts_stay() -> None:
    draft = Draft()
    for label, part in product((0, 1), PARTS):
        draft.add(label, 3, part=part)
    dataset = draft.dataset()
    made = split(dataset)
    assert all(dataset.samples[index].part == part for part in PARTS for index in getattr(made, part))
    assert made.made and "%" not in made.made, "nothing was divided"


def test_validation_without_test() -> None:
    made = split(Draft().add(0, 3, part="train").add(1, 3, part="train").add(0, part="validation").dataset())
    assert made.train.tolist() == [0, 1, 2, 3, 4, 5]
    assert made.validation.tolist() == [6]
    assert made.test.dtype == np.int64
    assert made.test.tolist() == []


def test_test_without_validation() -> None:
    draft = Draft().add(0, 20, part="train").add(1, 20, part="train").add(0, 4, part="test").add(1, 4, part="test")
    dataset = draft.dataset()
    made = split(dataset)
    assert made.test.tolist() == list(range(40, 48))
    assert labels_of(dataset, made.validation) == {0: 3, 1: 3}
    assert labels_of(dataset, made.train) == {0: 17, 1: 17}
    assert "15% of train became validation" in made.made


def test_train_alone_is_no_division() -> None:
    parted = split(Draft().add(0, 20, part="train").add(1, 20, part="train").dataset())
    plain = split(Draft().add(0, 20).add(1, 20).dataset())
    for part in PARTS:
        np.testing.assert_array_equal(getattr(parted, part), getattr(plain, part))


def test_leaks_in_given_parts_are_told(caplog: pytest.LogCaptureFixture) -> None:
    draft = Draft()
    for label, part in product((0, 1), PARTS):
        draft.add(label, 3, part=part)
    for part, twin in (("test", "train"), ("test", "train"), ("validation", "train"), ("test", "validation")):
        draft.add(0, part=part)
        draft.contents[-1] = draft.contents[draft.parts.index(twin)]
    made = split(draft.dataset())
    assert len(made.test) == 9
    assert [message.split(" images")[0] for message in caplog.messages] == [
        "draft: 1 of 7 validation",
        "draft: 2 of 9 test",
    ]


def test_classes_that_only_judge_are_told(caplog: pytest.LogCaptureFixture) -> None:
    draft = Draft().add(0, 8, part="train").add(1, 8, part="train").add(2, part="test")
    split(draft.dataset())
    assert all("'c'" in message for message in caplog.messages)
    assert [part in message for part, message in zip(("training", "validation"), caplog.messages, strict=True)] == [
        True
    ] * 2


@pytest.mark.parametrize(
    ("draft", "named"),
    [
        (Draft().add(0, 3, part="test").add(1, 3, part="test"), "no training images"),
        (Draft().add(0, 3), "'a'"),
        (Draft().add(0, 3, part="train").add(1, 3, part="test"), "'a'"),
    ],
)
def test_too_little_to_train_on(draft: Draft, named: str) -> None:
    with refused(BadData, "draft", named):
        split(draft.dataset())
