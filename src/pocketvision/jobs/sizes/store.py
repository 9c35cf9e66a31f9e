"""elastic/ in a run folder: all that another size needs, so that `cut` trains nothing and needs no images.

    elastic/weights.safetensors       the largest network, channels in an order whose leading ones are the best
    elastic/statistics.safetensors    batch-norm statistics of every cut, "<network>/<tensor>"
    elastic/cuts.json                 costs, metrics, temperature and threshold of every cut; written last

A cut's other parameters are slices of the largest network's.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from pocketvision.choose.candidates import describe_candidate
from pocketvision.choose.front import Cut, next_better, pareto, pick
from pocketvision.choose.search import screen
from pocketvision.cost.budget import Budget
from pocketvision.cost.count import describe
from pocketvision.cost.device_file import Latency
from pocketvision.errors import BadData, BadOption
from pocketvision.files import write_atomically
from pocketvision.jobs.plan.latencies import NOT_MEASURED
from pocketvision.model.graph import Graph
from pocketvision.model.resolve import resolve_again
from pocketvision.model.rewrite import Arrays, cut, leading_indices
from pocketvision.run.assess import Calibration, Evaluation

FOLDER, WEIGHTS, STATISTICS, CUTS = "elastic", "weights.safetensors", "statistics.safetensors", "cuts.json"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Judged:
    """One cut, with what validation and test images say of it.

    Attributes:
        cut: graph, costs, and which validation images it gets right.
        calibration: by the validation images.
        scores: by part.
    """

    cut: Cut
    calibration: Calibration
    scores: Mapping[str, Evaluation]

    @property
    def graph(self) -> Graph:
        """The cut's network."""
        return self.cut.candidate.graph


@dataclass(frozen=True, eq=False)
class Cuts:
    """All cuts of one elastic network.

    Attributes:
        graph: the largest network.
        weights: its parameters.
        statistics: for each cut, by its name, its batch-norm statistics.
        judged: one for each cut and precision.
        device: that their latencies were measured on.
        record: what the files of all cuts say alike: labels, preprocessing, images, provenance.
    """

    graph: Graph
    weights: Arrays
    statistics: Mapping[str, Arrays]
    judged: Sequence[Judged]
    device: str
    record: Mapping[str, Any]

    def arrays(self, graph: Graph) -> dict[str, NDArray[Any]]:
        """Return the parameters of one cut, with statistics of its own."""
        return {
            **cut(self.weights, self.graph, graph, leading_indices(self.graph, graph)),
            **self.statistics.get(graph.name, {}),
        }

    def eligible(self) -> list[Cut]:
        """Return the cuts that the run may pick from: in the precision that was asked for, or in any."""
        asked = self.record["provenance"]["options"]["precision"]
        every = [judged.cut for judged in self.judged]
        return [cut for cut in every if cut.candidate.precision == asked] or every

    def find(self, name: str) -> Judged:
        """Return the cut of that name."""
        return next(judged for judged in self.judged if judged.cut.name == name)


