"""A float network with its weights stored as fp16; it is still computed in fp32."""

from dataclasses import replace

import numpy as np

from pocketvision.compress.gate import judge
from pocketvision.data.pixels import Pixels
from pocketvision.events import Note, Work
from pocketvision.jobs.finish.file import Draft, keep_fp32, network_with
from pocketvision.jobs.finish.int8 import verdict_json
from pocketvision.jobs.finish.parts import PreparedImages
from pocketvision.jobs.finish.record import goldens_of, remake_record
from pocketvision.model.network import Network
from pocketvision.model.rewrite import fold_batch_norm
from pocketvision.run.assess import Assessment, assess
from pocketvision.train.evaluate import outputs


def rounded(network: Network) -> Network:
    """Return a network with filters and matrices rounded to 11 bits, as a file with fp16 weights holds them."""
    graph, arrays = fold_batch_norm(network.graph, network.arrays())
    for parameter in graph.parameters():
        if parameter.role == "weight":
            arrays[parameter.name] = arrays[parameter.name].astype(np.float16).astype(np.float32)
    return network_with(graph, arrays)


def in_fp16(draft: Draft) -> Draft:
    """Return the draft with its weights rounded; its scores stay those of fp32."""
    network = rounded(draft.network)
    record = replace(
        draft.record,
        model={**draft.record.model, "precision": "fp16-storage"},
        goldens=goldens_of(network),
        digests={},
    )
    return replace(draft, network=network, record=record)


def draft_fp16(draft: Draft, images: PreparedImages) -> Work[Draft]:
    """Return the draft with its weights rounded, as far as that costs no accuracy; it keeps the calibration of fp32."""
    network, calibration = rounded(draft.network), draft.record.calibration

    def look(one: Network, pixels: Pixels, part: str) -> Work[Assessment]:
        return assess(outputs(one, pixels), pixels.labels, part, calibration)

    before = yield from look(draft.network, images.validation, "validation")
    found = {"validation": (yield from look(network, images.validation, "validation"))}
    verdict = judge(before, found["validation"])
    said = verdict_json(verdict)
    trace = {"rung": 0, "verdict": said, "floats": [], "tried": [{"rung": 0, "what": "weights as fp16", **said}]}
    if not verdict.passes:
        return (yield from keep_fp32(draft, trace, f"with fp16 weights {'; '.join(verdict.problems)}"))
    if len(images.test):
        found["test"] = yield from look(network, images.test, "test")
    scores = {part: one.evaluation for part, one in found.items()}
    record = remake_record(draft.record, {"precision": "fp16-storage"}, scores, calibration, trace, goldens_of(network))
    yield Note(f"Weights are stored as fp16: {verdict.drop:+.2f} points of top-1 lost on validation images.")
    return Draft(network, record, scores, found.get("test", found["validation"]))
