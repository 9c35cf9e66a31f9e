"""Work on what comes, in threads, ahead of who asks for it: in order, and only so far ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(work: Callable[[Item], Result], items: Iterable[Item], threads: int, waiting: int) -> Iterator[Result]:
    """Yield work(item) for each item, in their order.

    Who stops early waits only for what has begun.

    Args:
        work: is called in a thread of its own; what it raises is raised where its result would have come.
        items: are asked for one after the other, in the caller's thread.
        threads: how many calls are under way at once.
        waiting: items that are begun before their result is asked for: more than threads keeps all of them busy.

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
