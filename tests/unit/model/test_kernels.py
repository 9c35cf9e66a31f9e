"""The C kernels against torch, at the shapes that the networks have; and machines without them."""

import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketvision.model.graph import Conv, Graph, Origin, Padding, Pair, Shape
from pocketvision.model.kernels import batch_norm, depthwise, library
from pocketvision.model.network import Network, build
from pocketvision.model.resolve import resolve

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
ACTIVATIONS = {None: nn.Identity(), "relu": nn.ReLU(), "relu6": nn.ReLU6(), "hard_swish": nn.Hardswish()}
KINKS = {None: (), "relu": (0.0,), "relu6": (0.0, 6.0), "hard_swish": (-3.0, 3.0)}
DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    assert library.find_kernels()[1] == ""


def convolutions() -> list[Conv]:
    """Return the convolutions of all networks at 224 and at 32 pixels."""
    graphs = [resolve(name, 1.0, side, classes=10) for name in NETWORKS for side in (224, 32)]
    return [op for graph in graphs for op in graph.ops if isinstance(op, Conv)]


def extremes(shapes: set[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return, of (channels, side, *rest) that agree in the rest, those with fewest and most channels, and the widest map."""
    found = set()
    for rest in {shape[2:] for shape in shapes}:
        alike = sorted(shape for shape in shapes if shape[2:] == rest)
        odd = [shape for shape in alike if shape[0] % 16] or alike  # the last register is not full
        found |= {alike[0], alike[-1], max(alike, key=lambda shape: shape[1]), odd[-1]}
    return sorted(found)


# channels, side, activation
NORMALISED = extremes(
    {
        (op.shape.channels, op.shape.height, op.activation or "")
        for op in convolutions()
        if op.batch_norm_eps is not None
    }
)
# channels, side of the input, kernel, stride, padding
FILTERED = extremes(
    {
        (op.in_channels, op.shape.height * op.stride.height, op.kernel.height, op.stride.height, tuple(op.padding))
        for op in convolutions()
        if op.is_depthwise
    }
)


def drawn(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return values.to(memory_format=torch.channels_last) if len(shape) == 4 else values


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.double()).norm() / wanted.double().norm().clamp(min=1e-12))


def normalise_both_ways(x: Tensor, grad: Tensor, activation: str | None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what the kernel gives, and what torch gives in double, for the same input and gradient."""
    channels = x.shape[1]
    found = []
    for dtype in (x.dtype, torch.float64):
        bn = nn.BatchNorm2d(channels)
        with torch.no_grad():
            bn.weight.copy_(drawn(channels, seed=1).abs() + 0.5)
            bn.bias.copy_(drawn(channels, seed=2))
        image = x.to(dtype).detach().requires_grad_()
        if dtype == x.dtype:
            assert batch_norm.can_fuse(image, bn, activation)
            y = batch_norm.fused_batch_norm(image, bn, activation)
        else:
            bn.double()
            y = ACTIVATIONS[activation](bn(image))
        y.backward(grad.to(dtype))
        tensors = {"y": y, "x.grad": image.grad, "weight.grad": bn.weight.grad, "bias.grad": bn.bias.grad}
        tensors |= {"running_mean": bn.running_mean, "running_var": bn.running_var}
        found.append({name: tensor.detach() for name, tensor in tensors.items()})
        assert bn.num_batches_tracked == 1
    return found[0], found[1]


def quiet_at_kinks(x: Tensor, grad: Tensor, activation: str | None) -> Tensor:
    """Return the gradient without those values whose slope hangs on the last digit."""
    weight, bias = drawn(x.shape[1], seed=1).abs() + 0.5, drawn(x.shape[1], seed=2)
    z = F.batch_norm(x.double(), None, None, weight.double(), bias.double(), training=True)
    for kink in KINKS[activation]:
        grad = grad.masked_fill((z - kink).abs() < 1e-4, 0.0)
    return grad


@DTYPES
@pytest.mark.parametrize(("channels", "side", "activation"), NORMALISED)
def test_batch_norm_agrees_with_torch(channels: int, side: int, activation: str, dtype: torch.dtype) -> None:
    """Output, all gradients and the running statistics."""
    kind = activation or None
    x = (2 * drawn(4, channels, side, side) + 3 * drawn(channels, seed=3)[:, None, None]).to(dtype)
    grad = quiet_at_kinks(x, drawn(4, channels, side, side, dtype=dtype, seed=4), kind)
    found, wanted = normalise_both_ways(x, grad, kind)
    for name, tensor in wanted.items():
        assert distance(found[name], tensor) <= BOUNDS[dtype], name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_batch_norm_of_odd_shapes(activation: str | None) -> None:
    """Channels and rows that fill no register."""
    for shape in ((3, 5, 7, 3), (2, 1, 1, 1), (7, 24, 1, 1), (2, 33, 5, 5)):
        check_odd_shape(shape, activation)


def check_odd_shape(shape: tuple[int, ...], activation: str | None) -> None:
    grad = quiet_at_kinks(drawn(*shape), drawn(*shape, seed=4), activation)
    found, wanted = normalise_both_ways(drawn(*shape), grad, activation)
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name].double(), tensor, rtol=1e-4, atol=1e-5)


