import numpy as np
import pytest
from scipy.stats import binomtest

from assessments import assessed
from pocketvision.compress.gate import judge, mcnemar
from pocketvision.errors import BadOption


def compared(before, after, labels, classes, **options):
    """The verdict on two networks that give these answers."""
    found = [assessed(np.eye(classes, dtype=np.float32)[answers], labels) for answers in (before, after)]
    return judge(*found, **options)


def judged(lost, won, images=1000, classes=4, **options):
    """A network that loses and wins so many images."""
    labels = np.arange(images) % classes
    before, after = labels.copy(), labels.copy()
    before[lost : lost + won] = (labels[lost : lost + won] + 1) % classes
    after[:lost] = (labels[:lost] + 1) % classes
    return compared(before, after, labels, classes, **options)


def test_the_same_answers_pass():
    verdict = judged(0, 0)
    assert (verdict.drop, verdict.standard_error, verdict.p, verdict.agreement, verdict.problems) == (0, 0, 1, 1, ())


@pytest.mark.parametrize(("lost", "won", "passes"), [(10, 0, True), (11, 0, False), (40, 35, True), (0, 50, True)])
def test_a_point_may_be_lost(lost, won, passes):
    verdict = judged(lost, won)
    assert verdict.passes == passes
    assert verdict.drop == pytest.approx((lost - won) / 10)
    assert verdict.standard_error == pytest.approx(np.sqrt(lost + won - (lost - won) ** 2 / 1000) / 1000)
    assert verdict.p == pytest.approx(binomtest(lost, lost + won).pvalue)


def test_more_may_be_allowed():
    assert judged(30, 0, max_drop=3.0).passes
    (problem,) = judged(30, 0).problems
    assert "top-1" in problem and "3.00 points" in problem and "allowed 1" in problem


def test_few_images_must_agree():
    verdict = judged(8, 8, images=400)
    assert verdict.drop == 0
    (problem,) = verdict.problems
    assert "96.0% of 400" in problem and "98%" in problem
    assert judged(8, 8, images=500).passes


def test_a_larger_drop_lets_as_many_more_labels_change():
    assert judged(8, 8, images=400, max_drop=3.0).passes
    verdict = judged(10, 10, images=400, max_drop=1.6)
    (problem,) = verdict.problems
    assert "95.0% of 400" in problem and "97.4%" in problem
    assert judged(10, 10, images=400, max_drop=verdict.allowing_drop + 0.1).passes


def test_few_images_that_agree_need_no_larger_drop():
    verdict = judged(2, 0, images=400, max_drop=0.1)
    assert verdict.agreement < 0.996 and verdict.allowing_drop == pytest.approx(verdict.drop) == pytest.approx(0.5)


def test_no_class_may_fall_far():
    labels = np.repeat(np.arange(10), 200)
    after = labels.copy()
    after[:12] = 1  # 12 of class 0: 6 points; over all 0.6
    verdict = compared(labels, after, labels, 10)
    (problem,) = verdict.problems
    assert "class 0" in problem and "6.0 points" in problem and "allowed 5" in problem
    assert verdict.class_drop == pytest.approx(6) and verdict.allowing_drop is None, "no limit on top-1 lets it pass"
    few = np.concatenate([labels[150:], labels[:0]])
    after = few.copy()
    after[:12] = 1
    assert compared(few, after, few, 10).passes, "50 images say nothing of a class"


def test_many_differences():
    assert mcnemar(700, 500) == pytest.approx(binomtest(700, 1200).pvalue, rel=0.1)


def test_refuses():
    right = np.eye(2, dtype=np.float32)
    for labels in (np.array([0]), np.array([1, 0])):
        with pytest.raises(BadOption, match=f"answers to 2 and {len(labels)} images"):
            judge(assessed(right, np.array([0, 1])), assessed(right[labels], labels))
