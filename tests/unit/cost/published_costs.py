"""All published costs that the tests read: which rows are which network of ours, what must hold for them, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from figures import (
    FigureRow,
    Rule,
    around,
    cut_off,
    exact,
    macs,
    macs_and_more,
    macs_norms_and_pool,
    macs_of_the_body,
    near,
    operations,
    params,
    params_and_statistics,
    params_of_the_body,
    params_with_bias_of,
    params_without_bias_of,
    params_without_norms,
    rounded,
    times,
)
from pocketvision.model.families import FAMILIES
from pocketvision.model.rows import divisible_by_8


@dataclass(frozen=True)
class Source:
    """Rows of one file that the same rules are for.

    Attributes:
        source: what the rows' source begins with, as a pattern.
        label: what the rows are called, as a pattern; see `label_of`.
        net: family, width, resolution, classes; what is in braces is the label's.
        rules: column -> what must hold.
        why: what is special.
        wrong: (column, printed) of misprints; each is a test of its own in `test_misprints.py`.
    """

    source: str
    label: str
    net: tuple
    rules: Mapping[str, Rule]
    why: str = ""
    wrong: tuple[tuple[str, str], ...] = ()


class File(NamedTuple):
    """How many rows of a file are compared, the labels of its other networks as a pattern, and the sources."""

    compared: int
    others: str
    sources: tuple[Source, ...]


def label_of(file: str, row: FigureRow) -> str:
    """What a row is called."""
    match file:
        case "mobilenet_v1_variants" | "mobilenet_v2_variants":
            return f"{row['alpha']}-{row['resolution']}"
        case "elastic_networks":
            return f"{row['backbone']} {row['width']}-{row['resolution']}"
        case "timm_models":
            return f"{row['model']} at {row['img_size']}"
        case "applications":
            return f"{row['task']}: {row['item']}"
    return row.get("model") or row["item"]


V1, V2, V3, V4 = "mobilenet_v1", "mobilenet_v2", "mobilenet_v3_{s}", "mobilenet_v4_conv_{s}"
SHUFFLE_V1, SHUFFLE_V2 = "shufflenet_v1_g{g}", "shufflenet_v2_authors"
SLIM, PAPER = "tensorflow/models", r"MobileNetV\d paper"
W, R = r"(?P<w>[\d.]+)", r"(?P<r>\d+)"
NEAR = {"macs_m": near(macs), "params_m": near(params)}
AROUND = {"macs_m": around(macs), "params_m": around(params)}
D_LI14 = {"macs_m": times(1, 1.0006, macs), "params_m": near(params)}
TENTHS_OF_A_BILLION = {"macs_m": rounded(macs, step=200), "params_m": near(params)}
V2_PAPER = {"macs_m": cut_off(macs), "params_m": near(params_without_norms)}

MOBILENET_V1 = (
    Source(
        SLIM,
        rf"(?P<w>1\.0|0\.5|0\.25)-{R}",
        (V1, "{w}", "{r}"),
        {"macs_m": rounded(macs, step=1.01), "params_m": around(params)},
        "149.497 is printed as 150; parameters are up to 8 thousand above",
        wrong=(("macs_m", "34"),),
    ),
    Source(
        SLIM,
        rf"(?P<w>0\.75)-{R}",
        (V1, "{w}", "{r}"),
        {"macs_m": times(0.973, 0.976, macs), "params_m": near(params)},
        "2.6 % low: test_misprint_slims_page_of_v1_is_low_at_0_75",
    ),
    Source(
        PAPER,
        f"{W}-{R}",
        (V1, "{w}", "{r}"),
        {"macs_m": near(macs), "params_m": rounded(params_without_norms)},
        "some of Tables 6, 7 and 9 is cut off; parameters leave batch norm out",
    ),
)
MOBILENET_V2 = (
    Source(
        SLIM,
        f"{W}-{R}",
        (V2, "{w}", "{r}"),
        {"macs_m": cut_off(macs), "params_m": near(params_without_norms)},
        "cut off, not rounded; parameters leave batch norm out",
    ),
    Source(
        PAPER,
        f"{W}-{R}",
        (V2, "{w}", "{r}"),
        V2_PAPER,
        "as TF-slim's",
        wrong=(("macs_m", "585"), ("params_m", "6.9")),
    ),
    Source(
        "d-li14",
        rf"(?!0\.1-){W}-{R}",
        (V2, "{w}", "{r}"),
        D_LI14,
        "its counter adds half a tenth of a percent (pooling)",
    ),
)
TABLE_4_OF_V2 = (
    Source(PAPER, "MobileNetV1", (V1, 1.0), NEAR, wrong=(("macs_m", "575"),)),
    Source(PAPER, "MobileNetV2", (V2, 1.0), V2_PAPER),
    Source(PAPER, r"MobileNetV2 \(1.4\)", (V2, 1.4), V2_PAPER, wrong=(("macs_m", "585"), ("params_m", "6.9"))),
    Source(PAPER, rf"ShuffleNet \(x?{W}\)", ("shufflenet_v1_g3", "{w}"), NEAR),
)
MOBILENET_V3 = (
    Source(
        f"{SLIM}|keras-team|{PAPER}",
        rf"(?P<s>Large|large)[ _]{W}( float| 8-bit)?",
        (V3, "{w}"),
        NEAR,
        "below 1 the last layer stays at 1280 channels: decisions/0012-v3-below-width-1.md",
        wrong=(("macs_m", "219"),),
    ),
    Source("megvii", r"Large 1\.25", ("mobilenet_v3_large", 1.25), AROUND, "and above 1, too"),
    Source("d-li14", f"(?P<s>Large|Small) {W}", (V3, "{w}"), D_LI14, "as for V2"),
    Source(
        f"{SLIM}|keras-team|{PAPER}.*Table 3$",
        rf"(Small|small)[ _]{W}( float| 8-bit)?",
        ("mobilenet_v3_small_head1280", "{w}"),
        NEAR,
        "the first version of the paper, with a head of 1280 channels",
        wrong=(("macs_m", "66"),),
    ),
    Source(rf"{PAPER}.*\(arXiv v5", "Small 1.0", ("mobilenet_v3_small", 1.0), NEAR, "a head of 1024 channels"),
    Source(
        f"{SLIM}|keras-team",
        r"(?P<s>Large|Small|large|small)[ _]minimalistic( float| 8-bit)?",
        (f"{V3}_minimalistic", 1.0),
        NEAR,
        wrong=(("macs_m", "65"),),
    ),
    Source(PAPER, f"V2 {W}", (V2, "{w}"), V2_PAPER),
)
MOBILENET_V4 = (
    Source(PAPER, r"MobileNet-V(?P<v>[12])", ("mobilenet_v{v}", 1.0), TENTHS_OF_A_BILLION),
    Source(PAPER, "MNv4-Conv-S", ("mobilenet_v4_conv_small", 1.0), TENTHS_OF_A_BILLION),
    Source(PAPER, "MNv4-Conv-M", ("mobilenet_v4_conv_medium", 1.0), TENTHS_OF_A_BILLION, wrong=(("params_m", "9.2"),)),
    Source(
        PAPER,
        "MNv4-Conv-L",
        ("mobilenet_v4_conv_large", 1.0),
        TENTHS_OF_A_BILLION,
        wrong=(("macs_m", "5900"), ("params_m", "31")),
    ),
)
SHUFFLENET = (
    Source("ShuffleNet(V2)? paper", r"ShuffleNet (v1 )?(?P<w>1\.5|2)x g=(?P<g>\d)", (SHUFFLE_V1, "{w}"), NEAR),
    Source(
        "ShuffleNet(V2)? paper",
        r"ShuffleNet (v1 )?(?P<w>1|0\.5)x g=(?P<g>\d)",
        (SHUFFLE_V1, "{w}"),
        {"macs_m": times(0.92, 1.05, macs)},
        "Table 2 has one figure for five networks, 140 and 38 million",
    ),
    Source(
        "ShuffleNet paper",
        r"ShuffleNet (?P<w>0\.25)x g=(?P<g>\d)",
        (SHUFFLE_V1, "{w}"),
        {"macs_m": times(1.04, 1.25, macs)},
        "one figure, 13 million: test_13_million_for_the_smallest_shufflenets_are_of_a_stem_of_12_channels",
    ),
    Source("megvii-model", rf"ShuffleNetV1 {W}x g=(?P<g>\d)", (SHUFFLE_V1, "{w}"), AROUND, "137.46: 138"),
    Source("megvii-model|ShuffleNetV2 paper", rf"ShuffleNet(V2| v2) {W}x", (SHUFFLE_V2, "{w}"), AROUND, "40.48: 41"),
    Source("ShuffleNetV2 paper", f"{W} MobileNet v1", (V1, "{w}"), NEAR),
    Source(
        "ShuffleNetV2 paper",
        r"(?P<w>1\.0|1\.4) MobileNet v2",
        (V2, "{w}"),
        NEAR,
        "as V2's Table 4",
        wrong=(("macs_m", "585"),),
    ),
    Source("ShuffleNetV2 paper", r"1\.0 MobileNet v2 \(their impl.\)", (V2, 1.0), NEAR),
    Source("ShuffleNet paper", "SqueezeNet", ("squeezenet1_0", 1.0, 227), NEAR),
)
OTHER_NETS = (
    Source("Xception paper", "Xception", ("xception", 1.0), {"params_m": rounded(params)}, "to the last one"),
    Source("Keras", "Xception", ("xception", 1.0), {"params_m": rounded(params_and_statistics)}),
    Source(
        "forresti",
        r"SqueezeNet v1\.(?P<s>\d)",
        ("squeezenet1_{s}", 1.0, 227),
        {"macs_m": times(0.92, 1.04, macs)},
        "half of the authors' own 1.72 and 0.72 billion operations: 3 % above, 7 % below",
    ),
    Source(
        "EffNet paper",
        "EffNet",
        ("effnet", 1.0, 32, 10),
        {"macs_m": times(1, 1.03, operations)},
        "operations; the paper's classifier reads 4,096 numbers instead of 256: test_effnet.py",
    ),
    Source(
        "tensorflow/tpu",
        r"EfficientNet-lite(?P<s>\d)",
        ("efficientnet_lite{s}", 1.0),
        {"macs_m": times(1.03, 1.06, macs), "params_m": near(params)},
        "3 to 6 % high",
    ),
    Source(
        "szq0214", rf"MobileNetV3-(?P<s>\w+) {W} \(MEAL V2\)", (V3, "{w}"), AROUND, "44 is usual, with another head"
    ),
)
TORCHVISION = tuple(
    Source("pytorch/vision", label, net, {"params": exact(params), "macs_m": rounded(macs)})
    for label, net in {
        "MobileNet_V2(_Quantized)?": (V2, 1.0),
        "MobileNet_V3_(?P<s>Large|Small)(_Quantized)?": (V3, 1.0),
        r"ShuffleNet_V2_X(?P<i>\d)_(?P<f>\d)": ("shufflenet_v2", "{i}.{f}"),
        r"SqueezeNet1_(?P<s>\d)": ("squeezenet1_{s}", 1.0),
    }.items()
)
V3_SMALL = FAMILIES["mobilenet_v3_small"]
V3_SMALL_STEM_16 = replace(V3_SMALL, rows=(replace(V3_SMALL.rows[0], scales="above 1"), *V3_SMALL.rows[1:]))
TIMM = tuple(
    Source(
        "huggingface",
        rf"{label}(\.\w+)? at {R}",
        (*net, "{r}"),
        {"params_m": rounded(params), "macs_m_rounded_to_10": rounded(macs_norms_and_pool, step=10)},
        "2 to 6 % high: batch norms and the last pool count; with these each figure is met",
    )
    for label, net in {
        "mobilenetv1_100": (V1, 1.0),
        "mobilenetv1_125": (V1, 1.25),
        "mobilenetv2_050": (V2, 0.5),
        "mobilenetv2_100": (V2, 1.0),
        "mobilenetv2_140": (V2, 1.4),
        "(tf_)?mobilenetv3_(?P<s>large|small)_100": (V3, 1.0),
        "mobilenetv3_rw": ("mobilenet_v3_large", 1.0),
        "(tf_)?mobilenetv3_(?P<s>large|small)_075": (V3, 0.75),
        "mobilenetv3_small_050": (V3_SMALL_STEM_16, 0.5),  # below 0.75 timm does not thin the stem
        "tf_mobilenetv3_(?P<s>large|small)_minimal_100": (f"{V3}_minimalistic", 1.0),
        "mobilenetv4_conv_(?P<s>small|medium|large)": (V4, 1.0),
        "mobilenetv4_conv_(?P<s>small)_050": (V4, 0.5),
        r"(tf_)?efficientnet_lite(?P<s>\d)": ("efficientnet_lite{s}", 1.0),
        "legacy_xception": ("xception", 1.0),
    }.items()
)
OSMR = tuple(
    Source(
        "osmr",
        label,
        (family, "{w}"),
        {"params": exact(counted), "flops_m_as_printed": macs_and_more(1, 3)},
        "1 to 3 more for each number behind a convolution (batch norm, activation, bias): 2 % for V1, 19 % at most",
    )
    for label, family, counted in (
        (f"MobileNet x{W}", V1, params),
        (f"MobileNetb x{W}", "mobilenet_v1_plain", params),
        (r"MobileNetV2b x(?P<w>1\.0)", V2, params_without_bias_of("classifier")),
        (r"MobileNetV3 L/224/(?P<w>1\.0)", "mobilenet_v3_large", params_without_bias_of("head")),
        (rf"ShuffleNet x{W} \(g=(?P<g>\d)\)", SHUFFLE_V1, params),
        (r"ShuffleNetV2 x(?P<w>0\.5|1\.0)", "shufflenet_v2", params),
        (r"ShuffleNetV2b x(?P<w>0\.5|1\.0)", SHUFFLE_V2, params_with_bias_of("classifier")),
        (r"SqueezeNet v(?P<w>1)\.(?P<s>\d)", "squeezenet1_{s}", params),
        ("Xception(?P<w>)", "xception", params),
    )
)
V1_OF_8 = replace(FAMILIES[V1], rounding=divisible_by_8)  # as those round who train many widths at once
ELASTIC = (
    Source("Slimm", f"mobilenet_v1 {W}-{R}", (V1, "{w}", "{r}"), AROUND, "as slim's page", wrong=(("macs_m", "317"),)),
    Source("Slimm", f"shufflenet {W}-{R}", ("shufflenet_v1_g3", "{w}", "{r}"), AROUND, "137.46: 138"),
    Source("JiahuiYu|taoyang", f"mobilenet_v1 {W}-{R}", (V1_OF_8, "{w}", "{r}"), NEAR, "multiples of 8"),
    Source("", f"mobilenet_v2 {W}-{R}", (V2, "{w}", "{r}"), NEAR),
)
V1_STEM_OF_16 = replace(FAMILIES[V1], rounding=lambda channels, width: max(16, int(channels * width)))
APPLICATIONS = (
    Source(
        PAPER,
        rf"stanford_dogs: {W} MobileNet-{R}",
        (V1, "{w}", "{r}", 120),
        {"macs_m": times(1, 1.01, macs), "params_m": near(params)},
        "multiply-adds are those of 1,000 classes",
    ),
    Source(
        PAPER,
        rf"face_attributes: {W} MobileNet-{R}",
        (V1_STEM_OF_16, "{w}", "{r}"),
        {"macs_m": near(macs_of_the_body), "params_m": near(params_of_the_body)},
        "without a classifier; 45 and 15 million at 0.25 are those of a stem of 16 channels, not 8",
    ),
)

FILES = {
    "mobilenet_v1_variants": File(40, "", MOBILENET_V1),
    "mobilenet_v2_variants": File(35, r"0\.1-224", MOBILENET_V2),  # rounded to multiples of 4, with at least 4 channels
    "mobilenet_v2_paper_tables": File(5, "NasNet-A|SSD.*|.* [+] SSDLite|YOLOv2|MNet .*|ResNet-101.*", TABLE_4_OF_V2),
    "mobilenet_v3_variants": File(27, "MnasNet-A1|Proxyless|Mnas-small", MOBILENET_V3),
    # V3S has 2.7 million parameters there, which none of the published heads gives
    "mobilenet_v4_results": File(5, "MNv4-Hybrid-.*|FastViT-.*|MobileNet-V3S", MOBILENET_V4),
    "shufflenet_results": File(
        47,
        "(VGG-like|ResNet|ResNeXt|Xception-like|ShuffleNet best) at .*|ShuffleNet (v2 )?2x SE.*|.* shallow g=3"
        "|ShuffleNetV2[+] .*|ShuffleNet v[12]-50.*|SE-ShuffleNet.*|SENet|ResNet-50|VGG-16|GoogleNet.*|AlexNet|OneShot.*"
        r"|(DenseNet|Xception) .* \(their impl.\)|(IGC|CondenseNet|NASNet|PNASNet).*"
        r"|(0\.15|0\.4|0\.6|0\.75|1\.4) MobileNet v2 \(their impl.\)",  # whose last convolution is thinned or widened, too
        SHUFFLENET,
    ),
    "other_nets_results": File(
        13,
        "Inception V3|EfficientNet-B0.*|Mobile-Former-.*|GhostNetV3.*"
        "|Baseline|EffNet large|(MobileNet|ShuffleNet)( large)?",  # of EffNet's paper: test_effnet.py builds three of these
        OTHER_NETS,
    ),
    "torchvision_models": File(
        13,
        "(MNASNet|EfficientNet|AlexNet|VGG|GoogLeNet|Inception|ResNet|SSD|FasterRCNN|LRASPP|DeepLab).*",
        TORCHVISION,
    ),
    "timm_models": File(
        45,
        "(tf_)?efficientnet_b.*|(mixnet|mnasnet|semnasnet|spnasnet|fbnetc|hardcorenas|rexnet|tinynet|lcnet)_.*"
        "|(ghostnet|repghostnet|mobileone|repvit|starnet|fastvit|edgenext|swiftformer|efficientvit|efficientformer).*"
        "|mobilenetv1_100h.*|mobilenetv2_1[12]0d.*|mobilenetv3_large_150d.*|mobilenet_edgetpu.*|mobilevit.*"
        "|mobilenetv4_(conv_aa|conv_blur|hybrid)_.*|resnet.*|vgg16.*|inception_v3.*",
        TIMM,
    ),
    "osmr_models": File(
        28,
        "(AlexNet|VGG|BN-VGG|ResNet|SqueezeResNet|FD-MobileNet|IGCV3|MnasNet|ProxylessNAS|InceptionV3|EfficientNet).*"
        r"|ShuffleNetV2b? x(1\.5|2\.0)"  # other channels than the paper's
        r"|MobileNetV2 x.*|MobileNetV2b x0.*",  # another block; channels rounded otherwise
        OSMR,
    ),
    "elastic_networks": File(
        105,
        r".* per-layer channels-.*|mobilenet_v1 1\.6-1\.3x|(resnet50|mnasnet|mbconv|mobilenet_v3 space).*",
        ELASTIC,
    ),
    "applications": File(
        10,
        "(coco_detection|cityscapes_segmentation|planet_geolocation|facenet_distillation): .*|.*: (Baseline|Inception V3)",
        APPLICATIONS,
    ),
}