def write_cuts(run: Path, cuts: Cuts) -> None:
    """Write elastic/ into a run folder; cuts.json, which names the digests of the others, comes last."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    flat = {f"{name}/{key}": array for name, arrays in cuts.statistics.items() for key, array in arrays.items()}
    digests = {}
    for name, arrays in ((WEIGHTS, dict(cuts.weights)), (STATISTICS, flat)):
        content = save_arrays({key: np.ascontiguousarray(array) for key, array in arrays.items()})
        digests[name] = hashlib.sha256(content).hexdigest()
        write_atomically(folder / name, content)
    document = {
        "version": VERSION,
        "sha256": digests,
        "network": describe(cuts.graph),
        "device": cuts.device,
        "record": dict(cuts.record),
        "cuts": [_judged_json(judged) for judged in cuts.judged],
    }
    write_atomically(folder / CUTS, json.dumps(document, ensure_ascii=False).encode())


def has_cuts(run: Path) -> bool:
    """Whether the folder holds the cuts of a finished elastic training."""
    return (run / FOLDER / CUTS).exists()


def read_cuts(run: Path) -> Cuts:
    """Return what `write_cuts` wrote.

    Raises:
        BadOption: the folder holds no elastic run, or one that has no cuts yet.
        BadData: a file is missing or damaged.
    """
    if not has_cuts(run):
        what = "is no run folder" if not (run / "plan.json").exists() else "holds no cuts of an elastic training"
        raise BadOption(f"{str(run)!r} {what}.", "pocketvision fit DATA --elastic -o RUN, then RUN here")
    folder = run / FOLDER
    try:
        content = json.loads((folder / CUTS).read_bytes())
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}; this release reads version {VERSION}")
        weights, flat = (_load(folder / name, content["sha256"][name]) for name in (WEIGHTS, STATISTICS))
        judged = [_read_judged(each, content["record"]["labels"]) for each in content["cuts"]]
        graph = resolve_again(content["network"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BadData(f"{str(folder)!r} is damaged: {error}.", "fit once more, with --restart") from error
    statistics: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in flat.items():
        network, _, key = name.partition("/")
        statistics.setdefault(network, {})[key] = array
    return Cuts(graph, weights, statistics, judged, content["device"], content["record"])


def front_json(cuts: Cuts, budget: Budget) -> dict[str, Any]:
    """Return all cuts, the front among them, and what a budget allows, as JSON values.

    Raises:
        NoFit: no cut is within the budget.
    """
    every = [judged.cut for judged in cuts.judged]
    screened = screen([cut.candidate for cut in every], budget, cuts.device)
    chosen = pick(cuts.eligible(), budget, cuts.device)
    fitting = [cut for cut, one in zip(every, screened, strict=True) if not one.dropped and cut is not chosen]
    on_front = {cut.name for cut in pareto(every)}
    return {
        "network": cuts.graph.name,
        "device": cuts.device,
        "pick": chosen.name,
        "runner_up": max(fitting, key=lambda cut: cut.top1).name if fitting else "",
        "cuts": [
            _front_row(judged, one.dropped, judged.cut.name in on_front, next_better(every, judged.cut))
            for judged, one in zip(cuts.judged, screened, strict=True)
        ],
    }


def _front_row(judged: Judged, dropped: str, is_on_front: bool, better: Cut | None) -> dict[str, Any]:
    candidate = judged.cut.candidate
    return {
        "network": candidate.name,
        "precision": candidate.precision,
        "validation_top1": round(judged.cut.top1, 6),
        "test_top1": judged.scores["test"].top1 if "test" in judged.scores else None,
        "latency_ms": candidate.spent.latency_ms,
        "noise_ms": None if candidate.latency is None else candidate.latency.noise_ms,
        "size_mb": round(candidate.spent.size_mb, 6),
        "memory_mb": round(candidate.spent.memory_mb, 6),
        "macs": candidate.spent.macs,
        "dropped": dropped,
        "is_on_front": is_on_front,
        "next_better": None if better is None else better.name,
    }


def _load(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not the file that was written")
    return load_arrays(content)


def _judged_json(judged: Judged) -> dict[str, Any]:
    latency = judged.cut.candidate.latency
    right = judged.cut.right
    return {
        "model": describe(judged.graph),
        "precision": judged.cut.candidate.precision,
        "latency": None if latency is None else [latency.median_ms, latency.noise_ms, latency.is_predicted],
        "images": len(right),
        "right": base64.b64encode(np.packbits(right).tobytes()).decode(),
        "temperature": judged.calibration.temperature,
        "unknown_threshold": judged.calibration.unknown_threshold,
        "scores": {part: score.to_json() for part, score in judged.scores.items()},
    }


def _read_judged(content: Mapping[str, Any], labels: Sequence[str]) -> Judged:
    graph = resolve_again(content["model"])
    candidate = describe_candidate(graph, labels, graph.image.height, content["precision"])
    if content["latency"] is None:
        candidate = candidate.drop(NOT_MEASURED)
    else:
        median, noise, is_predicted = content["latency"]
        candidate = candidate.time(Latency(median, noise, is_predicted))
    bits = np.frombuffer(base64.b64decode(content["right"]), np.uint8)
    right = np.unpackbits(bits, count=content["images"]).astype(bool)
    scores = {part: Evaluation(**score) for part, score in content["scores"].items()}
    return Judged(Cut(candidate, right), Calibration(content["temperature"], content["unknown_threshold"]), scores)
