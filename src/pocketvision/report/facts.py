"""The facts that a report shows: one versioned JSON document, report.json in the run folder."""

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from pocketvision.events import Epoch

VERSION: Literal[1] = 1
BASE64 = r"^[A-Za-z0-9+/]*=*$"


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Score(_Fact):
    """Accuracy and calibration on one part; as `pocketvision.export.evaluate.Evaluation`."""

    part: str
    images: int = Field(ge=1)
    top1: float
    standard_error: float
    ece: float
    ece_uncalibrated: float
    unknown: float


class Measured(_Fact):
    """The finished file on the machine that trained it; as `pocketvision.jobs.finish.measure.Measurement` writes it."""

    device: str
    system: str
    engine: str
    engine_version: str
    threads: int
    date: str
    latency_ms: float
    p95_ms: float
    noise_ms: float
    label_ms: float
    load_ms: float | None
    rss_mb: float | None


class Limit(_Fact):
    """One limit of the budget.

    Attributes:
        name: "latency_ms", "size_mb", "memory_mb" or "macs".
        budget: what was allowed.
        spent: the cost of the finished file; None if it can only be measured on another device.
    """

    name: str
    budget: float
    spent: float | None


class Candidate(_Fact):
    """One network that was considered; as `pocketvision.jobs.plan.search.candidate_json` writes it."""

    name: str
    expected_imagenet_top1: float
    latency_ms: float | None = None
    noise_ms: float | None = None
    is_predicted: bool | None = None
    size_mb: float
    memory_mb: float
    macs: int
    epochs: float | None = None
    dropped: str = ""


class Trial(_Fact):
    """A short training: validation top-1 after so many steps."""

    name: str
    steps: int
    top1: float


class Choice(_Fact):
    """Which network was trained, and why.

    Attributes:
        pick: its name.
        reason: in words.
        device: what the budget is for.
        is_here: whether that is the machine that trained.
        candidates: all that were considered, the most promising first.
        trials: those that were tried briefly.
    """

    pick: str
    reason: str
    device: str
    is_here: bool
    candidates: tuple[Candidate, ...]
    trials: tuple[Trial, ...] = ()


class FrontCut(_Fact):
    """One size of an elastic network; as `pocketvision.jobs.sizes.store.front_json` writes it.

    Attributes:
        name: of the network.
        top1: on validation images.
        latency_ms, noise_ms: on the device of the budget; None: not measured there.
        size_mb, memory_mb, macs: counted.
        is_on_front: whether it is better than all cheaper ones.
        dropped: the limits that it breaks; empty if it is within the budget.
    """

    name: str = Field(validation_alias=AliasChoices("name", "network"))
    top1: float = Field(validation_alias=AliasChoices("top1", "validation_top1"))
    latency_ms: float | None = None
    noise_ms: float | None = None
    size_mb: float
    memory_mb: float
    macs: int
    is_on_front: bool
    dropped: str = ""


class Verdict(_Fact):
    """A network compared with the fp32 one, on the same validation images; see `pocketvision.compress.gate.Verdict`."""

    images: int
    drop: float
    standard_error: float
    p: float
    agreement: float
    problems: tuple[str, ...]


class Try(Verdict):
    """One try, and its rung."""

    rung: int
    what: str


class Precision(_Fact):
    """How the file came to its precision.

    Attributes:
        precision: "fp32", "int8" or "fp16-storage".
        rung: of the ladder, that gave the best network.
        verdict: on that network.
        floats: layers of it that stay fp32.
        tried: all tries, in order.
        problem: why the file is fp32 nevertheless; empty: it is not.
    """

    precision: str
    rung: int
    verdict: Verdict
    floats: tuple[str, ...]
    tried: tuple[Try, ...]
    problem: str = ""


class Front(_Fact):
    """All sizes of an elastic network.

    Attributes:
        network: the largest.
        device: that latencies are of.
        pick: the size that became the file, before further training.
        runner_up: the best of the others within the budget; empty: there is none.
        cuts: all sizes.
    """

    network: str
    device: str
    pick: str
    runner_up: str
    cuts: tuple[FrontCut, ...]


