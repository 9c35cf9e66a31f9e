"""What the tests of networks share: small graphs, random weights for them, and a way to run both.

A *structure* is what a family's blocks do, apart from how often and how wide: the kinds of its rows, with the choices that add
or leave out an op (a gate, a shortcut, a second depthwise convolution, a bias instead of batch norm). Families of one structure
differ in numbers, and these are proven by their claims, the layer tables and the printed costs. So a promise about networks is
tested with STRUCTURES, a few families that have all kinds of rows between them; each variant has its claims and its own file
(`contracts/test_goldens.py`). A promise that does not depend on the network is tested with FEW. Options of `resolve` (width,
resolution, output stride, channels of the image) are an axis of their own: every option with FEW, every structure with one
or two. `contracts/test_structures.py` says what the choice covers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pocketvision.model.builder import Builder
from pocketvision.model.families import FAMILIES
from pocketvision.model.graph import Conv, Graph, Linear, Shape
from pocketvision.model.init import initial_arrays
from pocketvision.model.network import Network
from pocketvision.model.resolve import native_stride, resolve
from pocketvision.model.rewrite import leading_indices
from pocketvision.model.rows import Family, Row
from pocketvision.model.spaces import spaces

Arrays = Mapping[str, NDArray[Any]]
Kind = tuple[str, ...]
FAMILY_NAMES = tuple(FAMILIES)
# Fields that add no op and take none away
NUMBERS_ONLY = ("rounding", "scales", "hidden_by", "activation", "project_activation")


def kind_of(row: Row) -> Kind:
    """The row's type, and the fields that decide which ops its block has."""
    chosen = [type(row).__name__]
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in NUMBERS_ONLY or isinstance(value, tuple):
            continue
        if isinstance(value, str | bool) or value is None or value == 0:
            chosen.append(f"{field.name}={value}")
    return tuple(chosen)


def kinds_of(family: Family) -> frozenset[Kind]:
    """The kinds of a family's rows."""
    return frozenset(map(kind_of, family.rows))


def structures(families: Iterable[Family]) -> tuple[str, ...]:
    """Names of families that have all kinds of rows between them: time and again the first of those with most new kinds."""
    found, known = [], list(families)
    missing = frozenset[Kind]().union(*map(kinds_of, known))
    while missing:
        best = max(known, key=lambda family: len(kinds_of(family) & missing))
        found.append(best.name)
        missing -= kinds_of(best)
    return tuple(family.name for family in known if family.name in found)


STRUCTURES = structures(FAMILIES.values())
# Convolutions behind each other; gates, shortcuts and a dense layer; groups, pools and shuffles
FEW = ("mobilenet_v1", "mobilenet_v3_small", "shufflenet_v1_g3")
UNSTEADY = ("mobilenet_v2_no_shortcut", "mobilenet_v2_nonlinear", "mobilenet_v2_wide_shortcut")


@lru_cache
def small(family: str, width: float = 0.25, resolution: int = 32, classes: int = 10, **options: Any) -> Graph:
    """A family's network, small enough for a test, with the nearest width and output stride that the family has."""
    if options.get("output_stride"):
        options["output_stride"] = nearest_stride(family, options["output_stride"])
    return resolve(family, nearest_width(family, width), resolution, classes, **options)


def steady(family: str, **options: Any) -> Graph:
    """A small network whose drawn weights do not make much of rounding.

    Through fifty layers without shortcuts it grows; means over larger maps even it out.
    """
    return small(family, **({"output_stride": 4} if family in UNSTEADY else {}) | options)


def cut_widths(family: str) -> tuple[tuple[float, float], ...]:
    """Wide and narrow; groups and shuffles allow only some."""
    if FAMILIES[family].widths:
        return ((1.0, 0.5), (1.5, 1.0))
    return ((1.0, 0.5), (1.0, 0.25)) if family.startswith(("shufflenet_v1", "effnet")) else ((0.25, 0.125), (0.2, 0.15))


def nearest_stride(family: str, output_stride: int) -> int:
    """The output stride, or the family's own where that is smaller."""
    return min(native_stride(FAMILIES[family]), output_stride)


def nearest_width(family: str, width: float) -> float:
    """The width, or the nearest that the family has."""
    return min(FAMILIES[family].widths or (width,), key=lambda known: abs(known - width))


