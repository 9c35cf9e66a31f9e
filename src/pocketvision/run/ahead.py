"""Work on items in threads, ahead of the consumer: in order, and only so far ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int) -> Iterator[Result]:
    """Yield work(item) for each item, in their order.

    A consumer that stops early waits only for calls that have begun.

    Args:
        work: is called in a thread; its exception is raised in place of its result.
        items: are taken one after the other, in the caller's thread.
        threads: calls that run at once.
        waiting: items that are started before their result is needed: more than `threads` keeps all of them busy.

    >>> list(ahead(len, ["a", "bb", ""], threads=2, waiting=3))
    [1, 2, 0]
    """
    left = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(left, waiting))
        try:
            while begun:
                yield begun.popleft().result()
                begun += [pool.submit(work, item) for item in islice(left, 1)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