class Training(_Fact):
    """How it was trained; `curve` has one entry for each epoch, `start` says in sentences what training started from.

    `on_all` is the training after the curve, on validation images, too; empty: there was none.
    """

    recipe: str
    batch_size: int
    steps_per_epoch: int
    precision: str
    curve: tuple[Epoch, ...]
    start: tuple[str, ...] = ()
    on_all: str = ""


class ClassScore(_Fact):
    """One class in the judged part.

    Attributes:
        name: of the class.
        images: that show it.
        answered: images for which it was the answer.
        right: images for which it was the right answer.
    """

    name: str
    images: int
    answered: int
    right: int

    @property
    def recall(self) -> float | None:
        """Share of its images that were found; None if there are none."""
        return self.right / self.images if self.images else None

    @property
    def precision(self) -> float | None:
        """Share of its answers that were right; None if there are none."""
        return self.right / self.answered if self.answered else None


class Bin(_Fact):
    """Images whose top probability lies in one fifteenth of 0 to 1: how many, its mean, and the share that is right."""

    images: int
    confidence: float
    accuracy: float


class Calibration(_Fact):
    """Probabilities before and after the temperature; bins without images are left out."""

    temperature: float
    unknown_threshold: float
    before: tuple[Bin, ...]
    after: tuple[Bin, ...]


class Picture(_Fact):
    """One judged image.

    Attributes:
        key: its name in the data set.
        truth, answer: names of classes.
        probability: of the answer.
        width, height: of the thumbnail, in pixels; 0 if the image could no longer be read.
        form: "png" or "jpeg".
        base64: the thumbnail's file.
    """

    key: str
    truth: str
    answer: str
    probability: float
    width: int = 0
    height: int = 0
    form: str = Field("png", pattern="^(png|jpeg)$")
    base64: str = Field("", pattern=BASE64)


class Finding(_Fact):
    """Something about the data that a person should know, in one sentence.

    Attributes:
        kind, severity: in words.
        subject: the image, file or class that it is about; the data check says `key`.
        sentence: what it is.
        others: more images or classes that are part of it.
    """

    kind: str
    severity: str
    subject: str = Field(validation_alias=AliasChoices("subject", "key"))
    sentence: str
    others: tuple[str, ...] = ()


class Data(_Fact):
    """The images that were used; `findings` is None if they were not checked."""

    name: str
    fingerprint: str
    split: str
    images: dict[str, int]
    findings: tuple[Finding, ...] | None = None


class Layer(_Fact):
    """What one layer costs, and how many of its filters are dead; None if it is not depthwise."""

    name: str
    kind: str
    output: str
    params: int
    macs: int
    dead: int | None = None
    filters: int | None = None


class Facts(_Fact):
    """All that the page shows.

    Attributes:
        network: its full name.
        labels: class names, in the order of the logits.
        resolution, channels: of the input.
        is_squashed: whether resizing to the square is all that an image needs.
        score: on the judged part.
        validation: on the validation part.
        measured: the file's latency here.
        budget: the limits that were set.
        size_mb, memory_mb, macs, params: of the finished network.
        minutes: wall time of the run.
        choice, training, calibration, data: see there.
        classes: in the order of `labels`.
        confusion: (truth, answer, images) for all pairs that occur.
        mistakes: the most confident wrong answers.
        unsure: the least confident answers.
        layers: the cost table.
        provenance: versions, seed, options, date; no paths, no user names.
        front: if all sizes were trained at once.
        precision: what was tried to make the file smaller and faster; None: nothing.
    """

    version: Literal[1] = VERSION
    network: str
    labels: tuple[str, ...]
    resolution: int
    channels: int
    is_squashed: bool
    score: Score
    validation: Score
    measured: Measured
    budget: tuple[Limit, ...]
    size_mb: float
    memory_mb: float
    macs: int
    params: int
    minutes: float
    choice: Choice
    training: Training
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, int, int], ...]
    calibration: Calibration
    mistakes: tuple[Picture, ...]
    unsure: tuple[Picture, ...]
    data: Data
    layers: tuple[Layer, ...]
    provenance: dict[str, Any]
    front: Front | None = None
    precision: Precision | None = None

    def to_json(self) -> bytes:
        """Return the document."""
        return (self.model_dump_json(indent=1) + "\n").encode()
