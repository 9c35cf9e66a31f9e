import threading

import pytest

from pocketvision.run.ahead import ahead


def test_keeps_the_order_whatever_is_done_first():
    second_is_done = threading.Event()

    def work(item):
        if item == 0:
            assert second_is_done.wait(10)
        if item == 1:
            second_is_done.set()
        return item

    assert list(ahead(work, range(50), threads=3, waiting=4)) == list(range(50))


@pytest.mark.parametrize("waiting", [1, 4])
def test_goes_only_so_far_ahead(waiting):
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = ahead(str, items(), threads=2, waiting=waiting)
    assert next(results) == "0" and len(taken) == waiting
    assert next(results) == "1" and len(taken) == waiting + 1


def test_an_error_comes_where_its_result_would_have():
    results = ahead(lambda item: 1 // item, [2, 1, 0, 5], threads=2, waiting=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_early_leaves_no_thread():
    before = threading.active_count()
    results = ahead(str, range(10**9), threads=4, waiting=8)
    next(results)
    results.close()
    assert threading.active_count() == before
