"""Weights for another network: narrower, of other channels, for other classes; what is changed is said."""

import numpy as np
import pytest
import torch

from graphs import network, random_arrays, random_images
from pocketvision.errors import BadWeights
from pocketvision.model.init import initial_arrays
from pocketvision.model.resolve import resolve
from pocketvision.model.rewrite import cut, importance, important_indices
from pocketvision.model.spaces import spaces
from pocketvision.model.transfer import transfer


@pytest.fixture(
    params=[
        *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v4_conv_small", "efficientnet_lite0", "mobilenet_v1"),
        *("xception", "shufflenet_v1_g3", "squeezenet1_1"),
    ]
)
def source(request):
    return resolve(request.param, 0.5, 64, classes=11, conventions="torchvision")


def again(graph, **options):
    return resolve(**{**graph.options._asdict(), **options})


def test_the_same_network_keeps_all_but_the_classifier(source):
    arrays, target = random_arrays(source), again(source, classes=3, resolution=32)
    found, said = transfer(arrays, source, target, seed=5)
    assert said == ["The classifier of 11 classes is replaced by one of 3."]
    drawn = initial_arrays(target, 5)
    for name in found:
        expected = drawn if name.startswith("classifier") else arrays
        np.testing.assert_array_equal(found[name], expected[name])


def test_the_classifier_stays_where_the_classes_do(source):
    arrays = random_arrays(source)
    found, said = transfer(arrays, source, again(source, resolution=96), seed=0, keep_classifier=True)
    assert said == [] and all(np.array_equal(found[name], arrays[name]) for name in arrays)


def test_grey_images_are_answered_as_grey_ones_in_three_colours(source):
    """Away from the border: there padded zeros stand for another grey."""
    arrays, target = random_arrays(source), again(source, in_channels=1)
    found, said = transfer(arrays, source, target, seed=0, keep_classifier=True)
    assert said == ["The first filters are summed over the colours for grey images."]
    grey = random_images(target)
    with torch.no_grad():
        three, one = (
            network(graph, values).forward_features(images, keep=("stem",))["stem"][:, :, 1:-1, 1:-1]
            for graph, values, images in ((source, arrays, grey.expand(-1, 3, -1, -1)), (target, found, grey))
        )
    torch.testing.assert_close(one, three, rtol=1e-3, atol=1e-3)


def test_colours_share_out_grey_filters():
    source = resolve("mobilenet_v1", 0.25, 32, classes=4, in_channels=1)
    arrays = random_arrays(source)
    found, said = transfer(arrays, source, again(source, in_channels=3), seed=0, keep_classifier=True)
    assert said == ["The first filters are spread over three colours."]
    images = random_images(source)
    with torch.no_grad():
        expected = network(source, arrays)(images)
        actual = network(again(source, in_channels=3), found)(images.expand(-1, 3, -1, -1))
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)


def test_a_narrower_network_takes_the_most_important_channels(source):
    arrays, target = random_arrays(source), again(source, width=0.25)
    found, said = transfer(arrays, source, target, seed=0, keep_classifier=True)
    assert said == ["Of the channels at width 0.5, the most important ones are kept for width 0.25."]
    assert {name: array.shape for name, array in found.items()} == {p.name: p.shape for p in target.parameters()}
    kept, weight = important_indices(source, target, arrays), importance(source, arrays)
    expected = cut(arrays, source, target, kept)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    for space in spaces(source):
        for part in space.parts.values():
            mine = [i for i in part.tolist() if i in set(kept[space.name])]
            others = [i for i in part.tolist() if i not in set(kept[space.name])]
            if mine and others:
                assert weight[space.name][mine].min() >= weight[space.name][others].max()


def test_importance_is_scale_times_readers():
    """Worked out by hand for one space: the expansion of block2, which its depthwise filters share."""
    graph = resolve("mobilenet_v2", 0.25, 32, classes=3)
    arrays = random_arrays(graph)
    scale = sum(np.abs(arrays[f"block2.{layer}.bn.weight"]) for layer in ("expand", "depthwise"))
    readers = np.sqrt((arrays["block2.project.conv.weight"].astype(np.float64) ** 2).sum((0, 2, 3)))
    np.testing.assert_allclose(importance(graph, arrays)["block2.expand"], scale * readers, rtol=1e-6)


@pytest.mark.parametrize("other", [{"width": 0.75}, {"conventions": "timm"}, {"family": "mobilenet_v1_relu"}])
def test_what_cannot_start_is_refused(other):
    source = resolve("mobilenet_v1", 0.5, 32, conventions="torchvision")
    with pytest.raises(BadWeights) as caught:
        transfer(random_arrays(source), source, again(source, **other), seed=0)
    assert (
        "the family and the conventions must be the same, the network as wide or narrower. Try: --width 0.5 or less"
        in str(caught.value)
    )