def test_batch_norm_far_from_zero() -> None:
    """The mean does not drown the variance."""
    x = drawn(4, 16, 14, 14) + 3000
    found, wanted = normalise_both_ways(x, drawn(4, 16, 14, 14, seed=4), None)
    assert distance(found["running_var"], wanted["running_var"]) < 1e-5


@DTYPES
def test_no_number_stays_none(dtype: torch.dtype) -> None:
    """A network that diverges is noticed: NaN is not clamped away."""
    x = drawn(2, 8, 4, 4, dtype=dtype)
    x[0, 3, 1, 1] = torch.nan
    y = batch_norm.fused_batch_norm(x, nn.BatchNorm2d(8), "relu6")
    assert y[:, 3].isnan().all()
    assert not y[:, :3].isnan().any()


def test_one_value_a_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        batch_norm.fused_batch_norm(drawn(1, 8, 1, 1), nn.BatchNorm2d(8), None)


def like(x: Tensor, weight: Tensor, stride: int, padding: Padding) -> Conv:
    """Return a depthwise convolution of these sizes."""
    channels, height, width = x.shape[1:]
    kernel, strides = Pair(*weight.shape[2:]), Pair(stride, stride)
    return Conv(
        name="depthwise",
        inputs=("image",),
        shape=Shape(channels, height, width),
        origin=Origin(-1, ""),
        in_channels=channels,
        kernel=kernel,
        stride=strides,
        padding=padding,
        groups=channels,
    )


