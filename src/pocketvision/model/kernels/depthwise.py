"""Depthwise convolution with gradients of its own, for training on a CPU.

Torch's are fast at stride 1. At stride 2 in bfloat16, with 5x5 filters, or on maps smaller than the filter they take up to forty
times as long as the memory traffic needs (`docs/log.md`): half of a step of MobileNetV3.
"""

import ctypes
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd.function import once_differentiable

from pocketvision.model.graph import Conv, Padding
from pocketvision.model.kernels.library import TYPES, can_take, kernels

LANES = 16  # `padded` of `depthwise.c` is a multiple of it
Sizes = ctypes.c_int64 * 11


def can_take_depthwise(op: Conv, x: Tensor, weight: Tensor) -> bool:
    """Whether `depthwise` can take the place of torch's convolution: square filters, a stride of 1 or 2, gradients wanted."""
    return (
        op.is_depthwise
        and op.kernel.height == op.kernel.width
        and op.stride in ((1, 1), (2, 2))
        and op.dilation == (1, 1)
        and can_take(x)
        and weight.shape == (x.shape[1], 1, *op.kernel)
        and weight.dtype == torch.float32
        and (torch.is_grad_enabled() and x.requires_grad and weight.requires_grad)
    )


def depthwise(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Padding, pads_first: bool
) -> Tensor:
    """Convolve each channel with a filter of its own, in autocast's precision where that is on.

    Args:
        x: (N, C, H, W), float32 or bfloat16.
        weight: (C, 1, K, K), float32.
        bias: (C,), float32, or None.
        stride: 1 or 2.
        padding: zeros around the image.
        pads_first: pad before torch's convolution instead of in it; the gradient needs no padding in any case.

    Returns:
        (N, C, H', W'), channels last in memory.
    """
    if torch.is_autocast_enabled("cpu"):
        x = x.to(torch.get_autocast_dtype("cpu"))
    found: Tensor = _Depthwise.apply(x, weight, bias, stride, padding, pads_first)
    return found


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: Padding, pads_first: bool
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        own = (0, 0) if pads_first else (padding.top, padding.left)
        image = F.pad(x, (padding.left, padding.right, padding.top, padding.bottom)) if pads_first else x
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
        return F.conv2d(image, weight, bias, stride, own, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        images, channels, height, width = x.shape
        kernel, threads = weight.shape[2], torch.get_num_threads()
        padded = -(-channels // LANES) * LANES
        filters = torch.zeros(kernel, kernel, padded, dtype=torch.float32, device=x.device)
        filters[..., :channels] = weight.to(x.dtype).permute(2, 3, 1, 0)[:, :, 0]
        sums = torch.zeros(threads, kernel, kernel, padded, dtype=torch.float64, device=x.device)
        grad_x = torch.empty_like(x)
        sizes = Sizes(
            images,
            height,
            width,
            channels,
            *grad.shape[2:],
            kernel,
            ctx.stride,
            ctx.padding.top,
            ctx.padding.left,
            padded,
        )
        library = kernels()
        assert library is not None
        tensors = (tensor.data_ptr() for tensor in (grad, x, filters, grad_x, sums))
        if library.depthwise_backward(sizes, *tensors, TYPES[x.dtype], threads):
            raise MemoryError  # as torch's allocator does
        grad_weight = sums.sum(0)[..., :channels].permute(2, 0, 1)[:, None].to(weight.dtype)
        grad_bias = grad.sum((0, 2, 3), dtype=torch.float32) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None, None, None
