"""How tests look at errors: the type, the values that the message names, and whether it says what to try.

The words are elsewhere: all messages stand in golden/messages.txt, which a person reviews.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from commandline import Outcome
from pocketvision.errors import GraphError, PocketvisionError


@contextmanager
def refused(
    kind: type[PocketvisionError], *named: object, attempt: str | None = None
) -> Iterator[pytest.ExceptionInfo[PocketvisionError]]:
    """Expect an error of that very kind, whose problem names the values, from the block.

    Args:
        kind: type of the error, not of a base.
        named: values, names or numbers that the problem must hold.
        attempt: what the advice must hold; None: anything but nothing, unless a graph is wrong; "": there may be none.
    """
    with pytest.raises(kind) as caught:
        yield caught
    check(caught.value, kind, *named, attempt=attempt)


def check(error: PocketvisionError, kind: type[PocketvisionError], *named: object, attempt: str | None = None) -> None:
    """See `refused`, for an error that is there already."""
    assert type(error) is kind, f"{type(error).__name__}, not {kind.__name__}: {error}"
    missing = [str(value) for value in named if str(value) not in error.problem]
    assert not missing, f"{missing} not in: {error.problem}"
    if attempt is None:
        assert error.attempt or issubclass(kind, GraphError), f"nothing to try: {error.problem}"
    else:
        assert attempt in error.attempt, f"{attempt!r} not in: {error.attempt!r}"


def complained(outcome: Outcome, kind: type[PocketvisionError], *named: object, attempt: str | None = None) -> None:
    """Check that a command ended with that error: its exit code, nothing on stdout, one block on stderr."""
    assert (outcome.code, outcome.out) == (kind.exit_code, ""), outcome.err
    start, _, words = outcome.err.partition(": ")
    assert start == kind.__name__ and words.endswith("\n") and words.count("\n") == 1, outcome.err
    problem, _, advice = words.strip().partition(" Try: ")
    check(kind(problem, advice), kind, *named, attempt=attempt)
