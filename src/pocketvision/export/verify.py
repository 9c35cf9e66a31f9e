"""verify: prove a file again on this machine. Integrity and agreement, not a signature: it does not tell who made the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from pocketvision.errors import VerificationFailed
from pocketvision.export.seal import digests
from pocketvision.run.engines import DEFAULT
from pocketvision.run.goldens import compare_goldens, golden_images
from pocketvision.run.predictor import Predictor, read_bytes

ALLOWED_OPS = frozenset([
    "Add", "AveragePool", "Cast", "Clip", "Concat", "Conv", "DequantizeLinear", "Div", "Flatten", "Gemm", "GlobalAveragePool",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "MaxPool", "Mul", "QuantizeLinear", "Relu", "Reshape", "Slice",
    "Softmax", "Sub", "Transpose", "Unsqueeze",
])  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what was checked.
        detail: what was found.
        problem: what differs; empty: nothing.
    """

    name: str
    detail: str
    problem: str = ""


def verify_file(file: str | Path | bytes) -> list[Check]:
    """Check a model file: its parts against their digests, its ops, and its answers to the golden inputs.

    Returns:
        The checks, all of which passed.

    Raises:
        BadArtifact: the file cannot be read.
        VerificationFailed: something differs; the message names it.
    """
    content = file if isinstance(file, bytes) else read_bytes(file)
    predictor = Predictor.open(content, engine=DEFAULT)
    proto = onnx.load_model_from_string(content)
    checks = [_ops_check(proto), *_digest_checks(predictor.record.digests, digests(proto, predictor.record))]
    if not any(check.problem for check in checks):  # a changed file may not even run
        checks.append(_golden_check(predictor))
    problems = [check.problem for check in checks if check.problem]
    if problems:
        raise VerificationFailed("; ".join(problems) + ".", "the original file: this one was changed or damaged")
    return checks


def _ops_check(proto: Any) -> Check:
    ops = {node.op_type for node in proto.graph.node} | {node.domain for node in proto.graph.node if node.domain}
    foreign = sorted(ops - ALLOWED_OPS)
    return Check("ops", f"{len(ops)} kinds", f"pocketvision never writes op {foreign[0]!r}" if foreign else "")


def _golden_check(predictor: Predictor) -> Check:
    record = predictor.record
    images = golden_images(record.goldens.count, record.resolution, record.channels)
    found, problem = compare_goldens(record.goldens, predictor.logits(images))
    return Check("goldens", found, problem and f"goldens: {problem}")


def _digest_checks(stated: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Check]:
    for what, word in (("initializers", "weights"), ("record", "record")):
        want, have = stated.get(what, {}), found[what]
        odd = sorted(name for name in set(want) | set(have) if want.get(name) != have.get(name))
        yield Check(word, f"{len(have)} entries", f"{word}: {', '.join(map(repr, odd[:3]))} differs" if odd else "")
    same = stated.get("nodes") == found["nodes"]
    yield Check("nodes", "as written", "" if same else "nodes: the network's structure differs")
