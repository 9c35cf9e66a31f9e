"""EffNet: An Efficient Structure for Convolutional Neural Networks. Freeman et al. 2018, arXiv:1801.06434.

Made for small images and shallow networks, where MobileNet's strides and ShuffleNet's narrow bottlenecks squeeze the
data flow: Table 1 counts the floats behind each layer, and EffNet's never falls by more than half. The depthwise 3x3
filter becomes a 1x3 and a 3x1 filter, and the map is halved in two steps, one side at a time: a pool between the two
filters, and the stride of the last convolution. The bottleneck has half of the channels, not an eighth. On CIFAR-10
that is two points better than a MobileNet of the same cost (Table 2); the paper has no figure for ImageNet.

Where the paper's ports disagree: the last convolution's kernel of 2 and its stride lie on the same axis here, so that
it looks at each pixel once (the Keras port puts them on different ones; Table 1's sizes hold either way). Batch norm
comes before the leaky ReLU, as in all other families, so that it can be folded; the ports have it behind. The paper's
fully connected layer reads all 4,096 floats of the last map; here it reads their means over the map, so that the
resolution is free.

Figures that differ: Table 2's 11.4 million are operations, two for each multiply-add, with a classifier that reads
all 4,096 floats.
"""

from pocketvision.model.rows import (
    Claim,
    Classifier,
    EffNetBlock,
    Family,
    GlobalPool,
    divisible_by_8,
)


def block(c: int) -> EffNetBlock:
    """Four lines of Table 1, to c channels and half the sides."""
    return EffNetBlock(out_channels=c, stride=2, activation="leaky_relu")


EFFNET = Family(
    name="effnet",
    title="EffNet: An Efficient Structure for Convolutional Neural Networks. Freeman et al. 2018",
    source="arXiv:1801.06434, Table 1",
    rounding=divisible_by_8,
    resolution=32,
    rows=(block(64), block(128), block(256), GlobalPool(), Classifier()),
    claims=(
        Claim(
            resolution=32,
            classes=10,
            params=112_746,
            macs=5_601_792,
            source="Table 2: 11.4 million operations, 2 for each multiply-add, with a classifier of 4,096 inputs",
        ),
    ),
)

FAMILIES = (EFFNET,)
