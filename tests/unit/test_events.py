"""Long work: run to its end, or told in other events."""

from pocketvision.events import Note, drain, mapped


def work():
    yield 1
    yield 2
    return "done"


def test_drained_work_gives_its_result_and_its_events():
    heard = []
    assert drain(work(), heard.append) == drain(work()) == "done"
    assert heard == [1, 2]


def test_mapped_work_gives_other_events_and_the_same_result():
    heard = []
    assert drain(mapped(work(), lambda number: Note(str(number))), heard.append) == "done"
    assert heard == [Note("1"), Note("2")]
