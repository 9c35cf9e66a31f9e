"""The seal: the record and the digests of all parts, in the file's metadata. It proves integrity, not origin."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import onnx
from onnx import helper

from pocketvision.run.record import METADATA_KEY, Record

DIGEST_CHARACTERS = 32  # of SHA-256's 64: 128 bits keep the record of a large network small


def seal(model: bytes, record: Record) -> bytes:
    """Return the file with the record and the digests of all parts in its metadata."""
    proto = onnx.load_model_from_string(model)
    helper.set_model_props(proto, {METADATA_KEY: replace(record, digests=digests(proto, record)).to_json()})
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def digests(proto: Any, record: Record) -> dict[str, Any]:
    """Return SHA-256 digests: of each initializer by name, of the nodes with inputs and outputs, of each record entry."""
    graph = proto.graph
    structure = [
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.sparse_initializer,
        *proto.functions,
    ]
    entries = json.loads(record.to_json())
    del entries["digests"]
    return {
        "initializers": {
            tensor.name: _digest(tensor.SerializeToString(deterministic=True)) for tensor in graph.initializer
        },
        "nodes": _digest(*(part.SerializeToString(deterministic=True) for part in [*structure, *proto.opset_import])),
        "record": {
            name: _digest(json.dumps(value, sort_keys=True, ensure_ascii=False).encode())
            for name, value in entries.items()
        },
    }


def _digest(*parts: bytes) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(len(part).to_bytes(8, "little"))
        hashed.update(part)
    return hashed.hexdigest()[:DIGEST_CHARACTERS]
