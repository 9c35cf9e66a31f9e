"""The ladder: from a float network to one in integers that passes the gate, by as little work as that takes."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pocketvision.compress.bias import correct_biases
from pocketvision.compress.equalise import equalise, with_relu
from pocketvision.compress.gate import MAX_DROP, Verdict, judge
from pocketvision.compress.ranges import METHODS, Method, Values, find_steps, observe, round_biases
from pocketvision.compress.tune import tune
from pocketvision.data.pixels import Pixels
from pocketvision.errors import NonFiniteLoss
from pocketvision.events import Event, Note, Progress, Work
from pocketvision.model.fake_quant import WEIGHT_LIMIT, insert_fake_quant, may_be_integers
from pocketvision.model.graph import FakeQuant, Graph
from pocketvision.model.onnx_writer import write_onnx
from pocketvision.model.pad_channels import pad_channels
from pocketvision.model.rewrite import Arrays, fold_batch_norm
from pocketvision.run.assess import AS_IS, Assessment, assess, in_batches
from pocketvision.run.engines import OnnxRuntime

BATCH = 32
MOST_FLOATS = 0.25  # of the convolutions: with more of them left in floats it is no network in integers

Images = NDArray[np.uint8] | Pixels


@dataclass(frozen=True)
class Try:
    """What was tried, and what came of it.

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
        graph, arrays: the best network in integers.
        verdict: on it.
        rung: that gave it.
        floats: convolutions and fully connected layers that stay in floats.
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


