"""Schedulers in threads, for tests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crawler.schedule import Scheduler

Running = Callable[[Scheduler], threading.Thread]


@contextmanager
def schedulers(seconds: float) -> Iterator[Running]:
    """Runs schedulers, and ends them, for which each has so many seconds."""
    begun: list[tuple[Scheduler, threading.Thread]] = []

    def run(scheduler: Scheduler) -> threading.Thread:
        thread = threading.Thread(target=scheduler.run)
        begun.append((scheduler, thread))
        thread.start()
        return thread

    yield run
    for scheduler, thread in begun:
        scheduler.stop.set()
        scheduler.wake()
        thread.join(seconds)
        assert not thread.is_alive()
