"""Every error a user can meet, and its exit code on the command line.

    PocketvisionError                      exit  1
    ├── UsageError                               2   the request itself is wrong
    │   ├── UnknownFamily
    │   ├── BadWidth
    │   ├── BadResolution
    │   ├── BadOutputStride
    │   ├── BadOption
    │   ├── RunFolderInUse
    │   ├── UnknownWeights
    │   └── MissingExtra
    ├── InputError                               3   the images, labels or weights given are wrong
    │   ├── BadData
    │   ├── BadImage
    │   ├── BadVideo
    │   ├── BadDeviceFile
    │   ├── BadWeights
    │   └── UnknownData
    ├── BadArtifact                              4   the file cannot be read as a pocketvision model
    ├── CheckFailed                              1   the file was read, and something in it is wrong
    │   ├── VerificationFailed
    │   ├── ExportMismatch
    │   ├── BudgetMissed
    │   └── CompressionFailed
    ├── TrainingFailed                           5
    │   └── NonFiniteLoss
    ├── DiskFailed                               6   the system refused to read or write: full disk, no permission
    ├── NoFit                                    7   no network fits the budget; nothing was trained
    ├── GraphError                              70   a family, block or rewrite is wrong: our bug or a family author's
    │   └── BadCut
    └── Interrupted                            130   Ctrl-C; the state is saved

Form of a message: what is wrong, with the value; what would be right, and by whose rule. Then, after "Try:", what to do next.
"""


class PocketvisionError(Exception):
    """Base of all errors raised on purpose.

    Args:
        problem: what is wrong, with the value, and what would be right.
        attempt: the next command or argument to try; printed after "Try:". Empty where there is none.
    """

    exit_code = 1

    def __init__(self, problem: str, attempt: str = "") -> None:
        super().__init__(problem, attempt)
        self.problem = problem
        self.attempt = attempt

    def __str__(self) -> str:
        return f"{self.problem} Try: {self.attempt}" if self.attempt else self.problem


class UsageError(PocketvisionError):
    """The request itself is wrong."""

    exit_code = 2


class UnknownFamily(UsageError):
    """No family of that name."""


class BadWidth(UsageError):
    """The family has no network of that width."""


class BadResolution(UsageError):
    """The family has no network of that resolution."""


class BadOutputStride(UsageError):
    """The family's strides cannot be brought to that total."""


class BadOption(UsageError):
    """An option has a value outside of its range, or two options contradict each other."""


class RunFolderInUse(UsageError):
    """The run folder already holds something that would be overwritten."""


class UnknownWeights(UsageError):
    """Neither a file nor the name of known weights."""


class MissingExtra(UsageError):
    """A verb needs an optional part of the installation."""


class InputError(PocketvisionError):
    """The images or labels given are wrong."""

    exit_code = 3


class BadData(InputError):
    """A data set cannot be used as it is."""


class BadImage(InputError):
    """An image cannot be decoded, or an array has the wrong dtype or shape."""


class BadVideo(InputError):
    """A video file or a camera cannot be read."""


class BadDeviceFile(InputError):
    """A device file cannot be read, or has none of the networks that are asked for."""


class BadWeights(InputError):
    """Trained weights cannot be found, read, or used for the network."""


class UnknownData(InputError):
    """Neither a path nor the name of a known data set."""


class BadArtifact(PocketvisionError):
    """A file cannot be read as a pocketvision model."""

    exit_code = 4


class CheckFailed(PocketvisionError):
    """A file was read, and something in it is wrong."""


class VerificationFailed(CheckFailed):
    """The file does not give the outputs, or have the parts, that its record states."""


class ExportMismatch(CheckFailed):
    """The exported file and the trained network give different answers; the file was not written."""


class BudgetMissed(CheckFailed):
    """The finished file was written and verified, but its measured cost is over the budget.

    Attributes:
        result: what the job returns where the budget is kept; None if that is not known.
    """

    result: object = None


class CompressionFailed(CheckFailed):
    """No int8 network passes the gate."""


class TrainingFailed(PocketvisionError):
    """Training cannot continue."""

    exit_code = 5


class NonFiniteLoss(TrainingFailed):
    """The loss became NaN or infinite."""


class DiskFailed(PocketvisionError):
    """The system refused to read or write a file; in Python it is the OSError itself."""

    exit_code = 6


class NoFit(PocketvisionError):
    """No candidate fits the budget; nothing was trained."""

    exit_code = 7


class GraphError(PocketvisionError):
    """A graph, family or rewrite contradicts itself."""

    exit_code = 70


class BadCut(GraphError):
    """Index lists do not lead from one graph to the other."""


class Interrupted(PocketvisionError):
    """The user stopped the job; its state is saved."""

    exit_code = 130


def missing_extra(error: ModuleNotFoundError, extra: str = "train") -> MissingExtra:
    """Return the error that says how to install a missing module."""
    return MissingExtra(
        f"this needs the module {error.name!r}, which is not installed.", f"pip install 'pocketvision[{extra}]'"
    )


def nearest(name: str, known: list[str]) -> str:
    """Return the known name most like `name`, or the first one.

    >>> nearest("mobilenet_v22", ["squeezenet", "mobilenet_v1", "mobilenet_v2"])
    'mobilenet_v2'
    """
    import difflib

    return (difflib.get_close_matches(name, known, n=1, cutoff=0.0) or known)[0]