@dataclass(frozen=True)
class Ladder:
    """What all rungs share.

    Attributes:
        calibration: images to find ranges with, (N, R, R, C) uint8; training images.
        validation: images to judge by.
        labels: of the validation images, (N,).
        max_drop: points of top-1 that may be lost.
        weight_limit: see `insert_fake_quant`.
        train: training images, for rung 4; None: there is no such rung.
        highest: rung, that may be climbed.
        methods: to find ranges by; the best is taken.
        stop_by: `time.monotonic()` after which no further rung is begun; None: no limit.
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
        """Return the first network in integers that passes the gate; else the one that loses least.

        Args:
            graph: the float network, with or without batch norms.
            arrays: its parameters.
        """
        plain, weights = pad_channels(*fold_batch_norm(graph, arrays))
        floats_say = yield from self._assess(write_onnx(plain, weights))
        best = yield from self._static(plain, weights, floats_say, 1, "static ranges")
        trace = list(best.trace)
        whole = best  # all of it in integers
        for number, rung in ((2, self._equalised), (3, self._kept_in_floats), (4, self._tuned)):
            if best.verdict.passes or number > self.highest or (number == 4 and self.train is None):
                break
            if self.stop_by is not None and time.monotonic() > self.stop_by:
                yield Note(f"There is no time left for rung {number} of the ladder to integers.")
                break
            found = yield from rung(plain, weights, floats_say, whole)
            trace += found.trace
            if found.verdict.passes or found.verdict.drop < best.verdict.drop:
                best = found
            if not best.floats:
                whole = best
        best.trace = trace
        return best

    def _static(
        self,
        graph: Graph,
        arrays: Arrays,
        floats_say: Assessment,
        rung: int,
        what: str,
        corrects: bool = False,
        floats: tuple[str, ...] = (),
    ) -> Work[Climbed]:
        """Find ranges by each method; return what loses least."""
        integers = insert_fake_quant(graph, floats, self.weight_limit)
        values = yield from observe(integers, arrays, self.calibration)
        tried: list[Climbed] = []
        trace = []
        for method in self.methods:
            steps = find_steps(integers, arrays, values, method)
            if corrects:
                steps = correct_biases(integers, steps, values)
            found = yield from self._judged(integers, steps, floats_say, rung, floats)
            bits = ", weights of 7 bits" if self.weight_limit < WEIGHT_LIMIT else ""
            trace.append(Try(rung, f"{what}, {method}{bits}", found.verdict))
            yield Note(f"int8, {trace[-1].what}: {_words(found.verdict)}.")
            tried.append(found)
        best = min(tried, key=lambda one: (not one.verdict.passes, one.verdict.drop))
        best.trace = trace
        return best

    def _equalised(
        self, graph: Graph, arrays: Arrays, floats_say: Assessment, whole: Climbed
    ) -> Generator[Event, None, Climbed]:
        """Rung 2: channels of like ranges, and biases that make up for what rounding moves."""
        integers = insert_fake_quant(graph, (), self.weight_limit)
        values = yield from observe(integers, arrays, self.calibration)
        largest = reach_by_op(integers, values)
        found: list[Climbed] = []
        for changed, what in ((graph, "equalised"), (with_relu(graph), "equalised across ReLU6 made ReLU")):
            if found and changed == graph:
                continue
            balanced, skipped = equalise(changed, arrays, largest)
            said = f"{what}, biases corrected" + (f", {len(skipped)} layers skipped" if skipped else "")
            found.append((yield from self._static(changed, balanced, floats_say, 2, said, corrects=True)))
            if found[-1].verdict.passes:
                break
        taken = min(found, key=lambda one: (not one.verdict.passes, one.verdict.drop))
        taken.trace = [each for one in found for each in one.trace]
        return taken

    def _kept_in_floats(
        self, graph: Graph, arrays: Arrays, floats_say: Assessment, whole: Climbed
    ) -> Generator[Event, None, Climbed]:
        """Rung 3: the layers that lose most stay in floats, one after the other, until it passes."""
        names = [name for name in may_be_integers(graph) if name not in graph.outputs.values()]  # these have a step
        integers = insert_fake_quant(graph, (), self.weight_limit)
        values = yield from observe(integers, arrays, self.calibration)
        alone: dict[str, float] = {}
        for i, name in enumerate(names):
            others = tuple(other for other in names if other != name)
            only = insert_fake_quant(graph, others, self.weight_limit)
            one = yield from self._judged(only, find_steps(only, arrays, values, "mse"), floats_say, 3, others)
            alone[name] = one.verdict.drop
            yield Progress("finding sensitive layers", i + 1, len(names))
        ranked = sorted(names, key=lambda name: -alone[name])
        most = max(1, int(MOST_FLOATS * len(names)))
        floats: tuple[str, ...] = ()
        trace: list[Try] = []
        found = whole
        while len(floats) < most:
            floats = tuple(ranked[: min(most, 2 * len(floats) or 1)])
            mixed = insert_fake_quant(graph, floats, self.weight_limit)
            found = yield from self._judged(mixed, find_steps(mixed, arrays, values, "mse"), floats_say, 3, floats)
            trace.append(Try(3, f"{len(floats)} of {len(names)} layers in floats", found.verdict))
            yield Note(f"int8, {trace[-1].what}: {_words(found.verdict)}.")
            if found.verdict.passes:
                break
        found.trace = trace
        return found

    def _tuned(
        self, graph: Graph, arrays: Arrays, floats_say: Assessment, whole: Climbed
    ) -> Generator[Event, None, Climbed]:
        """Rung 4: what is wholly in integers, trained to answer as the float network does."""
        assert self.train is not None
        yield from self.train.decode("preparing training images")
        try:
            tuned = yield from tune(whole.graph, whole.arrays, graph, arrays, self.train)
        except NonFiniteLoss as error:
            yield Note(f"Fine-tuning integers gave nothing: {error.problem}")
            return replace(whole, trace=[])
        found = yield from self._judged(whole.graph, tuned, floats_say, 4, ())
        found.trace = [Try(4, f"fine-tuned from rung {whole.rung}", found.verdict)]
        yield Note(f"int8, {found.trace[-1].what}: {_words(found.verdict)}.")
        return found

    def _judged(
        self,
        graph: Graph,
        arrays: dict[str, NDArray[np.float32]],
        floats_say: Assessment,
        rung: int,
        floats: tuple[str, ...],
    ) -> Work[Climbed]:
        """Write a network and judge what the engine says of its file."""
        arrays = round_biases(graph, arrays)
        model = write_onnx(graph, arrays)
        verdict = judge(floats_say, (yield from self._assess(model)), self.max_drop)
        return Climbed(graph, arrays, verdict, rung, model, floats)

    def _assess(self, model: bytes) -> Work[Assessment]:
        """Assess what the engine says of the validation images; temperature does not matter here."""
        return assess(engine_outputs(model, self.validation), self.labels, calibration=AS_IS, work="judging integers")


def engine_outputs(model: bytes, images: Images) -> Iterator[NDArray[np.float32]]:
    """Yield what ONNX Runtime says with a file: logits (n, classes) for images (N, R, R, C) uint8, batch by batch."""
    engine = OnnxRuntime(model)
    return in_batches(lambda batch: engine.run(np.asarray(batch))["logits"], images, BATCH)


def reach_by_op(graph: Graph, values: dict[str, Values]) -> dict[str, NDArray[np.float64]]:
    """Return the largest |value| of each channel by the op that gives it, from what was seen before its range."""
    return {
        op.inputs[0]: values[op.name].largest for op in graph.ops if isinstance(op, FakeQuant) and op.name in values
    }


def _words(verdict: Verdict) -> str:
    passed = "passes" if verdict.passes else "; ".join(verdict.problems)
    return f"{verdict.drop:+.2f} +- {100 * verdict.standard_error:.2f} points lost, {passed}"