def filter_both_ways(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Padding
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return output and gradients by the kernel, and by torch in double from the same values."""
    found = []
    for dtype in (x.dtype, torch.float64):
        image = x.to(dtype).detach().requires_grad_()
        filters = weight.clone().requires_grad_()
        offset = None if bias is None else bias.clone().requires_grad_()
        if dtype == x.dtype:
            if x.shape[1] > 1:
                assert depthwise.can_take_depthwise(like(x, weight, stride, padding), image, filters)
            is_even = (padding.top, padding.left) == (padding.bottom, padding.right)
            y = depthwise.depthwise(image, filters, offset, stride, padding, pads_first=not is_even)
        else:
            around = (padding.left, padding.right, padding.top, padding.bottom)
            rounded = filters.to(x.dtype).double()
            own = None if offset is None else offset.to(x.dtype).double()
            y = F.conv2d(F.pad(image, around), rounded, own, stride, groups=x.shape[1])
        y.backward(drawn(*y.shape, dtype=x.dtype, seed=5).to(dtype))
        tensors = {"y": y, "x.grad": image.grad, "weight.grad": filters.grad}
        if offset is not None:
            tensors["bias.grad"] = offset.grad
        found.append({name: tensor.detach() for name, tensor in tensors.items() if tensor is not None})
    return found[0], found[1]


@DTYPES
@pytest.mark.parametrize(("channels", "side", "kernel", "stride", "padding"), FILTERED)
def test_depthwise_agrees_with_torch(
    channels: int, side: int, kernel: int, stride: int, padding: tuple[int, ...], dtype: torch.dtype
) -> None:
    """Output and both gradients."""
    x, weight = drawn(2, channels, side, side, dtype=dtype), drawn(channels, 1, kernel, kernel, seed=1)
    found, wanted = filter_both_ways(x, weight, None, stride, Padding(*padding))
    for name, tensor in wanted.items():
        assert distance(found[name], tensor) <= BOUNDS[dtype], name


def test_depthwise_rounds_to_the_nearest() -> None:
    """Cut off instead, gradients in bfloat16 would shrink by three in a thousand."""
    x, weight = drawn(2, 16, 16, 16, dtype=torch.bfloat16), drawn(16, 1, 3, 3, seed=1)
    found, wanted = filter_both_ways(x, weight, None, 1, Padding(1, 1, 1, 1))
    assert float(found["x.grad"].double().abs().sum() / wanted["x.grad"].abs().sum()) == pytest.approx(1, abs=5e-4)


@DTYPES
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 4, 9), (20, 7, 6), (27, 5, 5), (41, 3, 8)])
def test_depthwise_of_odd_shapes(channels: int, height: int, width: int, dtype: torch.dtype) -> None:
    """Channels that fill no register, maps that are no squares, more padding on one side, a bias."""
    x, weight = drawn(3, channels, height, width, dtype=dtype), drawn(channels, 1, 3, 3, seed=1)
    for padding, stride in product((Padding(0, 1, 0, 1), Padding(2, 1, 1, 2), Padding(1, 1, 1, 1)), (1, 2)):
        found, wanted = filter_both_ways(x, weight, drawn(channels, seed=2), stride, padding)
        for name, tensor in wanted.items():
            assert distance(found[name], tensor) <= BOUNDS[dtype], (name, padding, stride)


@pytest.fixture
def three_threads() -> Iterator[None]:
    """The tests have one each otherwise."""
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(1)


def test_threads_do_not_meet(three_threads: None) -> None:
    """Sums of one thread lie beside those of the next, and the rest of the channels fills no register."""
    for channels in (12, 16, 24, 27, 29, 41, 44):
        check_threads(channels)


def check_threads(channels: int) -> None:
    x, weight = drawn(5, channels, 9, 9), drawn(channels, 1, 3, 3, seed=1)
    padding = Padding(1, 1, 1, 1)
    found, wanted = filter_both_ways(x, weight, None, 1, padding)
    for name, tensor in wanted.items():
        assert distance(found[name], tensor) <= 1e-5, name
    for _ in range(5):
        again, _ = filter_both_ways(x, weight, None, 1, padding)
        assert torch.equal(again["weight.grad"], found["weight.grad"])
    found, wanted = normalise_both_ways(x, quiet_at_kinks(x, drawn(*x.shape, seed=4), "relu"), "relu")
    for name, tensor in wanted.items():
        assert distance(found[name], tensor) <= 1e-5, name


def one_step(graph: Graph, has_kernels: bool, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Return loss, gradients and statistics of one step from the same start."""
    network = build(graph).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            torch.nn.init.uniform_(module.bias, 0.5, 1.5, generator=torch.Generator().manual_seed(0))
    sides = graph.image[1:]
    images = torch.randint(0, 256, (8, 3, *sides), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)  # of the dropout
    with monkeypatch.context() as patch:
        if not has_kernels:
            patch.setattr(library, "kernels", lambda: None)
        loss = F.cross_entropy(network(images), torch.arange(8) % 10)
        loss.backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"loss": loss.detach(), **gradients, **{name: buffer.float() for name, buffer in network.named_buffers()}}


@pytest.mark.parametrize(
    ("name", "width", "options"),
    [
        ("mobilenet_v1_relu", 0.375, {}),
        ("mobilenet_v1_relu", 0.25, {"output_stride": 8, "dilate": True}),
        ("mobilenet_v2", 0.35, {"output_stride": 8, "dilate": True}),
        ("mobilenet_v3_small", 0.5, {}),
    ],
)
def test_a_step_of_a_network_is_the_same_without(
    name: str, width: float, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, three_threads: None
) -> None:
    """Kernels in place, in each family's own conditions; deep gradients are chaotic, so the bound is a loose one."""
    graph = resolve(name, width, 64, classes=10, **options)
    with_kernels, without = (one_step(graph, has_kernels, monkeypatch) for has_kernels in (True, False))
    again = one_step(graph, True, monkeypatch)
    torch.testing.assert_close(with_kernels["loss"], without["loss"], rtol=1e-4, atol=1e-4)
    for key, tensor in without.items():
        off = (with_kernels[key] - tensor).norm()
        assert off <= 0.02 * tensor.norm() + 1e-5, (
            key
        )  # a shift that the next batch norm takes away has gradients of nothing
        assert torch.equal(with_kernels[key], again[key]), key


def gradients_of(network: Network) -> list[Tensor]:
    images, labels = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.arange(4)
    F.cross_entropy(network(images), labels).backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def test_other_norms_hooks_and_transforms_are_left_to_torch() -> None:
    """A network is a module like any other: what is changed about it counts."""
    graph = resolve("mobilenet_v1", 0.25, 32, classes=10)
    network = build(graph).train()
    seen: list[str] = []
    for part in ("block1.depthwise.bn", "block1.depthwise.conv"):
        network.get_submodule(part).register_forward_hook(lambda *_, part=part: seen.append(part))
    network.get_submodule("block2.depthwise").bn = nn.GroupNorm(4, 16)
    network.get_submodule("block3.depthwise").bn = nn.BatchNorm2d(32, affine=False)
    assert all(gradient.isfinite().all() for gradient in gradients_of(network))
    assert seen == ["block1.depthwise.conv", "block1.depthwise.bn"]
    plain = build(graph).train()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False  # torch's transforms forbid what moves them
    parameters = dict(plain.named_parameters())
    images = torch.zeros(4, 3, 32, 32)
    found = torch.func.grad(lambda given: torch.func.functional_call(plain, given, (images,)).square().sum())(
        parameters
    )
    assert set(found) == set(parameters)


