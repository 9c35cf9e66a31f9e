from dataclasses import dataclass

import numpy as np

from assessments import assessed
from pocketvision.events import drain
from pocketvision.jobs.finish.parts import assess_parts


@dataclass
class Part:
    """Images that a network has these logits for."""

    logits: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def part(sureness: float, images: int, seed: int) -> Part:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images)
    noise = rng.normal(0, 1, (images, 3))
    return Part((sureness * (np.eye(3)[labels] + noise)).astype(np.float32), labels)


def test_validation_calibrates_and_the_test_part_is_judged_as_it_says() -> None:
    validation, test = part(5.0, 200, seed=0), part(0.2, 100, seed=1)
    found = drain(assess_parts(lambda images: [images.logits], validation, test))
    wanted = assessed(validation.logits, validation.labels, None).calibration
    assert found["validation"].calibration == found["test"].calibration == wanted
    assert (found["test"].evaluation.part, found["test"].evaluation.images) == ("test", 100)
    assert assessed(test.logits, test.labels, None).calibration != wanted


def test_without_a_test_part_validation_is_all() -> None:
    found = drain(assess_parts(lambda images: [images.logits], part(1.0, 50, seed=0), part(1.0, 0, seed=0)))
    assert found.keys() == {"validation"}
