"""Ctrl-C as a request."""

import signal
import threading

import pytest

from pocketvision.jobs.runs.interrupts import watch_interrupts


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_request_is_noted_the_second_stops_at_once(number):
    before = signal.getsignal(number)
    with watch_interrupts() as interrupts:
        assert not interrupts.requested
        signal.raise_signal(number)
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_outside_of_the_main_thread_signals_stay_as_they_are():
    before, inside = signal.getsignal(signal.SIGINT), []

    def watch():
        with watch_interrupts() as interrupts:
            inside.append((signal.getsignal(signal.SIGINT), interrupts.requested))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert inside == [(before, False)]
