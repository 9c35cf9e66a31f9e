"""What stands in the box of an op: what it does, how, and of which kind it is."""

from typing import NamedTuple

from pocketvision.model import graph as ops
from pocketvision.model.graph import Op, Pair

TIMES = "\u00d7"
ACTIVATIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "hard_swish": "hard-swish",
    "hard_sigmoid": "hard-sigmoid",
}


class Label(NamedTuple):
    """Two lines of text, the second perhaps empty, and the kind of op, which is a colour."""

    what: str
    how: str
    kind: str


def label(op: Op) -> Label:
    """Return what stands in an op's box.

    Raises:
        ValueError: ops of that kind are in no block.
    """
    match op:
        case ops.Conv():
            return _conv(op)
        case ops.MaxPool(kernel=kernel, stride=stride):
            return Label(f"max pool {window(kernel)}{_step(stride)}", "", "pool")
        case ops.AveragePool(kernel=kernel, stride=stride):
            return Label(f"mean pool {window(kernel)}{_step(stride)}", "", "pool")
        case ops.GlobalPool():
            return Label("mean over the map", "", "pool")
        case ops.Activation(kind=kind):
            return Label(ACTIVATIONS[kind], "", "activation")
        case ops.Add(activation=activation):
            return Label("add", ACTIVATIONS[activation] if activation else "", "join")
        case ops.Mul():
            return Label("multiply", "", "join")
        case ops.Concat():
            return Label("concat", "", "join")
        case ops.Split(start=start, stop=stop):
            return Label("split", f"channels {start + 1} to {stop}", "order")
        case ops.ChannelShuffle(groups=groups):
            return Label("channel shuffle", f"{groups} groups", "order")
    raise ValueError(f"no picture of {type(op).__name__}, which {op.name!r} is.")


def _conv(op: ops.Conv) -> Label:
    does = [words for words, has in (("bias", op.has_bias), ("batch norm", op.batch_norm_eps is not None)) if has]
    does += [ACTIVATIONS[op.activation]] if op.activation else []
    how = ", ".join(does)
    if op.is_depthwise:
        return Label(f"depthwise {window(op.kernel)}{_step(op.stride)}", how, "depthwise")
    groups = f", {op.groups} groups" if op.groups > 1 else ""
    kind = "pointwise" if op.kernel == Pair(1, 1) else "standard"
    return Label(f"{window(op.kernel)} conv {op.out_channels}{groups}{_step(op.stride)}", how, kind)


def window(size: Pair) -> str:
    """Return a size, height first.

    >>> window(Pair(1, 3))
    '1×3'
    """
    return f"{size.height}{TIMES}{size.width}"


def _step(stride: Pair) -> str:
    if stride == Pair(1, 1):
        return ""
    return f", stride {stride.height if stride.height == stride.width else window(stride)}"
