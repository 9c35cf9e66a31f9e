"""Network(graph): the Graph as a torch module like any other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.graph import LEAKY_SLOPE, Graph, Op, Padding
from pocketvision.model.init import initial_arrays
from pocketvision.model.kernels.batch_norm import can_fuse, fused_batch_norm
from pocketvision.model.kernels.depthwise import can_take_depthwise, depthwise
from pocketvision.model.kernels.library import is_plain


class Network(nn.Module):
    """Runs the ops of a graph in order.

    Parameters carry the names that the graph gives them, for instance `block3.depthwise.conv.weight`.

    Args:
        graph: what to run.
        seed: of the initial weights, see `initial_arrays`; None leaves them uninitialised.
    """

    def __init__(self, graph: Graph, seed: int | None = 0) -> None:
        super().__init__()
        self.graph = graph
        for op in graph.ops:
            for name, module in _modules(op).items():
                _attach(self, name, module)
        last = graph.last_reader()
        self._finished = [{name for name in op.inputs if last[name] == i} for i, op in enumerate(graph.ops)]
        if seed is not None:
            self.load_arrays(initial_arrays(graph, seed))

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.graph.shape_of(self.graph.outputs["logits"]).channels

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits.

        Args:
            image: (N, C, R, R), uint8 or float, pixels in 0..255.

        Returns:
            (N, classes) float.
        """
        return self.forward_features(image)[self.graph.outputs["logits"]].flatten(1)

    def forward_features(self, image: Tensor, keep: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """Return the tensors named in `keep`, in that order, then the graph's outputs, each (N, C, H, W)."""
        wanted = dict.fromkeys((*keep, *self.graph.outputs.values()))
        tensors = {"image": image.to(torch.promote_types(image.dtype, torch.float32))}
        for op, finished in zip(self.graph.ops, self._finished, strict=True):
            tensors[op.name] = self._run(op, [tensors[name] for name in op.inputs])
            for name in finished:
                if name not in wanted:
                    del tensors[name]
        return {name: tensors[name] for name in wanted}

    def _run(self, op: Op, inputs: list[Tensor]) -> Tensor:
        x = inputs[0]
        match op:
            case ops.Normalize(mean=mean, std=std):
                return (x - x.new_tensor(mean)[:, None, None]) * (1 / x.new_tensor(std)[:, None, None])
            case ops.Conv():
                return self._convolve(op, x)
            case ops.Linear():
                linear: Any = self.get_submodule(op.name)
                x = x.flatten(1)
                product: Tensor = linear(x) if op.weight_limit is None else F.linear(x, self._filters(op), linear.bias)
                return product[:, :, None, None]
            case ops.Activation(kind=kind):
                return _activate(x, kind)
            case ops.Add(activation=activation):
                return _activate(x + inputs[1], activation)
            case ops.Mul():
                return x * inputs[1]
            case ops.Concat():
                return torch.cat(inputs, 1)
            case ops.Split(start=start, stop=stop):
                return x[:, start:stop]
            case ops.ChannelShuffle(groups=groups):
                n, c, height, width = x.shape
                return x.reshape(n, groups, c // groups, height, width).transpose(1, 2).reshape(n, c, height, width)
            case ops.MaxPool(kernel=kernel, stride=stride):
                return F.max_pool2d(_pad(x, op.padding, -torch.inf), tuple(kernel), tuple(stride))
            case ops.AveragePool(kernel=kernel, stride=stride):
                return F.avg_pool2d(_pad(x, op.padding, 0.0), tuple(kernel), tuple(stride))
            case ops.GlobalPool():
                return F.avg_pool2d(x, x.shape[2:])  # its gradient stays channels last, that of mean does not
            case ops.Dropout(rate=rate):
                return F.dropout(x, rate, self.training)
            case ops.FakeQuant(name=name, like=like):
                own: Any = self.get_submodule(like or name)
                return torch.fake_quantize_per_tensor_affine(x, own.scale, own.zero_point.int(), 0, 255)
        raise GraphError(f"op {op.name!r} ({type(op).__name__}): network.py does not say how to run it.")

    def _convolve(self, op: ops.Conv, x: Tensor) -> Tensor:
        """Convolve, normalise, activate; statistics that are frozen in training are folded into the filters: a pass less."""
        conv: Any = self.get_submodule(f"{op.name}.conv")
        bn: Any = None if op.batch_norm_eps is None else self.get_submodule(f"{op.name}.bn")
        folds = bn is not None and self.training and not bn.training
        weight, bias = _folded(conv, bn) if folds else (self._filters(op), conv.bias)
        y: Tensor
        if self.training and is_plain(conv, nn.Conv2d) and can_take_depthwise(op, x, weight):
            y = depthwise(x, weight, bias, op.stride.height, op.padding, _pads_first(op))
        else:
            x = _pad(x, op.padding, 0.0) if _pads_first(op) else x
            if folds or op.weight_limit is not None:
                y = F.conv2d(x, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)
            else:
                y = conv(x)
        if bn is None or folds:
            return _activate(y, op.activation)
        if can_fuse(y, bn, op.activation):
            return fused_batch_norm(y, bn, op.activation)
        return _activate(bn(y), op.activation)

    def _filters(self, op: ops.Conv | ops.Linear) -> Tensor:
        """The weights; int8 ones rounded to scale times integers."""
        owner: Any = self.get_submodule(f"{op.name}.conv" if isinstance(op, ops.Conv) else op.name)
        weight: Tensor = owner.weight
        if op.weight_limit is None:
            return weight
        scale: Any = self.get_submodule(f"{op.name}.weight_quant").scale
        zeros = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scale, zeros, 0, -op.weight_limit, op.weight_limit)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return copies of the graph's parameters by name, float32."""
        state = self.state_dict()
        return {p.name: state[p.name].detach().cpu().float().numpy().copy() for p in self.graph.parameters()}

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Fill the parameters from arrays of the same names and shapes.

        Raises:
            GraphError: a name is missing or left over, or a shape differs.
        """
        wanted = {p.name: p.shape for p in self.graph.parameters()}
        if set(wanted) != set(arrays):
            odd = sorted(set(wanted) ^ set(arrays))
            raise GraphError(f"weights and {self.graph.name!r} disagree in {len(odd)} names, first {odd[0]!r}.")
        state = self.state_dict()
        for name, shape in wanted.items():
            if arrays[name].shape != shape:
                raise GraphError(f"weight {name!r} is {arrays[name].shape}; {self.graph.name!r} needs {shape}.")
            state[name].copy_(torch.from_numpy(np.array(arrays[name])))  # a copy: torch warns of read-only arrays


def _modules(op: Op) -> dict[str, nn.Module]:
    """Return the submodules that hold the op's parameters, by dotted name."""
    match op:
        case ops.Conv():
            padding = 0 if _pads_first(op) else (op.padding.top, op.padding.left)
            conv = nn.Conv2d(
                op.in_channels,
                op.out_channels,
                op.kernel,
                stride=op.stride,
                padding=padding,
                dilation=op.dilation,
                groups=op.groups,
                bias=op.has_bias,
            )
            found: dict[str, nn.Module] = {f"{op.name}.conv": conv}
            if op.batch_norm_eps is not None:
                found[f"{op.name}.bn"] = nn.BatchNorm2d(op.out_channels, eps=op.batch_norm_eps)
            return found | _quant_scale(op)
        case ops.Linear():
            return {op.name: nn.Linear(op.in_channels, op.shape.channels, op.has_bias)} | _quant_scale(op)
        case ops.FakeQuant(like=None):
            return {op.name: _holding(scale=torch.ones(()), zero_point=torch.zeros(()))}
        case _:
            return {}


def _quant_scale(op: ops.Conv | ops.Linear) -> dict[str, nn.Module]:
    """Return the module that holds the scale of int8 weights, if the op has them."""
    if op.weight_limit is None:
        return {}
    return {f"{op.name}.weight_quant": _holding(scale=torch.ones(op.shape.channels))}


def _holding(**buffers: Tensor) -> nn.Module:
    module = nn.Module()
    for name, values in buffers.items():
        module.register_buffer(name, values)
    return module


def _attach(root: nn.Module, name: str, module: nn.Module) -> None:
    """Add a module under a dotted name; modules in between are empty."""
    *path, leaf = name.split(".")
    for part in path:
        if not hasattr(root, part):
            root.add_module(part, nn.Module())
        root = getattr(root, part)
    root.add_module(leaf, module)


def _folded(conv: Any, bn: Any) -> tuple[Tensor, Tensor]:
    """Return filters and biases that convolve and normalise by the running statistics; gradients reach all of their parts."""
    scale = bn.weight * torch.rsqrt(bn.running_var + bn.eps)
    mean = bn.running_mean if conv.bias is None else bn.running_mean - conv.bias
    return conv.weight * scale[:, None, None, None], bn.bias - mean * scale


def _pads_first(op: ops.Conv) -> bool:
    """Whether zeros are added before the convolution instead of by it.

    Torch's own padding is the same on both sides. And its gradient of a depthwise filter on a map smaller than the filter
    takes up to ten times as long with padding of its own (torch 2.14 on a CPU, 256 channels, 2x2: 9.5 ms against 0.9).
    """
    lopsided = (op.padding.top, op.padding.left) != (op.padding.bottom, op.padding.right)
    tiny = min(op.shape.height * op.stride.height, op.shape.width * op.stride.width) < min(op.kernel)
    return lopsided or (op.is_depthwise and tiny)


def _pad(x: Tensor, padding: Padding, value: float) -> Tensor:
    if not any(padding):
        return x
    return F.pad(x, (padding.left, padding.right, padding.top, padding.bottom), value=value)


def _activate(x: Tensor, kind: str | None) -> Tensor:
    match kind:
        case None:
            return x
        case "relu":
            return F.relu(x)
        case "relu6":
            return F.relu6(x)
        case "leaky_relu":
            return F.leaky_relu(x, LEAKY_SLOPE)
        case "hard_swish":
            return F.hardswish(x)
        case "hard_sigmoid":
            return F.hardsigmoid(x)  # of GATE_SLOPE
    raise GraphError(f"activation {kind!r}: network.py does not say how to run it.")


def build(graph: Graph, seed: int = 0, weights: str | Path | None = None) -> Network:
    """Return the network of a graph, channels last in memory.

    Args:
        graph: made by `resolve`; with weights, by `resolve(..., conventions=...)` of what these were trained with.
        seed: of initial weights.
        weights: what `load_weights` takes; None: initial weights. For other classes the classifier is initialised, a narrower
            network takes the most important channels.

    Raises:
        UnknownWeights, BadWeights: they cannot be found, or not be used for this network.
    """
    network = Network(graph, seed)
    if weights is not None:
        from pocketvision.model.transfer import transfer
        from pocketvision.model.weights.load import load_weights

        found = load_weights(weights, (graph.source.family,))
        is_same = graph.source.classes == found.graph.source.classes
        network.load_arrays(transfer(found.arrays, found.graph, graph, seed, keep_classifier=is_same)[0])
    return network.to(memory_format=torch.channels_last)