def random_arrays(graph: Graph, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Weights with no special numbers in them: no zero biases, no identity batch norms.

    The statistics are roughly true, so that logits are of order 1 and differ from image to image. They are drawn once a session,
    and read-only.
    """
    key = (graph.image, graph.ops, seed)
    if key not in _drawn:
        _drawn[key] = _draw(graph, seed)
        for array in _drawn[key].values():
            if array.ndim:
                array.flags.writeable = False
    return dict(_drawn[key])


_drawn: dict[tuple[Any, ...], dict[str, NDArray[np.float32]]] = {}


def _draw(graph: Graph, seed: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    arrays = initial_arrays(graph, seed)
    classifiers = {f"{op.name}.weight" for op in graph.ops if isinstance(op, Linear)}
    for p in graph.parameters():
        if p.role in ("bias", "shift"):
            arrays[p.name] = rng.normal(0, 0.3, p.shape).astype(np.float32)
        elif p.role == "scale":
            arrays[p.name] = rng.uniform(0.5, 1.5, p.shape).astype(np.float32)
        elif p.name in classifiers:
            arrays[p.name] = rng.normal(0, p.shape[1] ** -0.5, p.shape).astype(np.float32)
    arrays |= _true_statistics(graph, arrays)
    for p in graph.parameters():
        if not p.is_trained:
            arrays[p.name] = arrays[p.name] * rng.uniform(0.7, 1.4, p.shape).astype(np.float32)
    return arrays


@torch.no_grad()
def _true_statistics(graph: Graph, arrays: Arrays) -> dict[str, NDArray[np.float32]]:
    """Means and variances that a few random images give."""
    net = Network(graph, seed=None)
    net.load_arrays(arrays)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    net.double().train().forward_features(random_images(graph, n=8).double())
    statistics = {p.name for p in graph.parameters() if not p.is_trained}
    return {name: array for name, array in net.arrays().items() if name in statistics}


def random_images(graph: Graph, n: int = 4, seed: int = 0) -> torch.Tensor:
    """(n, C, R, R) uint8: coarse patches, so that images still differ after pooling, with noise on top."""
    rng = np.random.default_rng(seed)
    c, height, width = graph.image
    patches = rng.integers(0, 2, (n, c, -(-height // 8), -(-width // 8))) * 200
    pixels = patches.repeat(8, axis=2).repeat(8, axis=3)[..., :height, :width] + rng.integers(
        0, 56, (n, c, height, width)
    )
    return torch.from_numpy(pixels.astype(np.uint8))


def network(graph: Graph, arrays: Arrays | None = None) -> Network:
    """The graph's network in evaluation mode."""
    net = Network(graph, seed=None)
    net.load_arrays(random_arrays(graph) if arrays is None else arrays)
    return net.eval()


@torch.no_grad()
def exact_logits(graph: Graph, arrays: Arrays, images: torch.Tensor) -> NDArray[np.float64]:
    """Logits worked out in float64."""
    return network(graph, arrays).double()(images.double()).numpy()


def builder() -> Builder:
    """A builder for 3x8x8 images."""
    return Builder(Shape(3, 8, 8))


def finish(b: Builder, x: str, name: str) -> Graph:
    """Pool and classify what was built."""
    x = b.linear(b.global_pool(x, "pool"), "classifier", 5)
    return b.graph(name, {"logits": x})


def residual(n: int) -> Graph:
    """An inverted residual: the sum makes `stem` and `project` one space."""
    b = builder()
    x = b.conv("image", "stem", n, activation="relu")
    y = b.conv(x, "expand", 2 * n, activation="relu6")
    y = b.depthwise(y, "depthwise", kernel=3, activation="relu6")
    y = b.conv(y, "project", n)
    return finish(b, b.add(x, y, "sum"), f"residual_{n}")


def summed_concat(n: int) -> Graph:
    """`stem` is added to two branches behind each other, so each branch is a part of the stem's space."""
    b = builder()
    x = b.conv("image", "stem", 3 * n, activation="relu")
    y = b.concat((b.conv(x, "left", n), b.conv(x, "right", 2 * n, kernel=3)), "both")
    return finish(b, b.conv(b.add(x, y, "sum", activation="relu"), "head", n), f"summed_concat_{n}")


def summed_concats(a: int, b: int, c: int) -> Graph:
    """(a, b) + (c, d), each a convolution of so many channels; one space, unless a = c."""
    build = builder()
    x, y = (
        build.concat(tuple(build.conv("image", name, n) for name, n in pieces), "+".join(name for name, _ in pieces))
        for pieces in ((("a", a), ("b", b)), (("c", c), ("d", a + b - c)))
    )
    return finish(build, build.add(x, y, "sum", activation="relu"), f"summed_concats_{a}_{b}_{c}")


def grouped(n: int, groups: int) -> Graph:
    """A grouped convolution between two plain ones."""
    b = builder()
    x = b.conv("image", "stem", n, activation="relu")
    x = b.conv(x, "grouped", 2 * n, kernel=3, groups=groups, activation="relu")
    return finish(b, b.conv(x, "head", n), f"grouped_{n}_g{groups}")


def shuffle_v1(n: int, groups: int) -> Graph:
    """ShuffleNetV1's unit: grouped 1x1, shuffle, depthwise, grouped 1x1, add. `n` channels inside."""
    b = builder()
    x = b.conv("image", "stem", 2 * n, activation="relu")
    y = b.conv(x, "squeeze", n, groups=groups, activation="relu")
    y = b.channel_shuffle(y, "shuffle", groups)
    y = b.depthwise(y, "depthwise", kernel=3)
    y = b.conv(y, "expand", 2 * n, groups=groups)
    return finish(b, b.conv(b.add(x, y, "sum", activation="relu"), "head", n), f"shuffle_v1_{n}_g{groups}")


def shuffle_v2(n: int, units: int = 2) -> Graph:
    """ShuffleNetV2's units: split, transform one half, concat, shuffle."""
    b = builder()
    x = b.conv("image", "stem", 2 * n, activation="relu")
    for i in range(units):
        kept, y = b.split(x, f"unit{i}.split", (n, n))
        y = b.conv(y, f"unit{i}.first", n, activation="relu")
        y = b.depthwise(y, f"unit{i}.depthwise", kernel=3)
        y = b.conv(y, f"unit{i}.last", n, activation="relu")
        x = b.channel_shuffle(b.concat((kept, y), f"unit{i}.concat"), f"unit{i}.shuffle", 2)
    return finish(b, b.conv(x, "head", n), f"shuffle_v2_{n}_{units}units")


def squeeze_excite(n: int) -> Graph:
    """A gate as wide as what it gates."""
    b = builder()
    x = b.conv("image", "stem", n, activation="relu")
    gate = b.conv(b.global_pool(x, "squeeze"), "reduce", n // 2, bias=True, batch_norm=False, activation="relu")
    gate = b.conv(gate, "excite", n, bias=True, batch_norm=False, activation="relu6")
    return finish(b, b.conv(b.mul(x, gate, "gated"), "head", n), f"squeeze_excite_{n}")


def fire(n: int) -> Graph:
    """SqueezeNet's module: two branches behind each other."""
    b = builder()
    x = b.conv("image", "squeeze", n, activation="relu")
    x = b.concat((b.conv(x, "expand1", 2 * n), b.conv(x, "expand3", 3 * n, kernel=3)), "expand")
    return finish(b, b.conv(b.max_pool(x, "max", kernel=3, stride=2), "head", n), f"fire_{n}")


def family_pair(family: str, wide: float, narrow: float) -> tuple[Graph, Graph]:
    """A family at two widths."""
    return small(family, wide), small(family, narrow)


def pair(make: Callable[..., Graph], wide: int, narrow: int, **options: int) -> tuple[Graph, Graph]:
    """A hand-made graph at two sizes."""
    return make(wide, **options), make(narrow, **options)


CUTS: dict[str, Callable[[], tuple[Graph, Graph]]] = {
    **{
        f"{family} {wide} to {narrow}": partial(family_pair, family, wide, narrow)
        for family in STRUCTURES
        for wide, narrow in cut_widths(family)
    },
    "the same graph twice": partial(pair, residual, 6, 6),
    "residual": partial(pair, residual, 8, 5),
    "sum of a concat": partial(pair, summed_concat, 7, 4),
    "grouped, 2 groups": partial(pair, grouped, 8, 6, groups=2),
    "grouped, 3 groups": partial(pair, grouped, 12, 6, groups=3),
    "ShuffleNetV1, 2 groups": partial(pair, shuffle_v1, 16, 8, groups=2),
    "ShuffleNetV1, 2 groups, uneven parts": partial(pair, shuffle_v1, 14, 6, groups=2),
    "ShuffleNetV1, 3 groups": partial(pair, shuffle_v1, 36, 18, groups=3),
    "ShuffleNetV1, 3 groups, uneven parts": partial(pair, shuffle_v1, 24, 15, groups=3),
    "ShuffleNetV1, 3 groups, parts that vanish": partial(pair, shuffle_v1, 12, 6, groups=3),
    "ShuffleNetV2": partial(pair, shuffle_v2, 8, 4),
    "ShuffleNetV2, uneven parts": partial(pair, shuffle_v2, 11, 7),
    "ShuffleNetV2, six units": partial(pair, shuffle_v2, 58, 24, units=6),
    "squeeze-excite": partial(pair, squeeze_excite, 8, 6),
    "Fire": partial(pair, fire, 6, 4),
}
HAND_MADE = [name for name in CUTS if name.split()[0] not in FAMILIES]
ONE_EACH = [*("{} {} to {}".format(family, *cut_widths(family)[0]) for family in STRUCTURES), *HAND_MADE]


def random_lists(wide: Graph, narrow: Graph, seed: int) -> dict[str, list[int]]:
    """As many channels of each part as the leading lists keep, but any of them, in any order."""
    rng, leading = np.random.default_rng(seed), leading_indices(wide, narrow)
    lists = {}
    for space in spaces(wide):
        counts = [len(set(part.tolist()) & set(leading[space.name])) for part in space.parts.values()]
        picked = [rng.choice(part, n, replace=False) for part, n in zip(space.parts.values(), counts, strict=True)]
        lists[space.name] = rng.permutation(np.concatenate(picked)).tolist()
    return lists


def far_apart(graph: Graph, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The same function, with depthwise channels 1/100 to 100 times as large and the inverse in the next layer."""
    arrays, rng = {name: array.copy() for name, array in arrays.items()}, np.random.default_rng(0)
    for op, after in zip(graph.ops, graph.ops[1:], strict=False):
        if isinstance(op, Conv) and op.is_depthwise:
            factors = (10 ** rng.uniform(-2, 2, op.out_channels)).astype(np.float32)
            arrays[f"{op.name}.conv.weight"] *= factors[:, None, None, None]
            arrays[f"{op.name}.conv.bias"] *= factors
            arrays[f"{after.name}.conv.weight"] /= factors[None, :, None, None]
    return arrays
