"""The Builder: adds ops one by one, works out their shapes, and refuses what does not fit together."""

from typing import Any

from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.conventions import SCRATCH, find_conventions
from pocketvision.model.graph import Graph, Op, Options, Origin, Padding, Pair, Shape


def same_padding(kernel: Pair, dilation: Pair) -> Padding:
    """Return the padding that is equal on both sides and keeps the size at stride 1 for odd kernels (PyTorch)."""
    top, left = (dilation[axis] * (kernel[axis] - 1) // 2 for axis in (0, 1))
    return Padding(top, left, top, left)


def lopsided_padding(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Padding:
    """Return as little padding as a map of ceil(size / stride) needs, an odd pixel of it at the bottom and right (TensorFlow)."""
    sides = [
        max(
            0,
            (-(-size[axis] // stride[axis]) - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 - size[axis],
        )
        for axis in (0, 1)
    ]
    (top, left), (bottom, right) = (n // 2 for n in sides), (n - n // 2 for n in sides)
    return Padding(top, left, bottom, right)


def _pair(value: int | Pair) -> Pair:
    return value if isinstance(value, Pair) else Pair(value, value)


class Builder:
    """Adds ops to a growing graph; each method returns the new tensor's name.

    `origin` says which row and block the next ops come from; `conventions` decide what batch norms and padding are like.
    """

    def __init__(self, image: Shape, conventions: str = SCRATCH) -> None:
        self.image = image
        self.conventions = find_conventions(conventions)
        self.origin = Origin(-1, "")
        self._ops: list[Op] = []
        self._shapes = {"image": image}

    def shape(self, x: str) -> Shape:
        """Return the shape of a tensor that was added."""
        return self._shapes[x]

    def graph(
        self,
        name: str,
        outputs: dict[str, str],
        features: tuple[str, ...] = (),
        options: Options | None = None,
    ) -> Graph:
        """Return the finished graph."""
        return Graph(
            name=name,
            image=self.image,
            ops=tuple(self._ops),
            outputs=outputs,
            features=features,
            options=options,
        )

    def _add(self, op: Op) -> str:
        self._ops.append(op)
        self._shapes[op.name] = op.shape
        return op.name

    def _window(
        self, name: str, x: str, kernel: Pair, stride: Pair, dilation: Pair, padding: Padding
    ) -> tuple[int, int]:
        """Return height and width after a sliding window."""
        _, height, width = self.shape(x)
        sides = (
            (height + padding.top + padding.bottom, kernel.height, stride.height, dilation.height),
            (width + padding.left + padding.right, kernel.width, stride.width, dilation.width),
        )
        out = [(size - d * (k - 1) - 1) // s + 1 for size, k, s, d in sides]
        if min(out) < 1:
            raise GraphError(
                f"op {name!r}: a window of {kernel.height}x{kernel.width} with dilation {dilation.height} "
                f"does not fit into {height}x{width} pixels with padding {tuple(padding)}."
            )
        return out[0], out[1]

    def normalize(self, x: str, name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
        """(x - mean) / std; unless there is one value for each channel, all channels have the mean of the values."""
        shape = self.shape(x)
        mean, std = (
            values if len(values) == shape.channels else (sum(values) / len(values),) * shape.channels
            for values in (mean, std)
        )
        return self._add(ops.Normalize(name=name, inputs=(x,), shape=shape, origin=self.origin, mean=mean, std=std))

    def conv(
        self,
        x: str,
        name: str,
        out_channels: int,
        *,
        kernel: int | Pair = 1,
        stride: int | Pair = 1,
        dilation: int | Pair = 1,
        padding: Padding | None = None,
        groups: int = 1,
        bias: bool = False,
        batch_norm: bool = True,
        activation: str | None = None,
    ) -> str:
        """Convolution, batch norm, activation. Without `padding` the conventions' keeps the size at stride 1."""
        kernel, stride, dilation = _pair(kernel), _pair(stride), _pair(dilation)
        in_channels, *sides = self.shape(x)
        if padding is None and self.conventions.padding == "same":
            padding = lopsided_padding(Pair(*sides), kernel, stride, dilation)
        padding = same_padding(kernel, dilation) if padding is None else padding
        if in_channels % groups or out_channels % groups:
            raise GraphError(
                f"op {name!r}: in_channels {in_channels} and out_channels {out_channels} "
                f"must both be divisible by groups {groups}."
            )
        height, width = self._window(name, x, kernel, stride, dilation, padding)
        return self._add(
            ops.Conv(
                name=name,
                inputs=(x,),
                shape=Shape(out_channels, height, width),
                origin=self.origin,
                in_channels=in_channels,
                kernel=kernel,
                stride=stride,
                dilation=dilation,
                padding=padding,
                groups=groups,
                has_bias=bias,
                batch_norm_eps=self.conventions.batch_norm_eps if batch_norm else None,
                activation=_known_activation(name, activation),
            )
        )

    def depthwise(self, x: str, name: str, **options: Any) -> str:
        """Convolution of each channel alone; `options` are those of `conv`."""
        channels = self.shape(x).channels
        return self.conv(x, name, channels, groups=channels, **options)

    def linear(self, x: str, name: str, out_channels: int, bias: bool = True) -> str:
        """Fully connected layer on a 1x1 tensor."""
        c, h, w = self.shape(x)
        if (h, w) != (1, 1):
            raise GraphError(f"op {name!r} is fully connected and needs a 1x1 tensor; {x!r} is {h}x{w}.")
        shape = Shape(out_channels, 1, 1)
        return self._add(
            ops.Linear(name=name, inputs=(x,), shape=shape, origin=self.origin, in_channels=c, has_bias=bias)
        )

    def activation(self, x: str, name: str, kind: str) -> str:
        """An activation that is an op of its own."""
        _known_activation(name, kind)
        return self._add(ops.Activation(name=name, inputs=(x,), shape=self.shape(x), origin=self.origin, kind=kind))

    def add(self, a: str, b: str, name: str, activation: str | None = None) -> str:
        """A + b."""
        if self.shape(a) != self.shape(b):
            raise GraphError(
                f"op {name!r} adds {a!r} ({self.shape(a)}) and {b!r} ({self.shape(b)}): shapes must agree."
            )
        _known_activation(name, activation)
        return self._add(
            ops.Add(name=name, inputs=(a, b), shape=self.shape(a), origin=self.origin, activation=activation)
        )

    def mul(self, x: str, gate: str, name: str) -> str:
        """X times a gate of as many channels."""
        shape, by = self.shape(x), self.shape(gate)
        if by not in (shape, Shape(shape.channels, 1, 1)):
            raise GraphError(f"op {name!r}: gate {gate!r} is {by}; it must be {shape} or {shape.channels}x1x1.")
        return self._add(ops.Mul(name=name, inputs=(x, gate), shape=shape, origin=self.origin))

    def concat(self, xs: tuple[str, ...], name: str) -> str:
        """The tensors one after the other along the channels."""
        sizes = {self.shape(x)[1:] for x in xs}
        if len(sizes) != 1:
            raise GraphError(f"op {name!r} concatenates maps of different sizes: {sorted(sizes)}.")
        height, width = sizes.pop()
        shape = Shape(sum(self.shape(x).channels for x in xs), height, width)
        return self._add(ops.Concat(name=name, inputs=xs, shape=shape, origin=self.origin))

    def split(self, x: str, name: str, sizes: tuple[int, ...]) -> tuple[str, ...]:
        """Pieces of x along the channels, named name.0, name.1 ..."""
        c, h, w = self.shape(x)
        if sum(sizes) != c:
            raise GraphError(f"op {name!r} splits {c} channels into {sizes}, which add up to {sum(sizes)}.")
        pieces, start = [], 0
        for i, size in enumerate(sizes):
            piece = ops.Split(
                name=f"{name}.{i}",
                inputs=(x,),
                shape=Shape(size, h, w),
                origin=self.origin,
                start=start,
                stop=start + size,
            )
            pieces.append(self._add(piece))
            start += size
        return tuple(pieces)

    def channel_shuffle(self, x: str, name: str, groups: int) -> str:
        """Channels as a (groups, n) table, read column by column."""
        shape = self.shape(x)
        if shape.channels % groups:
            raise GraphError(f"op {name!r}: {shape.channels} channels must be divisible by groups {groups}.")
        return self._add(ops.ChannelShuffle(name=name, inputs=(x,), shape=shape, origin=self.origin, groups=groups))

    def max_pool(
        self, x: str, name: str, *, kernel: int | Pair, stride: int | Pair, padding: Padding | None = None
    ) -> str:
        """Largest value in each window; padding never wins."""
        return self._pool(ops.MaxPool, x, name, kernel, stride, padding)

    def average_pool(
        self, x: str, name: str, *, kernel: int | Pair, stride: int | Pair, padding: Padding | None = None
    ) -> str:
        """Mean of each window."""
        return self._pool(ops.AveragePool, x, name, kernel, stride, padding)

    def _pool(
        self,
        kind: type[ops.MaxPool] | type[ops.AveragePool],
        x: str,
        name: str,
        kernel: int | Pair,
        stride: int | Pair,
        padding: Padding | None,
    ) -> str:
        window, step = _pair(kernel), _pair(stride)
        if padding is None and self.conventions.padding == "same":
            padding = lopsided_padding(Pair(*self.shape(x)[1:]), window, step, Pair(1, 1))
        padding = same_padding(window, Pair(1, 1)) if padding is None else padding
        size = self._window(name, x, window, step, Pair(1, 1), padding)
        shape = Shape(self.shape(x).channels, *size)
        return self._add(
            kind(name=name, inputs=(x,), shape=shape, origin=self.origin, kernel=window, stride=step, padding=padding)
        )

    def global_pool(self, x: str, name: str) -> str:
        """Mean over all positions."""
        shape = Shape(self.shape(x).channels, 1, 1)
        return self._add(ops.GlobalPool(name=name, inputs=(x,), shape=shape, origin=self.origin))

    def dropout(self, x: str, name: str, rate: float) -> str:
        """Dropout in training."""
        return self._add(ops.Dropout(name=name, inputs=(x,), shape=self.shape(x), origin=self.origin, rate=rate))


def _known_activation(op: str, kind: str | None) -> str | None:
    if kind is not None and kind not in ops.ACTIVATIONS:
        raise GraphError(f"op {op!r}: no activation {kind!r}. Known: {', '.join(ops.ACTIVATIONS)}.")
    return kind
