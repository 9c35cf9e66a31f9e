"""Graph + arrays -> the bytes of an ONNX file that takes uint8 pixels and gives probabilities."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pocketvision.errors import GraphError
from pocketvision.model import graph as ops
from pocketvision.model.graph import Graph, Op
from pocketvision.model.rewrite import fold_batch_norm

OPSET = 17
FP16 = ".half"  # at the end of the name of an array that is stored as fp16
IR_VERSION = 8  # the first for opset 17; every ONNX Runtime since 1.12 reads it


class Quantized(NamedTuple):
    """The uint8 tensor behind a dequantised one: scale * (tensor - zero_point)."""

    tensor: str
    scale: float
    zero_point: int


class _Writer:
    """Collects nodes and initializers; tensor names are the graph's op names."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], fp16: bool) -> None:
        self.arrays, self.fp16 = arrays, fp16
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, NDArray[Any]] = {}
        self.quantized: dict[str, Quantized] = {}  # by the name of the dequantised tensor

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.initializers[name] = value
        return name

    def own(self, name: str) -> str:
        """An array of the graph as an initializer; with `fp16`, filters and matrices are stored so and cast back."""
        value = np.ascontiguousarray(self.arrays[name], np.float32)
        if not self.fp16 or value.ndim < 2:
            return self.constant(name, value)
        return self.node("Cast", [self.constant(f"{name}{FP16}", value.astype(np.float16))], name, to=TensorProto.FLOAT)

    def drop_unread(self, wanted: set[str]) -> None:
        """Leave out nodes and initializers that nothing reads."""
        kept = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        self.nodes = kept[::-1]
        self.initializers = {name: value for name, value in self.initializers.items() if name in wanted}

    def check_names(self) -> None:
        """Raise if an op has a name that the file needs for something else."""
        made = Counter(["image", *(node.output[0] for node in self.nodes), *self.initializers])
        name, times = made.most_common(1)[0]
        if times > 1:
            raise GraphError(f"the file would hold two tensors named {name!r}; name the op otherwise.")


def write_onnx(
    graph: Graph,
    arrays: Mapping[str, NDArray[Any]],
    temperature: float = 1.0,
    fp16: bool = False,
) -> bytes:
    """Return a self-contained ONNX file for a classification network.

    Input `image`: uint8 (N, R, R, C). Outputs: `probabilities` float32 (N, classes) = softmax(logits / temperature),
    `logits` float32 (N, classes), and, where the graph has them, `features` float32 (N, D). Batch norms are folded;
    normalisation happens inside, in float32.

    Args:
        graph: with an output "logits", and perhaps "features".
        arrays: its parameters.
        temperature: divides the logits before the softmax.
        fp16: store filters and matrices as fp16; engines cast them to fp32 when they load the file.
    """
    graph, arrays = fold_batch_norm(graph, arrays)
    writer = _Writer(arrays, fp16)
    c, height, width = graph.image
    nchw = writer.node("Transpose", ["image"], "image.nchw", perm=[0, 3, 1, 2])
    writer.node("Cast", [nchw], "pixels", to=TensorProto.FLOAT)
    for op in graph.ops:
        if type(op) not in WRITERS:
            raise GraphError(f"op {op.name!r} ({type(op).__name__}): onnx_writer.py does not say how to write it.")
        WRITERS[type(op)](writer, op, ["pixels" if name == "image" else name for name in op.inputs])
    sizes = {name: graph.shape_of(source).channels for name, source in graph.outputs.items()}
    for name, source in graph.outputs.items():
        writer.node("Flatten", [source], name, axis=1)
    scale = writer.constant("temperature", np.array(temperature, np.float32))
    writer.node("Softmax", [writer.node("Div", ["logits", scale], "logits.calibrated")], "probabilities", axis=1)
    writer.check_names()
    writer.drop_unread({"probabilities", *sizes})

    proto = helper.make_graph(
        writer.nodes,
        graph.name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", height, width, c])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size])
            for name, size in {"probabilities": sizes["logits"], **sizes}.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in writer.initializers.items()],
    )
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="pocketvision", ir_version=IR_VERSION
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _activated(writer: _Writer, name: str, activation: str | None, write: Callable[[str], Any]) -> None:
    """Write an op and the activation behind it, so that the last tensor carries the op's name."""
    if activation is None:
        write(name)
        return
    write(f"{name}.linear")
    _write_activation(writer, f"{name}.linear", name, activation)


def _write_activation(writer: _Writer, x: str, name: str, kind: str) -> None:
    if kind == "relu":
        writer.node("Relu", [x], name)
    elif kind == "relu6":
        low = writer.constant("zero", np.array(0, np.float32))
        high = writer.constant("six", np.array(6, np.float32))
        writer.node("Clip", [x, low, high], name)
    elif kind == "leaky_relu":
        writer.node("LeakyRelu", [x], name, alpha=ops.LEAKY_SLOPE)
    elif kind == "hard_swish":
        writer.node("HardSwish", [x], name)  # of GATE_SLOPE
    elif kind == "hard_sigmoid":
        writer.node("HardSigmoid", [x], name, alpha=ops.GATE_SLOPE, beta=0.5)
    else:
        raise GraphError(f"activation {kind!r}: onnx_writer.py does not say how to write it.")


