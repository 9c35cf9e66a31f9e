"""What errors say stands in messages.txt, whole, where a person reviews it; tests elsewhere look at type and values."""

from messages import FILE, KINDS, messages, page

from pocketvision.errors import GraphError

# Arrays and records that the caller made: the problem says what is right, and there is nothing else to try
NOTHING_TO_TRY = {"data/dataset.py", "data/idx.py", "run/images.py", "run/metrics.py", "run/preprocessing.py"}


def test_messages_are_as_they_were_reviewed():
    assert FILE.read_text(encoding="utf-8") == page(), (
        "python tests/golden/messages.py rewrites the file; review its diff"
    )


def test_every_message_says_what_is_wrong():
    assert [message for message in messages() if not message.problem.strip(" .")] == []


def test_every_message_says_what_to_try():
    """But those for authors of families and rewrites, and those that NOTHING_TO_TRY names."""
    silent = [
        message for message in messages() if not message.attempt and not issubclass(KINDS[message.kind], GraphError)
    ]
    assert {message.module for message in silent} <= NOTHING_TO_TRY
    assert len(silent) <= 16, silent


def test_nearly_every_kind_of_error_is_made_somewhere():
    """A search that finds nothing proves nothing; the others are bases, or met as an OSError or a signal."""
    bases = {"PocketvisionError", "InputError", "CheckFailed", "TrainingFailed", "Interrupted"}
    assert {message.kind for message in messages()} >= set(KINDS) - bases
