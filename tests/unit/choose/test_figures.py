"""Published figures: each as its source has it, and what `models` and the prior take of them."""

import csv
import re
from pathlib import Path

import pytest

from pocketvision.choose.figures import CLASSES, own_top1, published_figures
from pocketvision.cost.count import count
from pocketvision.model.families import FAMILIES
from pocketvision.model.published import PUBLISHED
from pocketvision.model.resolve import resolve

REFERENCE = Path(__file__).parents[2] / "reference"
FIGURES = [figure for figures in published_figures().values() for figure in figures]
# how a source begins -> file of references, and words that the source has there
SOURCES = {
    "TF-slim mobilenet_v1.md": ("mobilenet_v1_variants", "slim/nets/mobilenet_v1.md"),
    "arXiv:1704.04861 Table 4": ("mobilenet_v1_paper_tables", "Table 4"),
    "arXiv:1704.04861 Table 5": ("mobilenet_v1_paper_tables", "Table 5"),
    "arXiv:1704.04861 Table 9": ("mobilenet_v1_paper_tables", "Table 9"),
    "arXiv:1704.04861": ("mobilenet_v1_variants", "1704.04861"),
    "TF-slim mobilenet README.md": ("mobilenet_v{}_variants", "slim/nets/mobilenet/README.md"),
    "arXiv:1801.04381": ("mobilenet_v2_paper_tables", "1801.04381"),
    "arXiv:1905.02244": ("mobilenet_v3_variants", "1905.02244"),
    "torchvision": ("torchvision_models", "torchvision"),
    "arXiv:2404.10518": ("mobilenet_v4_results", "2404.10518"),
    "timm": ("timm_models", "results-imagenet.csv"),
    "tensorflow/tpu": ("other_nets_results", "efficientnet/lite"),
    "arXiv:1610.02357": ("other_nets_results", "1610.02357"),
    "arXiv:1707.01083": ("shufflenet_results", "1707.01083"),
    "megvii-model": ("shufflenet_results", "megvii-model/ShuffleNet-Series"),
    "arXiv:1807.11164": ("shufflenet_results", "1807.11164"),
    "arXiv:1801.06434": ("other_nets_results", "1801.06434"),
    "osmr": ("osmr_models", "osmr/imgclsmob"),
}
UNITS = {"million": 1.0, "billion": 1000.0}


def millions(printed):
    """The number that a source prints, in millions."""
    number, *unit = printed.replace(",", "").split()
    return float(number) * (UNITS[unit[0]] if unit else 1e-6)


def rows_like(figure):
    """The rows of the references that have a figure's source and accuracy."""
    name, words = next(found for start, found in SOURCES.items() if figure.source.startswith(start))
    text = (REFERENCE / f"{name.format(figure.family[11:12])}.csv").read_text(encoding="utf-8")
    found = csv.DictReader(text.splitlines())
    return [row for row in found if words in row["source"] and f"{figure.top1:g}" in map(short, row.values())]


def short(cell):
    return f"{float(cell):g}" if re.fullmatch(r"[\d.]+", cell or "") else cell


def differences(figure):
    """What a figure says and its source does not."""
    found = rows_like(figure)
    printed = [{round(float(cell), 3) for cell in row.values() if re.fullmatch(r"[\d.]+", cell or "")} for row in found]
    if not found or any(row["verified"] != "seen" for row in found):
        yield "top1"
    if figure.macs and not any(round(millions(figure.macs), 3) in cells for cells in printed):
        yield "macs"
    if "," in figure.params:
        exact = int(figure.params.replace(",", ""))
        if exact != count(resolve(figure.family, figure.width, figure.resolution)).params:
            yield "params"
    elif figure.params and not any(round(millions(figure.params), 3) in cells for cells in printed):
        yield "params"


@pytest.mark.parametrize("family", published_figures())
def test_each_figure_is_as_its_source_has_it(family):
    assert [
        (figure, list(differences(figure))) for figure in published_figures()[family] if any(differences(figure))
    ] == []


def test_a_figure_that_is_off_is_found():
    figure = next(figure for figure in FIGURES if figure.macs and figure.params)
    assert list(differences(figure._replace(macs="7.7 million"))) == ["macs"]
    assert list(differences(figure._replace(params="1,234"))) == ["params"]
    assert "top1" in list(differences(figure._replace(top1=12.3)))


def test_each_figure_is_of_a_network_that_there_is():
    for figure in FIGURES:
        graph = resolve(figure.family, figure.width, figure.resolution, classes=CLASSES[figure.data])
        assert graph.options.width == figure.width


def test_no_figure_stands_twice():
    assert len({figure[:-1] for figure in FIGURES}) == len(FIGURES)


def test_accuracies_of_weights_from_the_same_source_agree():
    torchvision = {known.top1 for known in PUBLISHED if known.origin == "torchvision"}
    assert {figure.top1 for figure in FIGURES if figure.source.startswith("torchvision")} <= torchvision


def test_points_of_a_line_come_from_one_source():
    """ShuffleNet's come from two tables of one paper, MobileNetV4's from the paper and a port that gives the same at width 1."""
    for family, figures in published_figures().items():
        sources = {figure.source.split(" ")[0] for figure in figures if figure.is_in_prior}
        assert len(sources) <= 1 or family == "mobilenet_v4_conv_small", family
        assert all(figure.data == "ImageNet" for figure in figures if figure.is_in_prior)


def test_a_network_has_the_accuracy_of_its_main_source():
    assert own_top1("mobilenet_v1", 1.0, 224) == 70.9, "the paper's own 70.6 stands behind"
    assert own_top1("mobilenet_v1", 1.0, 200) is None
    assert own_top1("effnet", 1.0, 32) is None, "CIFAR-10 is not ImageNet"
    assert own_top1("mobilenet_v1_relu", 1.0, 224) is None


def test_figures_are_of_families_that_there_are():
    assert set(published_figures()) <= set(FAMILIES)
