"""The ladder: from an fp32 network to an int8 network that passes the gate, with as little work as possible."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.bias import correct_biases
from pocketvision.compress.equalise import equalise, with_relu
from pocketvision.compress.gate import MAX_DROP, Verdict, judge
from pocketvision.compress.ranges import METHODS, Method, Values, find_scales, observe, round_biases
from pocketvision.compress.tune import tune
from pocketvision.data.pixels import Pixels
from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Note, Progress, Work
from pocketvision.model.fake_quant import WEIGHT_LIMIT, insert_fake_quant, may_be_int8
from pocketvision.model.graph import FakeQuant, Graph
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.pad_channels import pad_channels
from pocketvision.model.rewrite import Arrays, fold_batch_norm
from pocketvision.run.assess import AS_IS, Assessment, assess, in_batches
from pocketvision.run.engines import OnnxRuntime

BATCH = 32
MOST_FP32 = 0.25  # of the convolutions: with more of them in fp32 it is hardly an int8 network

Images = NDArray[np.uint8] | Pixels


@dataclass(frozen=True)
class Try:
    """One try and its result.

    Attributes:
        rung: 1 to 4.
        what: in words, for the report.
        verdict: on the validation images.
    """

    rung: int
    what: str
    verdict: Verdict


@dataclass
class Climbed:
    """Where the ladder ended.

    Attributes:
        graph, arrays: the best int8 network.
        verdict: on it.
        rung: that gave it.
        floats: convolutions and fully connected layers that stay fp32.
        trace: all that was tried, in order.
        model: its file, without a record.
    """

    graph: Graph
    arrays: dict[str, NDArray[np.float32]]
    verdict: Verdict
    rung: int
    model: bytes
    floats: tuple[str, ...] = ()
    trace: list[Try] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Plain:
    """The fp32 network without batch norms: graph, parameters, and what it says of the validation images."""

    graph: Graph
    arrays: Arrays
    fp32: Assessment


@dataclass(frozen=True)
class Ladder:
    """What all rungs need.

    Attributes:
        calibration: training images to find ranges with, (N, R, R, C) uint8.
        validation: images to judge with.
        labels: of the validation images, (N,).
        max_drop: points of top-1 that may be lost.
        weight_limit: see `insert_fake_quant`.
        train: training images, for rung 4; None: that rung is left out.
        highest: the last rung that may be tried.
        methods: to find ranges with; the best one counts.
        stop_by: `time.monotonic()` after which no further rung is started; None: no limit.
    """

    calibration: Images
    validation: Images
    labels: NDArray[np.int64]
    max_drop: float = MAX_DROP
    weight_limit: int = WEIGHT_LIMIT
    train: Pixels | None = None
    highest: int = 4
    methods: tuple[Method, ...] = METHODS
    stop_by: float | None = None

    def climb(self, graph: Graph, arrays: Arrays) -> Work[Climbed]:
        """Return the first int8 network that passes the gate; if none does, the one that loses least.

        Args:
            graph: the fp32 network, with or without batch norms.
            arrays: its parameters.
        """
        folded, weights = pad_channels(*fold_batch_norm(graph, arrays))
        plain = _Plain(folded, weights, (yield from self._assess(write_onnx(folded, weights))))
        best = yield from self._static(plain, 1, "static ranges")
        trace = list(best.trace)
        whole = best  # without fp32 layers
        for number, rung in ((2, self._equalised), (3, self._kept_in_floats), (4, self._tuned)):
            if best.verdict.passes or number > self.highest or (number == 4 and self.train is None):
                break
            if self.stop_by is not None and time.monotonic() > self.stop_by:
                yield Note(f"There is no time left for rung {number} of the int8 ladder.")
                break
            found = yield from rung(plain, whole)
            trace += found.trace
            if found.verdict.passes or found.verdict.drop < best.verdict.drop:
                best = found
            if not best.floats:
                whole = best
        return replace(best, trace=trace)

    def _static(self, plain: _Plain, rung: int, what: str, corrects: bool = False) -> Work[Climbed]:
        """Find ranges by each method; return the network that loses least."""
        int8 = insert_fake_quant(plain.graph, (), self.weight_limit)
        values = yield from observe(int8, plain.arrays, self.calibration)
        bits = ", 7-bit weights" if self.weight_limit < WEIGHT_LIMIT else ""
        tried = []
        for method in self.methods:
            scaled = find_scales(int8, plain.arrays, values, method)
            scaled = correct_biases(int8, scaled, values) if corrects else scaled
            tried.append((yield from self._try(int8, scaled, plain.fp32, rung, f"{what}, {method}{bits}")))
        return _best(tried)

    def _equalised(self, plain: _Plain, whole: Climbed) -> Work[Climbed]:
        """Rung 2: channels of similar ranges, and biases that correct the shift of rounding."""
        int8 = insert_fake_quant(plain.graph, (), self.weight_limit)
        values = yield from observe(int8, plain.arrays, self.calibration)
        largest = reach_by_op(int8, values)
        tried: list[Climbed] = []
        for changed, what in ((plain.graph, "equalised"), (with_relu(plain.graph), "equalised across ReLU6 made ReLU")):
            if tried and changed == plain.graph:
                continue
            balanced, skipped = equalise(changed, plain.arrays, largest)
            said = f"{what}, biases corrected" + (f", {len(skipped)} layers skipped" if skipped else "")
            equal = _Plain(changed, balanced, plain.fp32)
            tried.append((yield from self._static(equal, 2, said, corrects=True)))
            if tried[-1].verdict.passes:
                break
        return _best(tried)

    def _kept_in_floats(self, plain: _Plain, whole: Climbed) -> Work[Climbed]:
        """Rung 3: the most sensitive layers stay fp32, more and more of them, until it passes."""
        graph, arrays = plain.graph, plain.arrays
        names = [name for name in may_be_int8(graph) if name not in graph.outputs.values()]  # outputs need a scale
        values = yield from observe(insert_fake_quant(graph, (), self.weight_limit), arrays, self.calibration)
        alone: dict[str, float] = {}
        for i, name in enumerate(names):
            others = tuple(other for other in names if other != name)
            only = insert_fake_quant(graph, others, self.weight_limit)
            one = yield from self._judged(only, find_scales(only, arrays, values, "mse"), plain.fp32, 3, others)
            alone[name] = one.verdict.drop
            yield Progress("finding sensitive layers", i + 1, len(names))
        ranked = sorted(names, key=lambda name: -alone[name])
        most = max(1, int(MOST_FP32 * len(names)))
        tried: list[Climbed] = []
        while not tried or (len(tried[-1].floats) < most and not tried[-1].verdict.passes):
            floats = tuple(ranked[: min(most, 2 * len(tried[-1].floats) if tried else 1)])
            mixed = insert_fake_quant(graph, floats, self.weight_limit)
            scaled, what = find_scales(mixed, arrays, values, "mse"), f"{len(floats)} of {len(names)} layers in fp32"
            tried.append((yield from self._try(mixed, scaled, plain.fp32, 3, what, floats)))
        return replace(tried[-1], trace=_traces(tried))

    def _tuned(self, plain: _Plain, whole: Climbed) -> Work[Climbed]:
        """Rung 4: the network without fp32 layers, fine-tuned to answer as the fp32 network does."""
        assert self.train is not None
        yield from self.train.decode("preparing training images")
        try:
            tuned = yield from tune(whole.graph, whole.arrays, plain.graph, plain.arrays, self.train)
        except NonFiniteLoss as error:
            yield Note(f"Fine-tuning int8 failed: {error.problem}")
            return replace(whole, trace=[])
        return (yield from self._try(whole.graph, tuned, plain.fp32, 4, f"fine-tuned from rung {whole.rung}"))

    def _try(
        self, graph: Graph, arrays: Arrays, fp32: Assessment, rung: int, what: str, floats: tuple[str, ...] = ()
    ) -> Work[Climbed]:
        """Judge a network, and say how it did."""
        found = yield from self._judged(graph, arrays, fp32, rung, floats)
        yield Note(f"int8, {what}: {_words(found.verdict)}.")
        return replace(found, trace=[Try(rung, what, found.verdict)])

    def _judged(
        self, graph: Graph, arrays: Arrays, fp32: Assessment, rung: int, floats: tuple[str, ...]
    ) -> Work[Climbed]:
        """Write a network and judge the answers of the engine that runs its file."""
        rounded = round_biases(graph, arrays)
        model = write_onnx(graph, rounded)
        verdict = judge(fp32, (yield from self._assess(model)), self.max_drop)
        return Climbed(graph, rounded, verdict, rung, model, floats)

    def _assess(self, model: bytes) -> Work[Assessment]:
        """Assess the answers of the engine to the validation images; temperature does not matter here."""
        return assess(engine_outputs(model, self.validation), self.labels, calibration=AS_IS, work="judging int8")


def _best(tried: Sequence[Climbed]) -> Climbed:
    """Return the network that passes, or else loses least, with what was tried of all."""
    best = min(tried, key=lambda one: (not one.verdict.passes, one.verdict.drop))
    return replace(best, trace=_traces(tried))


def _traces(tried: Sequence[Climbed]) -> list[Try]:
    return [each for one in tried for each in one.trace]


def engine_outputs(model: bytes, images: Images) -> Iterator[NDArray[np.float32]]:
    """Yield the logits (n, classes) of a file in ONNX Runtime, for images (N, R, R, C) uint8, batch by batch."""
    engine = OnnxRuntime(model)
    return in_batches(lambda batch: engine.run(np.asarray(batch))["logits"], images, BATCH)


def reach_by_op(graph: Graph, values: dict[str, Values]) -> dict[str, NDArray[np.float64]]:
    """Return the largest |value| of each channel, by the op that makes the tensor."""
    return {
        op.inputs[0]: values[op.name].largest for op in graph.ops if isinstance(op, FakeQuant) and op.name in values
    }


def _words(verdict: Verdict) -> str:
    passed = "passes" if verdict.passes else "; ".join(verdict.problems)
    return f"{verdict.drop:+.2f} +- {100 * verdict.standard_error:.2f} points lost, {passed}"
