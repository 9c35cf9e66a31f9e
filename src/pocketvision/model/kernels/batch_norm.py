"""Batch norm and the activation after it as one operation, for training on a CPU.

Half of a MobileNet's training step is not convolution but batch norm, activation and their gradients, which torch runs one after
the other, each reading and writing whole tensors. `batch_norm.c` needs fewer passes (`docs/log.md` has what that gains).
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pocketvision.model.kernels.library import TYPES, can_take, is_plain, is_vector, kernels

KINDS = {None: 0, "relu": 1, "relu6": 2, "hard_swish": 3}  # as `batch_norm.c` numbers them


def can_fuse(x: Tensor, bn: nn.BatchNorm2d, activation: str | None) -> bool:
    """Whether `fused_batch_norm` can take the place of `bn` and the activation."""
    if not (can_take(x) and is_plain(bn, nn.BatchNorm2d) and bn.training and bn.momentum is not None and bn.affine):
        return False
    vectors = [bn.weight, bn.bias, *([bn.running_mean, bn.running_var] if bn.track_running_stats else [])]
    return activation in KINDS and all(is_vector(vector, x.shape[1]) for vector in vectors)


def fused_batch_norm(x: Tensor, bn: nn.BatchNorm2d, activation: str | None) -> Tensor:
    """Normalise by the batch's statistics, update the running ones, activate (Ioffe & Szegedy 2015, algorithm 1).

    The result is that of `torch.nn.BatchNorm2d` and the activation, up to rounding: sums are taken in double precision, and in
    bfloat16 the tensor between the two is not rounded. The same number of threads gives the same bits.

    Args:
        x: (N, C, H, W), float32 or bfloat16; more than one value of each channel.
        bn: of C channels, in training; `track_running_stats` says whether its statistics are updated.
        activation: of KINDS.

    Returns:
        (N, C, H, W) of x's dtype, channels last in memory.

    Raises:
        ValueError: there is only one value of each channel, in torch's words.
    """
    if x.numel() == x.shape[1]:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(x.shape)}")
    running: tuple[Tensor | None, Tensor | None] = (None, None)
    if bn.track_running_stats:
        assert bn.num_batches_tracked is not None
        bn.num_batches_tracked.add_(1)
        running = (bn.running_mean, bn.running_var)
    found: Tensor = _FusedBatchNorm.apply(x, bn.weight, bn.bias, *running, bn.momentum, bn.eps, KINDS[activation])
    return found


class _FusedBatchNorm(torch.autograd.Function):
    """Keeps the convolution's output for the gradient, and nothing else of its size."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        momentum: float,
        eps: float,
        kind: int,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        y, saved = torch.empty_like(x), torch.empty(4, x.shape[1], dtype=torch.float32, device=x.device)
        _call("forward", x, (x, y), (weight, bias, running_mean, running_var, saved), (momentum, eps), kind)
        ctx.save_for_backward(x, saved)
        ctx.kind = kind
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, saved = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_x, of_affine = torch.empty_like(x), torch.empty(2, x.shape[1], dtype=torch.float32, device=x.device)
        _call("backward", x, (grad, x, grad_x), (saved, of_affine[0], of_affine[1]), (), ctx.kind)
        return grad_x, of_affine[0], of_affine[1], None, None, None, None, None


def _call(
    name: str,
    x: Tensor,
    whole: tuple[Tensor, ...],
    by_channel: tuple[Tensor | None, ...],
    numbers: tuple[float, ...],
    kind: int,
) -> None:
    """Call a kernel on tensors of the shape of x and on vectors of its channels."""
    channels = x.shape[1]
    failed = getattr(kernels(), f"batch_norm_{name}")(
        *(tensor.data_ptr() for tensor in whole),
        x.numel() // channels,
        channels,
        *(None if tensor is None else tensor.data_ptr() for tensor in by_channel),
        *numbers,
        TYPES[x.dtype],
        kind,
        torch.get_num_threads(),
    )
    if failed:
        raise MemoryError  # as torch's allocator does