def test_no_images() -> None:
    """An empty batch is none of the kernels' business."""
    bn = nn.BatchNorm2d(8)
    assert not batch_norm.can_fuse(torch.zeros(0, 8, 4, 4), bn, None)


def test_sizes_that_do_not_fit_are_torchs_to_refuse() -> None:
    """No kernel reads beyond an array."""
    bn = nn.BatchNorm2d(8)
    assert not batch_norm.can_fuse(torch.zeros(2, 16, 4, 4), bn, None)
    assert not batch_norm.can_fuse(torch.zeros(2, 8, 4, 4), bn.double(), None)


def test_whatever_torch_makes_by_default() -> None:
    """The kernels' own arrays are float32 all the same."""
    x, grad = drawn(2, 8, 5, 5), drawn(2, 8, 5, 5, seed=4)
    expected, _ = normalise_both_ways(x, grad, None)
    weight, other, padding = drawn(8, 1, 3, 3, seed=1), drawn(2, 8, 5, 5, seed=5), Padding(1, 1, 1, 1)
    filtered, _ = filter_both_ways(x, weight, None, 1, padding)
    torch.set_default_dtype(torch.float64)
    try:
        bn, image, filters = nn.BatchNorm2d(8).float(), x.clone().requires_grad_(), weight.clone().requires_grad_()
        batch_norm.fused_batch_norm(image, bn, None).backward(grad)
        depthwise.depthwise(x.clone().requires_grad_(), filters, None, 1, padding, pads_first=False).backward(other)
    finally:
        torch.set_default_dtype(torch.float32)
    assert bn.weight.grad is not None and bn.weight.grad.dtype == torch.float32
    assert torch.equal(filters.grad, filtered["weight.grad"])
    assert expected["weight.grad"].dtype == torch.float32


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing was compiled before; what is compiled now is not made fast, which takes the compiler long."""
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path))
    monkeypatch.setattr(library, "FLAGS", tuple(flag for flag in library.FLAGS if flag != "-O3"))
    library.find_kernels.cache_clear()
    yield tmp_path
    library.find_kernels.cache_clear()


@pytest.mark.parametrize(
    ("compiler", "said"),
    [
        ("", ""),
        ("no-such-compiler", "'no-such-compiler'"),
        ("false", "'false'"),
        ("true", "compiled"),
        ("gcc '", "No closing quotation"),
    ],
)
def test_without_a_compiler_torch_does_it(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, said: str
) -> None:
    """None, one that is not there, one that fails, one that makes nothing, no command at all."""
    monkeypatch.setenv("CC", compiler)
    found, reason = library.find_kernels()
    assert found is None
    assert said in reason and bool(reason) == bool(said)
    network = build(resolve("mobilenet_v2", 0.35, 32, classes=10)).train()
    assert all(gradient.isfinite().all() for gradient in gradients_of(network))
    assert not list(empty_cache.rglob("*.so"))


def test_what_others_can_write_is_not_run(empty_cache: Path) -> None:
    """It is made anew."""
    assert library.kernels() is not None
    (made,) = empty_cache.rglob("*.so")
    before = made.stat().st_ino
    made.chmod(0o777)
    library.find_kernels.cache_clear()
    assert library.kernels() is not None
    assert made.stat().st_ino != before
    assert not made.stat().st_mode & 0o022


def test_nowhere_to_write(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_cache / "file").write_text("in the way")
    monkeypatch.setenv("POCKETVISION_CACHE", str(empty_cache / "file"))
    assert library.kernels() is None


def test_compiled_once(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled is read again; a file that is no library is made anew."""
    assert library.kernels() is not None
    (made,) = empty_cache.rglob("*.so")
    before = made.stat().st_mtime_ns
    library.find_kernels.cache_clear()
    assert library.kernels() is not None
    assert made.stat().st_mtime_ns == before
    damaged = empty_cache / "other" / "kernels" / made.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no library")
    monkeypatch.setenv("POCKETVISION_CACHE", str(empty_cache / "other"))
    library.find_kernels.cache_clear()
    assert library.kernels() is not None
    assert damaged.stat().st_size == made.stat().st_size
