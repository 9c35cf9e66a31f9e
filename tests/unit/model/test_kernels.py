"""The C kernels against torch, at the shapes that the networks have; and machines without them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pocketvision.model.graph import Conv, Padding
from pocketvision.model.kernels import batch_norm, depthwise, library
from pocketvision.model.network import build
from pocketvision.model.resolve import resolve

NETWORKS = ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small")
BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
ACTIVATIONS = {None: nn.Identity(), "relu": nn.ReLU(), "relu6": nn.ReLU6(), "hard_swish": nn.Hardswish()}
KINKS = {None: (), "relu": (0.0,), "relu6": (0.0, 6.0), "hard_swish": (-3.0, 3.0)}
DTYPES = pytest.mark.parametrize("dtype", BOUNDS, ids=str)


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if library.kernels() is None:
        pytest.skip("no C compiler made the kernels")


def convolutions() -> list[Conv]:
    """Return the convolutions of all networks at 224 and at 32 pixels."""
    graphs = [resolve(name, 1.0, side, classes=10) for name in NETWORKS for side in (224, 32)]
    return [op for graph in graphs for op in graph.ops if isinstance(op, Conv)]


NORMALISED = sorted(
    {
        (op.shape.channels, op.shape.height, op.activation or "")
        for op in convolutions()
        if op.batch_norm_eps is not None
    }
)
# channels, side of the input, kernel, stride, padding, whether zeros are added first
FILTERED = sorted(
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
@pytest.mark.parametrize("shape", [(3, 5, 7, 3), (2, 1, 1, 1), (7, 24, 1, 1), (2, 33, 5, 5)])
def test_batch_norm_of_odd_shapes(shape: tuple[int, ...], activation: str | None) -> None:
    """Channels and rows that fill no register."""
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
            assert depthwise.can_take_depthwise(image, filters, (stride, stride))
            y = depthwise.depthwise(image, filters, offset, stride, padding, pads_first=True)
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


@DTYPES
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 4, 9), (20, 7, 6), (27, 5, 5), (41, 3, 8)])
@pytest.mark.parametrize("padding", [Padding(0, 1, 0, 1), Padding(2, 1, 1, 2), Padding(1, 1, 1, 1)], ids=str)
def test_depthwise_of_odd_shapes(
    channels: int, height: int, width: int, stride: int, padding: Padding, dtype: torch.dtype
) -> None:
    """Channels that fill no register, maps that are no squares, more padding on one side, a bias."""
    x, weight = drawn(3, channels, height, width, dtype=dtype), drawn(channels, 1, 3, 3, seed=1)
    found, wanted = filter_both_ways(x, weight, drawn(channels, seed=2), stride, padding)
    for name, tensor in wanted.items():
        assert distance(found[name], tensor) <= BOUNDS[dtype], name


def trained_steps(steps: int = 3) -> list[Tensor]:
    """Return the gradients of a few steps of one network, from the same start."""
    torch.manual_seed(0)
    network = build(resolve("mobilenet_v2", 0.35, 32, classes=10)).train()
    images, labels = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8), torch.arange(16) % 10
    for _ in range(steps):
        F.cross_entropy(network(images), labels).backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def test_same_bits_again() -> None:
    """Threads sum in their order."""
    torch.set_num_threads(2)
    try:
        first, second = trained_steps(), trained_steps()
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing was compiled before."""
    monkeypatch.setenv("POCKETVISION_CACHE", str(tmp_path))
    library.kernels.cache_clear()
    yield tmp_path
    library.kernels.cache_clear()


@pytest.mark.parametrize("compiler", ["", "no-such-compiler", "false", "true"])
def test_without_a_compiler_torch_does_it(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    """None, one that is not there, one that fails, one that makes nothing."""
    monkeypatch.setenv("CC", compiler)
    assert library.kernels() is None
    assert all(gradient.isfinite().all() for gradient in trained_steps(1))
    assert not list(empty_cache.rglob("*.so"))


def test_nowhere_to_write(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_cache / "file").write_text("in the way")
    monkeypatch.setenv("POCKETVISION_CACHE", str(empty_cache / "file"))
    assert library.kernels() is None


def test_compiled_once(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled is read again; a file that is no library is made anew."""
    assert library.kernels() is not None
    (made,) = empty_cache.rglob("*.so")
    before = made.stat().st_mtime_ns
    library.kernels.cache_clear()
    assert library.kernels() is not None
    assert made.stat().st_mtime_ns == before
    damaged = empty_cache / "other" / "kernels" / made.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no library")
    monkeypatch.setenv("POCKETVISION_CACHE", str(empty_cache / "other"))
    library.kernels.cache_clear()
    assert library.kernels() is not None
    assert damaged.stat().st_size == made.stat().st_size