def _normalize(writer: _Writer, op: ops.Normalize, inputs: list[str]) -> None:
    """Nodes in fp32: a DequantizeLinear means the same, but makes engines round the first layer's weights."""
    mean = np.array(op.mean, np.float32)[None, :, None, None]
    factor = np.float32(1) / np.array(op.std, np.float32)[None, :, None, None]
    centred = writer.node("Sub", [*inputs, writer.constant(f"{op.name}.mean", mean)], f"{op.name}.centred")
    writer.node("Mul", [centred, writer.constant(f"{op.name}.factor", factor)], op.name)


def _conv(writer: _Writer, op: ops.Conv, inputs: list[str]) -> None:
    names = [p.name for p in op.parameters()]
    if op.weight_limit is None:
        inputs, arrays = _in_fp32(writer, op, inputs), [writer.own(name) for name in names]
    else:
        arrays = _int8(writer, op, inputs[0])
    attributes = _window(op) | {"dilations": list(op.dilation), "group": op.groups}
    _activated(writer, op.name, op.activation, lambda name: writer.node("Conv", [*inputs, *arrays], name, **attributes))


def _window(op: ops.Conv | ops.MaxPool | ops.AveragePool) -> dict[str, Any]:
    return {"kernel_shape": list(op.kernel), "strides": list(op.stride), "pads": list(op.padding)}


def _in_fp32(writer: _Writer, op: Op, inputs: list[str]) -> list[str]:
    """Return the inputs of an fp32 layer; quantised ones are multiplied with their scale by a node of its own.

    Between a DequantizeLinear and a QuantizeLinear ONNX Runtime quantises the weights of any layer, all with one scale.
    """
    if inputs[0] not in writer.quantized:
        return inputs
    tensor, scale, zero_point = writer.quantized[inputs[0]]
    one = writer.constant("one", np.array(1, np.float32))
    zero = writer.constant(f"{op.name}.input.zero", np.array(zero_point, np.uint8))
    counts = writer.node("DequantizeLinear", [tensor, one, zero], f"{op.name}.input.counts")
    factor = writer.constant(f"{op.name}.input.step", np.array(scale, np.float32))
    return [writer.node("Mul", [counts, factor], f"{op.name}.input")]


def _int8(writer: _Writer, op: ops.Conv | ops.Linear, x: str) -> list[str]:
    """Write int8 weights and an int32 bias, each with a DequantizeLinear; return the names of the dequantised arrays."""
    assert op.weight_limit is not None
    weight, bias = (next((p.name for p in op.parameters() if p.role == role), None) for role in ("weight", "bias"))
    assert weight is not None
    scale = np.asarray(writer.arrays[f"{op.name}.weight_quant.scale"], np.float32)
    filters = np.asarray(writer.arrays[weight], np.float32)
    if isinstance(op, ops.Linear):
        filters = filters[:, :, None, None]
    rounded = np.rint(filters / scale[:, None, None, None]).clip(-op.weight_limit, op.weight_limit).astype(np.int8)
    found = [_dequantize(writer, weight, rounded, scale)]
    if bias is not None:
        fine = scale * np.float32(writer.quantized[x].scale)
        largest = np.iinfo(np.int32).max
        sums = np.rint(np.asarray(writer.arrays[bias], np.float64) / fine).clip(-largest, largest).astype(np.int32)
        found.append(_dequantize(writer, bias, sums, fine))
    return found


def _dequantize(writer: _Writer, name: str, rounded: NDArray[Any], scale: NDArray[np.float32]) -> str:
    zeros = writer.constant(f"zeros.{rounded.dtype}.{len(scale)}", np.zeros(len(scale), rounded.dtype))
    inputs = [writer.constant(name, rounded), writer.constant(f"{name}.step", scale), zeros]
    return writer.node("DequantizeLinear", inputs, f"{name}.float", axis=0)


def _fake_quant(writer: _Writer, op: ops.FakeQuant, inputs: list[str]) -> None:
    """QuantizeLinear and back; what has these very values already, as a gate may have, is not quantised again."""
    owner = op.like or op.name
    scale = np.asarray(writer.arrays[f"{owner}.scale"], np.float32)
    zero_point = np.asarray(writer.arrays[f"{owner}.zero_point"]).astype(np.uint8)
    own = [writer.constant(f"{owner}.scale", scale), writer.constant(f"{owner}.zero_point", zero_point)]
    known = writer.quantized.get(inputs[0])
    if known is not None and known[1:] == (float(scale), int(zero_point)):
        writer.quantized[op.name] = known
    else:
        tensor = writer.node("QuantizeLinear", [*inputs, *own], f"{op.name}.uint8")
        writer.quantized[op.name] = Quantized(tensor, float(scale), int(zero_point))
    writer.node("DequantizeLinear", [writer.quantized[op.name].tensor, *own], op.name)


