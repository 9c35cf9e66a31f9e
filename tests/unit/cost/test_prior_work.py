"""The shares that decisions/0019-prior-work-not-built.md argues with."""

from pathlib import Path

from figures import cost

PAGE = " ".join((Path(__file__).parents[3] / "decisions" / "0019-prior-work-not-built.md").read_text().split())


def share(quantity, kind, classes=1000):
    found = cost("mobilenet_v1", 1.0, 224, classes)
    return 100 * getattr(found.by_kind()[kind], quantity) / getattr(found.total, quantity)


def test_shares_of_v1():
    assert f"1x1, {share('macs', 'Conv 1x1'):.0f} % of V1's multiply-adds" in PAGE
    assert f"a third of {share('macs', 'Conv DW 3x3'):.1f} % of the multiply-adds" in PAGE
    fully = "Fully connected"
    assert (
        f"{share('weights', fully):.1f} % of the weights with 1,000 classes and {share('weights', fully, 10):.1f} % with 10, "
        f"and {share('macs', fully):.1f} % of the multiply-adds"
    ) in PAGE


def test_half_of_the_width_has_about_a_quarter_of_the_multiply_adds():
    assert "Half of the width has a quarter of the multiply-adds" in PAGE
    assert 3.7 < cost("mobilenet_v1").macs / cost("mobilenet_v1", 0.5).macs < 4
