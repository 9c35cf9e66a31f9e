"""The fp32 network inside a file that pocketvision wrote: its graph and its weights, read back."""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from pocketvision.errors import BadArtifact
from pocketvision.model.graph import Graph
from pocketvision.model.init import initial_arrays
from pocketvision.model.onnx_writer import FP16
from pocketvision.model.resolve import resolve_again
from pocketvision.model.rewrite import fold_batch_norm
from pocketvision.run.record import record_of


def network_of(model: bytes) -> tuple[Graph, dict[str, NDArray[np.float32]]]:
    """Return the graph of a file, its batch norms folded, and its weights.

    Args:
        model: the bytes of a file that `fit`, `cut` or `export` wrote.

    Raises:
        BadArtifact: it is not such a file, its network is int8 already, or its weights are not those of the network it names.
    """
    record = record_of(model)
    if record.goldens.scale:
        raise BadArtifact("the file's network is int8 already.", "the fp32 file that it was made from")
    try:
        whole = resolve_again(record.model)
    except KeyError as error:
        raise BadArtifact(
            f"the file's record does not state its network's {error.args[0]}.", "a file that pocketvision fit wrote"
        ) from error
    graph, _ = fold_batch_norm(whole, initial_arrays(whole, seed=0))
    tensors = {tensor.name: tensor for tensor in onnx.load_model_from_string(model).graph.initializer}
    arrays = {}
    for parameter in graph.parameters():
        found = tensors.get(parameter.name) or tensors.get(parameter.name + FP16)
        if found is None or tuple(found.dims) != parameter.shape:
            raise BadArtifact(
                f"the file has no weights {parameter.name!r} of shape {parameter.shape}, which {graph.name!r} needs.",
                "pocketvision verify FILE",
            )
        arrays[parameter.name] = np.asarray(numpy_helper.to_array(found), np.float32)
    return graph, arrays