def _activation(writer: _Writer, op: ops.Activation, inputs: list[str]) -> None:
    """An activation that is an op of its own; a quantised gate is the same uint8 tensor, clipped at 1, with another scale."""
    known = writer.quantized.get(inputs[0])
    if op.kind not in ops.GATES or known is None or not is_range_of_gate(known.scale, known.zero_point):
        _write_activation(writer, inputs[0], op.name, op.kind)
        return
    gate = op.name if op.kind == "hard_sigmoid" else f"{op.name}.gate"
    tensor, one = known.tensor, 2 * known.zero_point
    if one < np.iinfo(np.uint8).max:
        ends = [writer.constant(f"{op.name}.{what}", np.array(n, np.uint8)) for what, n in (("none", 0), ("one", one))]
        tensor = writer.node("Clip", [tensor, *ends], f"{op.name}.uint8")
    writer.quantized[gate] = Quantized(tensor, float(np.float32(known.scale * ops.GATE_SLOPE)), 0)
    scale = writer.constant(f"{op.name}.step", np.array(writer.quantized[gate].scale, np.float32))
    writer.node("DequantizeLinear", [tensor, scale, writer.constant(f"{op.name}.zero", np.array(0, np.uint8))], gate)
    if op.kind == "hard_swish":
        writer.node("Mul", [inputs[0], gate], op.name)


def is_range_of_gate(scale: float, zero_point: int) -> bool:
    """Whether a range starts at -3, where hard-sigmoid does: for its values n in 0..255, (x + 3) / 6 is then n * scale / 6."""
    return bool(zero_point) and bool(np.isclose(scale * zero_point, 3.0, rtol=1e-6, atol=0.0))


def _linear(writer: _Writer, op: ops.Linear, inputs: list[str]) -> None:
    if op.weight_limit is not None:  # engines are faster at int8 convolutions than at int8 matrices
        writer.node("Conv", [*inputs, *_int8(writer, op, inputs[0])], op.name)
        return
    flat = writer.node("Flatten", _in_fp32(writer, op, inputs), f"{op.name}.flat", axis=1)
    arrays = [writer.own(p.name) for p in op.parameters()]
    product = writer.node("Gemm", [flat, *arrays], f"{op.name}.product", transB=1)
    axes = writer.constant("height_width", np.array([2, 3], np.int64))
    writer.node("Unsqueeze", [product, axes], op.name)


def _add(writer: _Writer, op: ops.Add, inputs: list[str]) -> None:
    _activated(writer, op.name, op.activation, lambda name: writer.node("Add", inputs, name))


def _dropout(writer: _Writer, op: ops.Dropout, inputs: list[str]) -> None:
    writer.node("Identity", inputs, op.name)
    if inputs[0] in writer.quantized:
        writer.quantized[op.name] = writer.quantized[inputs[0]]


def _split(writer: _Writer, op: ops.Split, inputs: list[str]) -> None:
    bounds = [
        writer.constant(f"{op.name}.{what}", np.array([value], np.int64))
        for what, value in (("start", op.start), ("stop", op.stop), ("axis", 1))
    ]
    writer.node("Slice", [*inputs, *bounds], op.name)


def _channel_shuffle(writer: _Writer, op: ops.ChannelShuffle, inputs: list[str]) -> None:
    c, height, width = op.shape
    table = writer.constant(f"{op.name}.table", np.array([-1, op.groups, c // op.groups, height, width], np.int64))
    flat = writer.constant(f"{op.name}.flat", np.array([-1, c, height, width], np.int64))
    split = writer.node("Reshape", [*inputs, table], f"{op.name}.split")
    turned = writer.node("Transpose", [split], f"{op.name}.turned", perm=[0, 2, 1, 3, 4])
    writer.node("Reshape", [turned, flat], op.name)


def _pool(kind: str, **attributes: Any) -> Callable[[_Writer, Any, list[str]], Any]:
    def write(writer: _Writer, op: ops.MaxPool | ops.AveragePool, inputs: list[str]) -> None:
        writer.node(kind, inputs, op.name, **_window(op), **attributes)

    return write


WRITERS: dict[type[Op], Callable[[_Writer, Any, list[str]], Any]] = {
    ops.Normalize: _normalize,
    ops.Conv: _conv,
    ops.Linear: _linear,
    ops.Activation: _activation,
    ops.Add: _add,
    ops.Mul: lambda writer, op, inputs: writer.node("Mul", inputs, op.name),
    ops.Concat: lambda writer, op, inputs: writer.node("Concat", inputs, op.name, axis=1),
    ops.Split: _split,
    ops.ChannelShuffle: _channel_shuffle,
    ops.MaxPool: _pool("MaxPool"),
    ops.AveragePool: _pool("AveragePool", count_include_pad=1),
    ops.GlobalPool: lambda writer, op, inputs: writer.node("GlobalAveragePool", inputs, op.name),
    ops.Dropout: _dropout,
    ops.FakeQuant: _fake_quant,
}
