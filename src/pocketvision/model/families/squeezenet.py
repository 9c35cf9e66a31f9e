"""SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters. Iandola et al. 2016, arXiv:1602.07360.

Small by parameters, not by multiply-adds: most 3x3 filters become 1x1 filters, the 3x3 filters that are left see few
channels (a Fire module squeezes before it expands), and maps stay large for long. There is no fully connected layer:
the last convolution makes a map for each class, whose mean is its logit. So it recognises as much as AlexNet with a
fiftieth of its parameters; it came before the separable convolutions took over, and MobileNet is better at a fraction
of its multiply-adds. Version 1.1 is the authors' own: smaller first filters and earlier pools, 2.3 times fewer
multiply-adds.

There is no batch norm; a width other than 1 is not in the paper and multiplies all three numbers of a Fire module.
Pools look beyond the edge where pixels would be left over, as Caffe's do. The authors crop 227 pixels, torchvision
224.

Misprints: Table 9 of MobileNetV1 gives 1,700 million multiply-adds: these are operations, two for each, as the
authors' 1.72 billion, and 0.72 for version 1.1.

Figures that differ: half of the authors' operations at 227 pixels are 860 and 360 million, the rows give 833 (as ShuffleNet's
Table 6 has it) and 388.
"""

from pocketvision.model.rows import (
    Claim,
    Conv,
    Dropout,
    Family,
    Fire,
    MapClassifier,
    MaxPool,
    Row,
    divisible_by_8,
)

TITLE = "SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters. Iandola et al. 2016"


def fire(s1x1: int, e1x1: int, e3x3: int) -> Fire:
    """One line of Table 1."""
    return Fire(out_channels=e1x1 + e3x3, squeeze=s1x1, expand1=e1x1, expand3=e3x3, activation="relu")


def stem(c: int, k: int) -> Conv:
    """The first convolution: c channels, kernel k."""
    return Conv(out_channels=c, kernel=k, stride=2, padding="valid", batch_norm=False, activation="relu")


POOL = MaxPool(kernel=3, stride=2, padding="ceil")
FIRE2_TO_3: tuple[Row, ...] = (fire(16, 64, 64), fire(16, 64, 64))
FIRE6_TO_8: tuple[Row, ...] = (fire(48, 192, 192), fire(48, 192, 192), fire(64, 256, 256))
END: tuple[Row, ...] = (Dropout(rate=0.5), MapClassifier())

FAMILIES = (
    Family(
        name="squeezenet1_1",
        title=TITLE,
        source="forresti/SqueezeNet, SqueezeNet_v1.1",
        rounding=divisible_by_8,
        rows=(
            stem(c=64, k=3),
            POOL,
            *FIRE2_TO_3,
            POOL,
            fire(32, 128, 128),
            fire(32, 128, 128),
            POOL,
            *FIRE6_TO_8,
            fire(64, 256, 256),
            *END,
        ),
        claims=(Claim(params=1_235_496, macs=349_151_936, source="torchvision: 1,235,496 parameters, 349 million"),),
    ),
    Family(
        name="squeezenet1_0",
        title=TITLE,
        source="arXiv:1602.07360, Table 1",
        rounding=divisible_by_8,
        rows=(
            stem(c=96, k=7),
            POOL,
            *FIRE2_TO_3,
            fire(32, 128, 128),
            POOL,
            fire(32, 128, 128),
            *FIRE6_TO_8,
            POOL,
            fire(64, 256, 256),
            *END,
        ),
        claims=(
            Claim(params=1_248_424, macs=818_924_576, source="Table 1: 1,248,424 parameters; torchvision: 819 million"),
            Claim(resolution=227, params=1_248_424, macs=832_667_936, source="ShuffleNet, Table 6: 833 million"),
        ),
    ),
)
