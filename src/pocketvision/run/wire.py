"""Just enough of the protobuf wire format to read an ONNX file's metadata, and to see whether it refers to other files."""

from collections.abc import Iterator

from pocketvision.errors import BadArtifact

# Messages in messages: {message: {field number: message inside it}}. Source: onnx.proto, IR version 8.
_INSIDE = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_MODEL_GRAPH, _MODEL_METADATA, _ENTRY_KEY, _ENTRY_VALUE = 7, 14, 1, 2
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def metadata(model: bytes) -> dict[str, str]:
    """Return the metadata of an ONNX file: texts by key.

    Raises:
        BadArtifact: the bytes are not a protobuf message with a graph, for instance truncated.
    """
    _check_is_model(model)
    found: dict[str, str] = {}
    for field, entry in _fields(memoryview(model)):
        if field == _MODEL_METADATA and isinstance(entry, memoryview):
            texts = {number: bytes(text) for number, text in _fields(entry) if isinstance(text, memoryview)}
            key, value = (texts.get(number, b"").decode("utf-8", "replace") for number in (_ENTRY_KEY, _ENTRY_VALUE))
            found[key] = value
    return found


def external_tensors(model: bytes) -> list[str]:
    """Return the names of the tensors whose values lie in another file.

    Args:
        model: the bytes of an ONNX file.

    Raises:
        BadArtifact: the bytes are not a protobuf message with a graph, for instance truncated.
    """
    _check_is_model(model)
    try:
        return list(_external_in("Model", memoryview(model)))
    except RecursionError as error:
        raise BadArtifact(
            "the file is not an ONNX model: its graphs are nested hundreds deep.",
            "a file that pocketvision fit wrote",
        ) from error


def _check_is_model(model: bytes) -> None:
    if not any(field == _MODEL_GRAPH for field, _ in _fields(memoryview(model))):
        raise BadArtifact("the file is not an ONNX model: it has no graph.", "a file that pocketvision fit wrote")


def _external_in(message: str, content: memoryview) -> Iterator[str]:
    name, is_external = "", False
    for field, value in _fields(content):
        if message == "Tensor" and field == _TENSOR_NAME and isinstance(value, memoryview):
            name = bytes(value).decode("utf-8", "replace")
        elif message == "Tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value == 1)):
            is_external = True
        elif field in _INSIDE[message] and isinstance(value, memoryview):
            yield from _external_in(_INSIDE[message][field], value)
    if is_external:
        yield name


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one message: numbers as int, everything with a length as its bytes."""
    at = 0
    while at < len(content):
        start = at
        key, at = _varint(content, at)
        field, kind = (key & 0xFFFFFFFF) >> 3, key & 7  # protobuf's readers take 32 bits of a key
        if kind == _VARINT:
            value, at = _varint(content, at)
            yield field, value
            continue
        if kind == _LENGTH:
            size, at = _varint(content, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise BadArtifact(
                f"the file is not an ONNX model: byte {start} starts no protobuf field.",
                "a file that pocketvision fit wrote",
            )
        if at + size > len(content):
            raise BadArtifact(
                f"the file is cut short, or not an ONNX model: a field of {size} bytes starts at byte {at} "
                f"of {len(content)}.",
                "copy the file again",
            )
        yield field, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    start, value, shift = at, 0, 0
    while at < len(content) and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadArtifact(
        f"the file is cut short, or not an ONNX model: the number at byte {start} has no end.", "copy the file again"
    )
